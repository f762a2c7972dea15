"""Curves as SVG that stands in a page: drawn by hand, read without a script, coloured by the page.

A picture is 480 by 300 units, so that its letters can be read on a telephone too; the page sets the
colours: .c0 … .c6 of the runs, .grid, .axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from yocto.report.blocks import Picture
from yocto.report.escaping import escape
from yocto.report.palette import COLOURS, LABELS, STYLES, unit_of
from yocto.report.series import Curves, Point, limits, ordinary, smoothed, thinned
from yocto.utils.text import count_text

WIDTH, HEIGHT = 480, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 22, 10, 44
_POINTS = 900  # of all curves of a kind in a picture: more would not be seen
_MARKED = 16  # markers on a curve
_DASHES = {"-": "", "--": "7 4", ":": "2 4"}
_NAMES = {"steps": "step", "tokens": "tokens learnt from"}

Range = tuple[float, float]


def svg(picture: Picture, name: str) -> str:
    """A picture as an element of a page. name: of letters, one of its own in the page."""
    xs, ys = _ranges(picture)
    unit = unit_of(picture.curves, picture.x)
    most = max(40, _POINTS // max(1, len(picture.curves)))
    clip = (
        f'<rect x="{_LEFT - 5}" y="{_TOP - 4}" width="{WIDTH - _LEFT - _RIGHT + 10}" '
        f'height="{HEIGHT - _TOP - _BOTTOM + 8}"/>'
    )
    body = [
        f'<title id="{name}-title">{escape(title(picture))}</title>',
        f'<desc id="{name}-desc">{escape(description(picture))}</desc>',
        f'<clipPath id="{name}-clip">{clip}</clipPath>',
        *_frame(xs, ys, unit, picture.x),
        f'<g clip-path="url(#{name}-clip)">',
    ]
    for curves, colour in zip(picture.curves, picture.colours, strict=True):
        body += _run(curves, colour, xs, ys, most)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-labelledby="{name}-title {name}-desc">{"".join(body)}</g></svg>'
    )


def title(picture: Picture) -> str:
    """What a picture shows."""
    what = LABELS[picture.y]
    return what[0].upper() + what[1:]


def description(picture: Picture) -> str:
    """A picture in words, for who can't see it."""
    over = {"steps": "steps", "tokens": "tokens learnt from", "seconds": "time"}[picture.x]
    told = []
    for run in picture.curves:
        for what, points in (("training", run.training), ("validation", run.validation)):
            if points:
                (_, first), (_, last) = points[0], points[-1]
                told.append(f"{run.name}, {what}: from {first:.4g} to {last:.4g}")
        if run.best is not None:
            told.append(f"{run.name}, best: {run.best:.4g}")
    return f"Over {over}. {'; '.join(told)}."


def marker(colour: int, x: float, y: float, size: float = 3.2) -> str:
    """The marker of the run in that place among all, in its colour."""
    kind, s = colour % len(COLOURS), size
    look = f'class="m c{kind}"'
    if kind == 0:
        return f'<circle {look} cx="{x:.1f}" cy="{y:.1f}" r="{s}"/>'
    if kind == 1:
        return (
            f'<rect {look} x="{x - s:.1f}" y="{y - s:.1f}" width="{2 * s:.1f}" '
            f'height="{2 * s:.1f}"/>'
        )
    half, d = s * 0.45, s * 1.25
    shapes: list[list[tuple[float, float]]] = [
        [(0, -d), (d, s), (-d, s)],
        [(0, -d), (d, 0), (0, d), (-d, 0)],
        [(0, d), (d, -s), (-d, -s)],
        [(-half, -d), (half, -d), (half, -half), (d, -half), (d, half), (half, half),
         (half, d), (-half, d), (-half, half), (-d, half), (-d, -half), (-half, -half)],
        [(-d, -s), (-s, -d), (0, -half), (s, -d), (d, -s), (half, 0), (d, s), (s, d), (0, half),
         (-s, d), (-d, s), (-half, 0)],
    ]  # fmt: skip
    corners = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in shapes[kind - 2])
    return f'<polygon {look} points="{corners}"/>'


def swatch(colour: int) -> str:
    """A piece of a run's line, for the legend."""
    dashes = _dashes(colour)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="swatch" viewBox="0 0 30 12" '
        f'aria-hidden="true"><path class="line c{colour % len(COLOURS)}"{dashes} d="M0 6H30"/>'
        f"{marker(colour, 15, 6)}</svg>"
    )


