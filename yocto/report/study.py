"""The curves of a study in one picture: bits per byte, and each task's accuracy, over training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from yocto.evaluation.study import MeanPoint
from yocto.report.canvas import as_file, blank, plain_frame
from yocto.report.palette import COLOURS, MARKERS
from yocto.report.series import limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Band = tuple[float, float, float]  # low, value, high

_WIDTH, _HEIGHT = 9, 4.6  # inches of one panel
_X = {"bytes": "bytes of text learnt from", "tokens": "tokens learnt from"}


def draw(curves: Mapping[str, Sequence[MeanPoint]], x: str, kind: str) -> bytes:
    """A picture as the bytes of a file of `kind`, png or svg.

    curves: of each domain, by its name. x: bytes or tokens, what runs from left to right. A panel
    for bits per byte, with a band of the spread where there are several models of each; one for
    each task, with its 95 % interval. Raises RunError without matplotlib.
    """
    tasks = list(dict.fromkeys(name for c in curves.values() for p in c for name in p.tasks))
    figure = blank(_WIDTH, _HEIGHT * (1 + len(tasks)))
    panels = figure.subplots(1 + len(tasks), 1, squeeze=False)[:, 0]
    _panel(panels[0], curves, x, _bits)
    panels[0].set_ylabel("bits per byte of text")
    for axes, task in zip(panels[1:], tasks, strict=True):
        _panel(axes, curves, x, lambda point, task=task: _accuracy(point, task))  # type: ignore[misc]
        axes.set_ylabel(f"{task}: accuracy, with its 95 % interval", parse_math=False)
        axes.yaxis.set_major_formatter(_percent())
    panels[-1].set_xlabel(_X[x])
    _legend(figure, panels[0], curves)
    return as_file(figure, kind)


def _bits(point: MeanPoint) -> Band:
    value, spread = point.bits_per_byte.value, point.bits_per_byte.spread or 0.0
    return value - spread, value, value + spread


def _accuracy(point: MeanPoint, task: str) -> Band:
    found = point.tasks[task]
    return found.interval[0], found.accuracy.value, found.interval[1]


def _panel(
    axes: Axes,
    curves: Mapping[str, Sequence[MeanPoint]],
    x: str,
    band: Callable[[MeanPoint], Band],
) -> None:
    """One figure of all domains over their training."""
    from matplotlib.ticker import EngFormatter

    drawn = []
    for number, points in enumerate(curves.values()):
        places = [float(getattr(point, x)) for point in points]
        low, value, high = zip(*map(band, points), strict=True)
        colour = COLOURS[number % len(COLOURS)]
        axes.plot(places, value, color=colour, marker=MARKERS[number % len(MARKERS)],
                  linewidth=1.8, markersize=5)  # fmt: skip
        if low != high:
            axes.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)
        drawn += [list(zip(places, low, strict=True)), list(zip(places, high, strict=True))]
    if between := limits(drawn, 0.0):
        axes.set_ylim(*between)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    plain_frame(axes)


def _percent() -> object:
    from matplotlib.ticker import PercentFormatter

    return PercentFormatter(1.0)


def _legend(figure: Figure, axes: Axes, curves: Mapping[str, Sequence[MeanPoint]]) -> None:
    """The domains with what their models come to."""
    words = [f"{name}: {points[-1].bits_per_byte.value:.3f}" for name, points in curves.items()]
    if len(words) > 9:
        figure.legend(axes.lines, words, loc="outside right upper", frameon=False)
    else:
        axes.legend(axes.lines, words, loc="upper right", framealpha=0.85, edgecolor="0.9")
