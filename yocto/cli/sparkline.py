"""Curves of one line of text: ▇▅▃▂▂▁▁"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII = "_.:-=+*#"  # for terminals that have no blocks
_CUT = 0.9  # the share of points that the scale spans
_LIMIT = 512  # points that a curve keeps


def sparkline(values: Sequence[float], width: int, levels: str = BLOCKS) -> str:
    """Values as a line of at most `width` characters, from the lowest of `levels` to the highest.

    More values than characters: each character is the mean of its share. The scale goes from the
    lowest point to the one that nine tenths lie below, and what is higher is cut off there: the
    first steps of a run would flatten all that follows. What is not finite is a gap.
    """
    points = _resampled(values, width)
    finite = sorted(p for p in points if math.isfinite(p))
    if not finite:
        return " " * len(points)
    low, high = finite[0], _quantile(finite, _CUT)
    span = high / 2 - low / 2  # halves: the difference of two large numbers may be no number
    if span < 1e-12 * max(abs(low), abs(high)):  # the rounding of means is nothing to show
        span = 0.0
    return "".join(_level(p, low, span, levels) for p in points)


def _level(point: float, low: float, span: float, levels: str) -> str:
    if not math.isfinite(point):
        return " "
    share = min(1.0, (point / 2 - low / 2) / span) if span > 0 else 0.0
    return levels[round(share * (len(levels) - 1))]


def _quantile(ordered: list[float], share: float) -> float:
    """The value below which such a share of the others lies, between two of them if need be."""
    whole, part = divmod(share * (len(ordered) - 1), 1)
    i = int(whole)
    after = ordered[min(i + 1, len(ordered) - 1)]
    return ordered[i] * (1 - part) + after * part


def _resampled(values: Sequence[float], width: int) -> list[float]:
    n = len(values)
    if n <= width:
        return list(values)
    cuts = [i * n // width for i in range(width + 1)] if width > 0 else []
    return [_mean(values[a:b]) for a, b in pairwise(cuts)]


def _mean(values: Sequence[float]) -> float:
    finite = [v for v in values if math.isfinite(v)]
    if not finite:
        return math.nan
    mean = sum(v / len(finite) for v in finite)
    return min(max(mean, min(finite)), max(finite))  # rounding may take it out of there


class Curve:
    """A value over a whole run, in bounded memory: when there are too many points, two become one.

    What is not finite is passed over.
    """

    def __init__(self) -> None:
        self.latest: float | None = None
        self.lowest: float | None = None
        self._points: list[float] = []
        self._each = 1  # values that make a point
        self._sum = 0.0  # of those that don't make one yet
        self._count = 0

    def add(self, value: float) -> None:
        """One value more."""
        if not math.isfinite(value):
            return
        self.latest = value
        self.lowest = value if self.lowest is None else min(value, self.lowest)
        self._sum += value / self._each
        self._count += 1
        if self._count < self._each:
            return
        self._points.append(self._sum)
        self._sum, self._count = 0.0, 0
        if len(self._points) == _LIMIT:
            pairs = zip(self._points[::2], self._points[1::2], strict=True)
            self._points = [a / 2 + b / 2 for a, b in pairs]
            self._each *= 2

    @property
    def points(self) -> list[float]:
        """The values, or means of as many neighbours as there are."""
        rest = [self._sum * self._each / self._count] if self._count else []
        return self._points + rest