def _dashes(colour: int) -> str:
    dashes = _DASHES[STYLES[colour // len(COLOURS) % len(STYLES)]]
    return f' stroke-dasharray="{dashes}"' if dashes else ""


def _trend(run: Curves) -> list[Point]:
    return smoothed(run.training) if run.is_noisy else run.training


def _ranges(picture: Picture) -> tuple[Range, Range]:
    """The limits of x and y; a picture without points has some, too."""
    points = [p for run in picture.curves for p in (*run.training, *run.validation)]
    low, high = min((x for x, _ in points), default=0.0), max((x for x, _ in points), default=1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    shown = [part for run in picture.curves for part in (_trend(run), run.validation)]
    noisy = [ordinary(run.training) for run in picture.curves if run.is_noisy and run.training]
    bottom, top = limits([*shown, *noisy], 0.1 if noisy else 0.0) or (0.0, 1.0)
    if picture.y in ("learning-rate", "tokens-per-second"):
        bottom = min(bottom, 0.0)
    return (low, high), (bottom, top)


def _run(run: Curves, colour: int, xs: Range, ys: Range, most: int) -> list[str]:
    """The lines of one run, faint ones first."""
    look = f"c{colour % len(COLOURS)}"
    dashes = _dashes(colour)
    drawn = []
    trend = _trend(run)
    if run.training:
        if trend != run.training:
            drawn.append(f'<path class="faint {look}" d="{_path(run.training, xs, ys, most)}"/>')
        thin = "thin " if run.validation else ""
        drawn.append(f'<path class="line {thin}{look}"{dashes} d="{_path(trend, xs, ys, most)}"/>')
        if len(trend) == 1:
            drawn.append(marker(colour, *_place(trend[0], xs, ys), 2))
    if run.validation:
        drawn.append(
            f'<path class="line {look}"{dashes} d="{_path(run.validation, xs, ys, most)}"/>'
        )
        drawn += [marker(colour, *_place(p, xs, ys)) for p in thinned(run.validation, _MARKED)]
    return drawn


def _place(point: Point, xs: Range, ys: Range) -> tuple[float, float]:
    """A point in the units of the picture."""
    return (
        _LEFT + _share(point[0], xs) * (WIDTH - _LEFT - _RIGHT),
        HEIGHT - _BOTTOM - _share(point[1], ys) * (HEIGHT - _TOP - _BOTTOM),
    )


def _share(value: float, within: Range) -> float:
    """How far a value is from the low to the high one. What lies far outside comes nearer: numbers
    of 300 digits are no places."""
    span = within[1] - within[0]
    return max(-2.0, min(3.0, (value - within[0]) / span)) if 0 < span < math.inf else 0.5


def _path(points: Sequence[Point], xs: Range, ys: Range, most: int) -> str:
    places = [_place(point, xs, ys) for point in thinned(points, most)]
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)


# ---------------------------------------------------------------------------------------- frame


def ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers between two others, steps of 1, 2 or 5 times a power of ten apart."""
    rough = (high - low) / about
    if not 0 < rough < math.inf:
        return [low]
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((m * power for m in (1, 2, 5) if m * power >= rough), 10 * power)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)] if last - first < 100 else [low]


def _frame(xs: Range, ys: Range, unit: tuple[str, int], x: str) -> list[str]:
    """Grid, numbers and the name of what runs from left to right."""
    drawn = []
    values = ticks(*ys, 5)
    for value in values:
        _, at = _place((xs[0], value), xs, ys)
        drawn.append(f'<path class="grid" d="M{_LEFT} {at:.1f}H{WIDTH - _RIGHT}"/>')
        drawn.append(
            f'<text class="y" x="{_LEFT - 8}" y="{at + 4:.1f}">{_number(value, values)}</text>'
        )
    low, high = xs[0] / unit[1], xs[1] / unit[1]
    values = ticks(low, high, 5)
    for value in values:
        at, _ = _place((value * unit[1], ys[0]), xs, ys)
        drawn.append(
            f'<text class="x" x="{at:.1f}" y="{HEIGHT - _BOTTOM + 18}">'
            f"{count_text(value) if x == 'tokens' else _number(value, values)}</text>"
        )
    drawn.append(f'<path class="axis" d="M{_LEFT} {HEIGHT - _BOTTOM}H{WIDTH - _RIGHT}"/>')
    name = _NAMES.get(x, f"training time ({unit[0]})")
    middle = _LEFT + (WIDTH - _LEFT - _RIGHT) / 2
    drawn.append(f'<text class="x name" x="{middle:g}" y="{HEIGHT - 6}">{name}</text>')
    return drawn


def _number(value: float, among: Sequence[float]) -> str:
    """A number beside the axis, with as many places as the numbers there need to differ."""
    step = min((b - a for a, b in pairwise(among)), default=abs(value))
    largest = max(abs(v) for v in among)
    if largest >= 1e7 or (largest and largest < 1e-4):
        return f"{value:.2g}".replace("e+0", "e").replace("e-0", "e-")
    places = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    return f"{value + 0.0:,.{min(places, 8)}f}"
