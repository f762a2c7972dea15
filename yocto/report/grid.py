"""Figures of several runs beside each other, the best of each kind marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from yocto.report.blocks import Table
from yocto.report.source import Source

NONE = "–"  # where there is no figure


@dataclass(frozen=True)
class Row:
    """A figure: its name, a value for each run, and how a value is written. best: min or max, which
    of several is the best; None where no value is better than another."""

    name: str
    values: Sequence[Any]
    text: Callable[[Any], str] = str
    best: Callable[..., Any] | None = None


def grid(sources: Sequence[Source], rows: Sequence[Row], code: bool = False) -> Table:
    """A table with a column for each run; figures that no run has are left out. code: whether the
    values are checksums, paths and the like."""
    shown = [row for row in rows if any(value is not None for value in row.values)]
    best = set()
    for i, row in enumerate(shown):
        best |= {(i, column + 1) for column in best_of(row)}
    return Table(
        ["", *(source.name for source in sources)] if len(sources) > 1 else ["", ""],
        [[row.name, *(NONE if v is None else row.text(v) for v in row.values)] for row in shown],
        frozenset(best),
        frozenset(range(1, len(sources) + 1)) if code else frozenset(),
    )


def best_of(row: Row) -> list[int]:
    """Which values are the best; none where there is nothing to choose from."""
    told = [value for value in row.values if value is not None]
    if row.best is None or len(told) < 2 or len(set(told)) < 2:
        return []
    wanted = row.best(told)
    return [i for i, value in enumerate(row.values) if value == wanted]


def count(value: float) -> str:
    """A whole number: "1,234,567"."""
    return f"{value:,.0f}"


def fixed(places: int) -> Callable[[float], str]:
    """A number with so many places behind the point; a very large one in fewer signs."""
    return lambda value: f"{value:,.{places}f}" if abs(value) < 1e7 else f"{value:.4g}"


def percent(value: float) -> str:
    """A share in percent: "12.3 %"."""
    return f"{100 * value:.1f} %"
