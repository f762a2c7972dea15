"""An evaluation as sections of facts that fit the terminal, or as JSON."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from yocto.cli.page import NONE, Page, cut_left, printable
from yocto.cli.render import print_json, write
from yocto.utils.text import duration

if TYPE_CHECKING:
    from yocto.evaluation.result import Evaluation, TaskScore, TextScore

_MOST = 4  # tasks that are told in full; more are a table


def render_evaluation(result: Evaluation, as_json: bool) -> None:
    """Print what `yocto eval` measured."""
    if as_json:
        print_json(dataclasses.asdict(result))
        return
    page = Page()
    page.title(f"{printable(result.run)}, step {result.step:,}, on {result.device}")
    for text in result.texts:
        _tell_text(page, text)
    if len(result.tasks) > _MOST:
        _tell_table(page, result.tasks)
    else:
        for task in result.tasks:
            _tell_task(page, task)
    write("".join(f"{line}\n" for line in page.lines))


def _tell_text(page: Page, text: TextScore) -> None:
    page.title(printable(text.name))
    page.fact("loss", f"{text.loss:.4f} nats a token, perplexity {text.perplexity:,.2f}")
    if text.bits_per_byte is not None:
        by_character = text.bits_per_character
        more = "" if by_character is None else f", {by_character:.4f} a character"
        page.fact("bits", f"{text.bits_per_byte:.4f} a byte{more}")
    parts = [f"{text.tokens:,} tokens"]
    if text.bytes:
        parts += [f"{text.bytes:,} bytes", f"{text.characters:,} characters"]
    page.fact("measured", ", ".join(parts))
    page.fact("windows", f"of {text.block_size:,} tokens, one every {text.stride:,}")
    page.fact("speed", f"{text.tokens_per_second:,.0f} tok/s, {duration(text.seconds)}")


def _tell_task(page: Page, task: TaskScore) -> None:
    page.title(f"{task.name}: {printable(task.file)}")
    page.fact("accuracy", f"{task.accuracy:.1%}, 95 % interval {between(task.interval)}")
    if task.normalised_accuracy is not None and task.normalised_interval is not None:
        interval = between(task.normalised_interval)
        page.fact("by the byte", f"{task.normalised_accuracy:.1%}, 95 % interval {interval}")
    if task.perplexity is not None:
        page.fact("perplexity", f"{task.perplexity:,.2f} per token of the last words")
    rows = [f"{task.rows:,}"]
    if task.bad_rows:
        rows.append(f"{task.bad_rows:,} bad one{'s' * (task.bad_rows != 1)} passed over")
    if task.trimmed:
        rows.append(f"{task.trimmed:,} trimmed to fit into the context")
    page.fact("rows", ", ".join(rows))
    page.fact("time", duration(task.seconds))


def _tell_table(page: Page, tasks: list[TaskScore]) -> None:
    """A line for each task. What is told of none has no column, so that there is room for names; of
    these the end counts."""
    page.title("tasks")
    rows = [_cells(task) for task in tasks]
    heads = [head for head in rows[0] if any(row[head] not in (NONE, "0") for row in rows)]
    widths = [max(len(head), *(len(row[head]) for row in rows)) for head in heads]
    room = max(8, page.width - 2 - sum(width + 2 for width in widths))
    lines = [
        [*(row[head] for head in heads), cut_left(printable(task.file), room)]
        for row, task in zip(rows, tasks, strict=True)
    ]
    page.table([*heads, "task"], lines)


def _cells(task: TaskScore) -> dict[str, str]:
    """A task's figures: head -> text."""
    by_byte = task.normalised_accuracy
    return {
        "accuracy": f"{task.accuracy:.1%}",
        "95 % interval": between(task.interval),
        "by the byte": NONE if by_byte is None else f"{by_byte:.1%}",
        "rows": f"{task.rows:,}",
        "bad": f"{task.bad_rows:,}",
        "trimmed": f"{task.trimmed:,}",
    }


def between(interval: list[float]) -> str:
    """An interval of shares, in percent: 41.2–45.6."""
    low, high = interval
    return f"{100 * low:.1f}–{100 * high:.1f}"
