"""Runs as a table that fits the terminal, what differs between them side by side, or as JSON."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from yocto.cli.page import NONE, printable
from yocto.cli.render import print_json, render_result, write

if TYPE_CHECKING:
    from rich.table import Table

    from yocto.commands.runs import RunList
    from yocto.training.comparison import Comparison, Section
    from yocto.training.history import RunFacts, StepFacts

_GAP = 2  # columns between two cells
_NAME = 10  # columns that a run's name keeps, however narrow the terminal is

# What is left out first where a line is too short comes last.
_PRIORITY = ("run", "status", "step", "best val", "bits/byte", "params", "time", "written",
             "tok/s", "tokens", "last val")  # fmt: skip


def render_runs(result: RunList, as_json: bool) -> None:
    """Print what `yocto runs` found."""
    if as_json or not result.runs:
        render_result(result, as_json)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    now = time.time()
    rows = [_cells(run, now) for run in result.runs]
    widths = {head: max(len(head), *(len(row[head]) for row in rows)) for head in rows[0]}
    shown = _fitting(widths, console.width)
    # A long name is cut to what the other columns leave.
    rest = sum(_GAP + widths[head] for head in shown if head != "run")
    widths["run"] = max(1, min(widths["run"], console.width - rest))
    table = _plain_table()
    for head in shown:
        left = head in ("run", "status", "written")
        table.add_column(head, justify="left" if left else "right", width=widths[head],
                         no_wrap=True, overflow="ellipsis")  # fmt: skip
    for row in rows:
        table.add_row(*(Text(row[head]) for head in shown))
    console.print(table)
    if notes := result.summary():
        write("".join(f"{printable(line)}\n" for line in ("", *notes)))


def _fitting(widths: dict[str, int], width: int) -> list[str]:
    """The columns that a line of `width` has room for, in their order."""
    chosen: set[str] = set()
    taken = -_GAP
    for head in _PRIORITY:
        needs = _GAP + (min(widths[head], _NAME) if head == "run" else widths[head])
        if taken + needs <= width:
            taken += needs
            chosen.add(head)
    return [head for head in widths if head in chosen]


def _cells(run: RunFacts, now: float) -> dict[str, str]:
    """A run's row: head -> text."""
    speed = run.tokens_per_second
    return {
        "run": printable(run.name),
        "written": ago(now - run.written, run.written),
        "status": run.status,
        "params": short(run.parameters),
        "step": _step(run),
        "best val": _loss(run.best),
        "last val": _loss(run.last),
        "bits/byte": _bits(run.best),
        "tokens": short(run.tokens),
        "time": NONE if run.seconds is None else span(run.seconds),
        "tok/s": short(speed),
    }


def _step(run: RunFacts) -> str:
    if run.step is None:
        return NONE
    goal = run.max_iters
    return f"{run.step:,}" if goal in (None, run.step) else f"{run.step}/{goal}"


def _loss(facts: StepFacts | None) -> str:
    return NONE if facts is None or facts.val_loss is None else f"{facts.val_loss:.3f}"


def _bits(facts: StepFacts | None) -> str:
    value = facts and facts.bits_per_byte
    return NONE if value is None else f"{value:.3f}"


def short(number: float | None) -> str:
    """A number in at most five characters or so: 827k, 1.54M.

    >>> short(27264), short(124_439_808), short(950), short(None)
    ('27.3k', '124M', '950', '–')
    """
    if number is None:
        return NONE
    if number < 999.5:
        return f"{number:.0f}"
    for unit in ("k", "M", "B", "T"):
        number /= 1000
        if number < 999.5 or unit == "T":
            break
    digits = 0 if number >= 99.95 else 1 if number >= 9.995 else 2
    return f"{number:,.{digits}f}{unit}"


def span(seconds: float) -> str:
    """A time in one unit: 45 s, 3.4 min, 12 h.

    >>> span(45.2), span(204), span(7200 * 9), span(86400 * 3)
    ('45 s', '3.4 min', '18 h', '3.0 d')
    """
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    units = ((60, "min", 3570), (3600, "h", 85_000), (86400, "d", float("inf")))
    size, unit = next((size, unit) for size, unit, below in units if seconds < below)
    number = seconds / size
    return f"{number:.1f} {unit}" if number < 9.95 else f"{number:,.0f} {unit}"


def ago(seconds: float, written: float) -> str:
    """How long ago, and from a month on the day."""
    if seconds < 60:
        return f"{max(0, seconds):.0f} s ago"
    for size, unit, most in ((60, "min", 60), (3600, "h", 48), (86400, "d", 31)):
        if seconds / size < most:
            return f"{int(seconds / size)} {unit} ago"
    return time.strftime("%Y-%m-%d", time.localtime(written))


# ------------------------------------------------------------------------------------- comparison


def render_comparison(result: Comparison, as_json: bool) -> None:
    """Print what `yocto runs compare` found."""
    if as_json:
        print_json(dataclasses.asdict(result))
        return
    from rich.console import Console
    from rich.text import Text

    table = _plain_table()
    table.add_column("", no_wrap=True, overflow="ellipsis")
    for name in result.runs:
        table.add_column(Text(printable(name)), overflow="fold", justify="right")
    sections = {"Settings": result.settings, "Model": result.model, "Data": result.data,
                "Tokenizer": result.tokenizer, "Results": result.results}  # fmt: skip
    for title, section in sections.items():
        if section:
            table.add_row(Text(title, style="bold"))
            _add_rows(table, section)
    Console(highlight=False).print(table)
    write("\n" + "".join(f"{line}\n" for line in _same(result)))


def _add_rows(table: Table, section: Section) -> None:
    from rich.text import Text

    for name, values in section.items():
        table.add_row(Text(f"  {name}"), *(Text(_value(name, value)) for value in values))


def _value(name: str, value: Any) -> str:
    """A value in a cell."""
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "on" if value else "off"
    if name == "seconds":
        return span(value)
    if name.endswith("sha256"):
        return str(value)[:12]
    if name.endswith(("loss", "bits_per_byte")) and isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"
    if isinstance(value, int):
        return f"{value:,}" if name != "seed" else str(value)
    return printable(str(value))


def _same(result: Comparison) -> Sequence[str]:
    """What is left out, in words, and what to mind."""
    count = f"{result.same} setting{'s' if result.same != 1 else ''}"
    lines = [f"{count} {'are' if result.same != 1 else 'is'} the same"]
    for same, what in ((result.same_data, "text"), (result.same_tokenizer, "tokenizer")):
        if same is None:
            lines.append(f"not all of these runs tell which {what} they had")
        elif same:
            lines.append(f"the {what} is the same")
    if result.same_tokenizer is False:
        lines.append("losses of different tokenizers don't compare: bits per byte do")
    return lines


def _plain_table() -> Table:
    from rich.table import Table

    return Table(box=None, padding=(0, _GAP, 0, 0), header_style="bold", pad_edge=False)
