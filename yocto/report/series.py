"""The lines of metrics.jsonl as series of points: what to draw, smoothed, between which limits."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from yocto.training.history import History, run_facts
from yocto.utils.progress import number

Point = tuple[float, float]

# What is drawn -> its key in a line of training, and in one of an evaluation.
_KEYS: dict[str, tuple[str | None, str | None]] = {
    "loss": ("train_loss", "val_loss"),
    "bits-per-byte": (None, "val_bits_per_byte"),
    "learning-rate": ("learning_rate", None),
    "grad-norm": ("grad_norm", None),
    "tokens-per-second": ("tokens_per_second", None),
}
_MOST = 2000  # points of a curve: a picture has no room for more


@dataclass(frozen=True)
class Curves:
    """What one run measured of something: points of training and of evaluations.

    best: the value at the run's best step; None where nothing was evaluated.
    """

    name: str
    training: list[Point]
    validation: list[Point]
    best: float | None
    is_noisy: bool = True  # what is set, and not measured, is drawn as it is


def curves_of(history: History, name: str, x: str, y: str) -> Curves:
    """The points of a run; x: steps, tokens or seconds; y: one of _KEYS."""
    train_key, val_key = _KEYS[y]
    training: list[Point] = []
    validation: list[Point] = []
    for line in history.lines:
        key, points = (val_key, validation) if "val_loss" in line else (train_key, training)
        value = None if key is None else number(line, key)
        place = _place(history, line, x)
        if value is not None and place is not None:
            points.append((place, value))
    best = run_facts(history).best
    value = None
    if best is not None:
        value = {"loss": best.val_loss, "bits-per-byte": best.bits_per_byte}.get(y)
    return Curves(name, training, validation, value, is_noisy=y != "learning-rate")


def _place(history: History, line: dict[str, object], x: str) -> float | None:
    if x == "tokens":
        return history.tokens_at(line)
    return number(line, "step" if x == "steps" else "seconds")


def smoothed(points: Sequence[Point]) -> list[Point]:
    """The trend of a curve: medians of neighbours, which forget a single leap, and then means of
    them, which have no steps (Tukey 1977 puts the two together this way).

    Neighbours are a sixtieth of the curve to each side. Near the beginning, where curves are steep,
    there are as many before a point as behind it.
    """
    reach = len(points) // 60
    values = _means(_medians([y for _, y in points], reach), reach)
    return [(x, y) for (x, _), y in zip(points, values, strict=True)]


def _medians(values: Sequence[float], reach: int) -> list[float]:
    window: list[float] = []  # sorted
    low = high = 0  # it holds values[low:high]
    result = []
    for begin, end in _neighbours(len(values), reach):
        while high < end:
            insort(window, values[high])
            high += 1
        while low < begin:
            del window[bisect_left(window, values[low])]
            low += 1
        middle = len(window) // 2
        result.append((window[middle] + window[-middle - 1]) / 2)
    return result


def _means(values: Sequence[float], reach: int) -> list[float]:
    if not reach:
        return list(values)  # as they are, without a rounding
    sums = list(accumulate(values, initial=0.0))
    places = _neighbours(len(values), reach)
    return [(sums[end] - sums[begin]) / (end - begin) for begin, end in places]


def _neighbours(length: int, reach: int) -> Iterator[tuple[int, int]]:
    """First, and one behind the last, of each place's neighbours, itself among them."""
    for i in range(length):
        near = min(reach, i)
        yield i - near, min(length, i + near + 1)


def ordinary(points: Sequence[Point]) -> list[Point]:
    """The points without the highest and the lowest fiftieth: leaps must not set a picture's
    limits."""
    values = sorted(y for _, y in points)
    cut = len(values) // 50
    return [p for p in points if values[cut] <= p[1] <= values[-cut - 1]]


def thinned(points: Sequence[Point], most: int = _MOST) -> list[Point]:
    """At most so many of the points, evenly chosen, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    last = len(points) - 1
    return [points[round(i * last / (most - 1))] for i in range(most)]


def limits(
    curves: Sequence[Sequence[Point]], first_share: float = 0.1
) -> tuple[float, float] | None:
    """Lowest and highest y of a picture: all values, but the first tenth of each curve counts for
    nothing above, since a loss falls from its first heights within a few steps. None without
    points."""
    values, high = [], []
    for points in curves:
        if not points:
            continue
        values += [y for _, y in points]
        first = min(x for x, _ in points)
        begin = first + first_share * (max(x for x, _ in points) - first)
        late = [y for x, y in points if x >= begin]
        high.append(max(late if len(late) > 2 else [y for _, y in points]))
    if not values:
        return None
    low, top = min(values), max(high)
    margin = 0.05 * (top - low) or 0.05 * abs(top) or 1.0
    return low - margin, top + margin
