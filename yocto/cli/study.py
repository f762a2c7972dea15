"""What a study has found as a table that fits the terminal, or as JSON."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from yocto.cli.eval import between
from yocto.cli.page import NONE, printable
from yocto.cli.render import print_json, write

if TYPE_CHECKING:
    from rich.table import Table

    from yocto.commands.study_tokenizers import DomainResult, Study
    from yocto.evaluation.study import Mean


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

    console = Console(highlight=False)
    console.print(_table([_cells(domain) for domain in result.domains], left=("domain",)))
    tasks = [row for domain in result.domains for row in _task_cells(domain)]
    if tasks:
        write("\n")
        tasks.sort(key=lambda row: row["task"])  # which leaves the domains in their order
        console.print(_table(tasks, left=("task", "domain")))
    if any(len(domain.runs) > 1 for domain in result.domains):
        write("±: the standard deviation of models that differ in their seeds\n")
    write("\n")


def _table(rows: list[dict[str, str]], left: tuple[str, ...]) -> Table:
    """Rows of head -> text. left: the heads of columns of words."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    heads = list(dict.fromkeys(head for row in rows for head in row))
    for head in heads:
        is_left = head in left
        table.add_column(Text(head), justify="left" if is_left else "right", no_wrap=not is_left,
                         overflow="fold")  # fmt: skip
    for row in rows:
        table.add_row(*(Text(row.get(head, NONE)) for head in heads))
    return table


def _cells(domain: DomainResult) -> dict[str, str]:
    """A domain's row."""
    cells = {
        "domain": printable(domain.domain),
        "vocab": f"{domain.vocab_size:,}",
        "used": f"{domain.vocab_used:,}",
        "bytes/token": f"{domain.bytes_per_token:.3f}",
    }
    if not domain.curve:
        return cells
    end = domain.curve[-1]
    return cells | {
        "steps": f"{end.step:,}",
        "bits/byte": f"{end.bits_per_byte.value:.4f}{_spread(end.bits_per_byte, '.4f')}",
    }


def _task_cells(domain: DomainResult) -> list[dict[str, str]]:
    """A row for each task."""
    rows = []
    for name, task in domain.curve[-1].tasks.items() if domain.curve else ():
        row = {
            "task": printable(name), "domain": printable(domain.domain),
            "accuracy": _percent(task.accuracy), "95 % interval": between(task.interval),
        }  # fmt: skip
        if task.normalised_accuracy is not None:
            row["by the byte"] = _percent(task.normalised_accuracy)
        if task.normalised_interval is not None:
            row["its interval"] = between(task.normalised_interval)
        rows.append(row)
    return rows


def _spread(mean: Mean, digits: str, scale: float = 1.0) -> str:
    return "" if mean.spread is None else f" ±{scale * mean.spread:{digits}}"


def _percent(mean: Mean) -> str:
    return f"{mean.value:.1%}{_spread(mean, '.1f', 100.0)}"
