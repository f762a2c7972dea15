"""Curves of several runs in one picture, drawn with matplotlib and without a display."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from yocto.report.canvas import as_file, blank, plain_frame, shortened
from yocto.report.palette import COLOURS, LABELS, MARKERS, STYLES, unit_of
from yocto.report.series import Curves, Point, limits, ordinary, smoothed, thinned

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw(curves: Sequence[Curves], x: str, y: str, kind: str) -> bytes:
    """A picture as the bytes of a file of `kind`, png or svg.

    x, y: what is drawn, as for `series.curves_of`. Raises RunError without matplotlib.
    """
    figure = blank(9, 5.5)
    axes = figure.add_subplot()
    unit = unit_of(curves, x)
    lines = [_draw_run(axes, i, run, unit) for i, run in enumerate(curves)]
    _frame(axes, curves, x, y, unit)
    _legend(figure, axes, curves, lines, y)
    return as_file(figure, kind)


def _draw_run(axes: Axes, number: int, run: Curves, unit: tuple[str, int]) -> Any:
    """Draw one run; returns the line that stands for it in the legend."""
    colour = COLOURS[number % len(COLOURS)]
    look: dict[str, Any] = {
        "color": colour,
        "linestyle": STYLES[number // len(COLOURS) % len(STYLES)],
    }
    line: Any = None
    if run.training:
        means = _trend(run)
        if means != run.training:
            axes.plot(*_columns(run.training, unit), color=colour, linewidth=0.6, alpha=0.25)
        thin = 1.0 if run.validation else 1.6
        (line,) = axes.plot(*_columns(means, unit), **look, linewidth=thin, alpha=0.85)
    if run.validation:
        marker = MARKERS[number % len(MARKERS)]
        (line,) = axes.plot(
            *_columns(run.validation, unit), **look, linewidth=1.8, marker=marker, markersize=5,
            markevery=max(1, len(run.validation) // 25), zorder=3,
        )  # fmt: skip
    return line


def _trend(run: Curves) -> list[Point]:
    """The training curve as it is drawn over its faint values; a schedule has no noise."""
    return smoothed(run.training) if run.is_noisy else run.training


def _columns(points: Sequence[Point], unit: tuple[str, int]) -> tuple[list[float], list[float]]:
    shown = thinned(points)
    return [x / unit[1] for x, _ in shown], [y for _, y in shown]


def _frame(axes: Axes, curves: Sequence[Curves], x: str, y: str, unit: tuple[str, int]) -> None:
    """Limits, labels, numbers and a grid."""
    from matplotlib.ticker import EngFormatter, FuncFormatter

    shown = [part for run in curves for part in (_trend(run), run.validation)]
    noisy = [ordinary(run.training) for run in curves if run.is_noisy]
    if between := limits([*shown, *noisy], 0.1 if noisy else 0.0):
        low, high = between
        axes.set_ylim(min(low, 0.0) if y in ("learning-rate", "tokens-per-second") else low, high)
    names = {"steps": "step", "tokens": "tokens learnt from"}
    axes.set_xlabel(names.get(x, f"training time ({unit[0]})"))
    axes.set_ylabel(LABELS[y])
    thousands = FuncFormatter(lambda value, place: f"{value:,.10g}")
    axes.xaxis.set_major_formatter(EngFormatter(sep="") if x == "tokens" else thousands)
    if y == "tokens-per-second":
        axes.yaxis.set_major_formatter(thousands)
    plain_frame(axes)


def _legend(
    figure: Figure, axes: Axes, curves: Sequence[Curves], lines: Sequence[Any], y: str
) -> None:
    """The runs' names with their best values, and what is thin and what has markers."""
    from matplotlib.lines import Line2D

    entries = [(line, _entry(run)) for line, run in zip(lines, curves, strict=True) if line]
    if any(run.training for run in curves) and any(run.validation for run in curves):
        entries.append((Line2D([], [], color="0.4", marker="o", markersize=5, linewidth=1.8),
                        "validation"))  # fmt: skip
        words = "training" + ", smoothed" * any(_trend(run) != run.training for run in curves)
        entries.append((Line2D([], [], color="0.4", linewidth=1.0), words))
    # Names are put in afterwards: matplotlib leaves out those that begin with an underscore.
    numbers = [str(i) for i in range(len(entries))]
    handles = [handle for handle, _ in entries]
    if len(entries) > 9:
        legend = figure.legend(handles, numbers, loc="outside right upper", frameon=False)
    else:
        corner = "lower right" if y == "tokens-per-second" else "upper right"
        legend = axes.legend(handles, numbers, loc=corner, framealpha=0.85, edgecolor="0.9")
    for text, (_, words) in zip(legend.get_texts(), entries, strict=True):
        text.set_parse_math(False)  # a $ in a name is a $
        text.set_text(words)


def _entry(run: Curves) -> str:
    name = shortened(run.name)
    return name if run.best is None else f"{name}: best {run.best:.3f}"
