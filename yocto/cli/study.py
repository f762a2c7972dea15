"""What a study has found as a table that fits the terminal, or as JSON."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from yocto.cli.page import printable
from yocto.cli.render import print_json, write

if TYPE_CHECKING:
    from yocto.commands.study_tokenizers import DomainResult, Study
    from yocto.evaluation.study import Mean, TaskMean

_NONE = "–"  # where there is no figure yet


def render_study(result: Study, as_json: bool) -> None:
    """Print what `yocto study tokenizers` found."""
    if as_json:
        print_json(dataclasses.asdict(result))
        return
    if result.domains:
        _print_table(result)
    write("".join(f"{printable(line)}\n" for line in result.summary()))


def _print_table(result: Study) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = [_cells(domain) for domain in result.domains]
    heads = list(dict.fromkeys(head for row in rows for head in row))
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for head in heads:
        table.add_column(
            Text(head), justify="left" if head == "domain" else "right", overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text(row.get(head, _NONE)) for head in heads))
    Console(highlight=False).print(table)
    if any(len(domain.runs) > 1 for domain in result.domains):
        write("±: the standard deviation of models that differ in their seeds\n")
    write("\n")


def _cells(domain: DomainResult) -> dict[str, str]:
    """A domain's row: head -> text."""
    cells = {
        "domain": printable(domain.domain),
        "vocab": f"{domain.vocab_size:,}",
        "used": f"{domain.vocab_used:,}",
        "bytes/token": f"{domain.bytes_per_token:.3f}",
    }
    if not domain.curve:
        return cells
    end = domain.curve[-1]
    cells |= {"steps": f"{end.step:,}", "bits/byte": _with_spread(end.bits_per_byte, 1, "", 4)}
    return cells | {name: _accuracy(task) for name, task in end.tasks.items()}


def _with_spread(mean: Mean, scale: float, unit: str, digits: int) -> str:
    spread = "" if mean.spread is None else f" ±{scale * mean.spread:.{digits}f}"
    return f"{scale * mean.value:.{digits}f}{unit}{spread}"


def _accuracy(task: TaskMean) -> str:
    low, high = (100 * end for end in task.interval)
    return f"{_with_spread(task.accuracy, 100, ' %', 1)} ({low:.1f}–{high:.1f})"
