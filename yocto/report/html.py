"""A report as one page of HTML that needs nothing else: no script, no other file, no request."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from yocto.report.blocks import (
    Block,
    Code,
    Fold,
    Pictures,
    Report,
    Sample,
    Section,
    Table,
    Words,
)
from yocto.report.escaping import escape
from yocto.report.grid import NONE
from yocto.report.palette import COLOURS, DARK
from yocto.report.svg import svg, swatch, title

MARK = '<meta name="generator" content="yocto report">'  # by which a report is known again

_NUMBER = re.compile(r"[-+]?[0-9][0-9,.e+-]*( %| [kMGT]?B| bytes?)?( \(.*\))?|–")


def page(report: Report) -> str:
    """The whole file."""
    style = _style()
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    # Whatever slipped through into the text could load nothing and run nothing.
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; "
        f"form-action 'none'"
    )
    names = _Names()
    body = [
        f"<header><h1>{escape(report.title)}</h1><p>{escape(report.made)}</p>",
        _figures(report),
        "</header>",
        "<main>",
        *(_section(section, names) for section in report.sections),
        "</main>",
        f"<footer>{escape(report.made)}</footer>",
    ]
    head = [
        '<meta charset="utf-8">',
        MARK,
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        '<link rel="icon" href="data:,">',  # else a browser asks the server for one
        f"<title>{escape(report.title)}</title>",
        f"<style>{style}</style>",
    ]
    lines = ["<!DOCTYPE html>", '<html lang="en">', "<head>", *head, "</head>", "<body>", *body,
             "</body>", "</html>"]  # fmt: skip
    return "\n".join(line for line in lines if line) + "\n"


@cache
def _style() -> str:
    """page.css with the colours of runs, in light and in dark."""
    text = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    light, dark = (
        " ".join(f"--c{i}: {colour};" for i, colour in enumerate(colours))
        for colours in (COLOURS, DARK)
    )
    text = text.replace("LIGHT", light).replace("DARK", dark)
    return text + "".join(f".c{i} {{ --c: var(--c{i}); }}\n" for i in range(len(COLOURS)))


class _Names:
    """Names for what is referred to within the page, each once."""

    def __init__(self) -> None:
        self.count = 0

    def new(self) -> str:
        self.count += 1
        return f"picture{self.count}"


def _figures(report: Report) -> str:
    if not report.figures:
        return ""
    drawn = []
    for figure in report.figures:
        note = f'<dd class="more">{escape(figure.note)}</dd>' if figure.note else ""
        drawn.append(
            f'<div><dt>{escape(figure.name)}</dt><dd class="value">{escape(figure.value)}</dd>'
            f"{note}</div>"
        )
    return f'<dl class="figures">{"".join(drawn)}</dl>'


def _section(section: Section, names: _Names) -> str:
    return (
        f"<section><h2>{escape(section.title)}</h2>\n{_blocks(section.blocks, names)}\n</section>"
    )


def _blocks(blocks: Sequence[Block], names: _Names) -> str:
    """Blocks in order; samples that belong together stand beside each other."""
    drawn: list[str] = []
    before: Sample | None = None
    for block in blocks:
        sample = block if isinstance(block, Sample) else None
        if before is not None and (sample is None or _place(sample) != _place(before)):
            drawn.append("</div>")
        if sample is not None and (before is None or _place(sample) != _place(before)):
            if before is None or _place(sample)[:2] != _place(before)[:2]:
                drawn.append(_prompt(sample))
            if sample.group:
                drawn.append(f'<p class="note">{escape(sample.group)}</p>')
            drawn.append(f'<div class="samples{" narrow" if sample.group else ""}">')
        drawn.append(_block(block, names))
        before = sample
    return "\n".join([*drawn, *(["</div>"] if before is not None else [])])


def _place(sample: Sample) -> tuple[str, bool, str]:
    return sample.prompt, sample.question, sample.group


def _prompt(sample: Sample) -> str:
    if not sample.prompt:
        return "<h3>From the start of a text</h3>"
    what = "Asked" if sample.question else "To continue"
    return f"<h3>{what}: <bdi>{escape(' '.join(sample.prompt.split())[:300])}</bdi></h3>"


def _block(block: Block, names: _Names) -> str:
    match block:
        case Words():
            kind = ' class="notice"' if block.notice else ' class="note"'
            return f"<p{kind}>{escape(block.text)}</p>"
        case Table():
            return _table(block)
        case Code():
            return f"<pre><code>{escape(chr(10).join(block.lines))}</code></pre>"
        case Sample():
            return _sample(block)
        case Pictures():
            return _pictures(block, names)
        case Fold():
            opened = " open" if block.opened else ""
            return (
                f"<details{opened}><summary>{escape(block.title)}</summary>\n"
                f"{_blocks(block.blocks, names)}\n</details>"
            )


def _sample(sample: Sample) -> str:
    begun = "" if sample.question or not sample.prompt else (
        f'<span class="prompt">{escape(sample.prompt)}</span>'
    )  # fmt: skip
    text = escape(sample.text) or "<i>(nothing)</i>"
    return (
        f'<div class="sample"><h4>{escape(sample.told)}</h4>'
        f'<div class="text" dir="auto">{begun}{text}</div></div>'
    )


def _table(table: Table) -> str:
    """A table; columns whose cells are all numbers are set to the right."""
    numeric = {
        column
        for column in range(1, len(table.head))
        if column not in table.code
        and all(_NUMBER.fullmatch(row[column]) for row in table.rows)
        and any(row[column] != NONE for row in table.rows)
    }
    head = ""
    if any(table.head):
        cells = "".join(
            f'<th scope="col"{_kind(i, numeric)}><bdi>{escape(text)}</bdi></th>' if text
            else "<td></td>" for i, text in enumerate(table.head)
        )  # fmt: skip
        head = f"<thead><tr>{cells}</tr></thead>"
    rows = []
    for i, row in enumerate(table.rows):
        cells = "".join(_cell(table, i, j, text, numeric) for j, text in enumerate(row))
        rows.append(f"<tr>{cells}</tr>")
    # A wide table scrolls by itself, and with the keyboard too.
    return (
        f'<div class="scroll" tabindex="0"><table>{head}<tbody>{"".join(rows)}</tbody></table>'
        f"</div>"
    )


def _kind(column: int, numeric: set[int]) -> str:
    return ' class="n"' if column in numeric else ""


def _cell(table: Table, row: int, column: int, text: str, numeric: set[int]) -> str:
    shown = f"<bdi>{escape(text)}</bdi>"
    if column in table.code:
        shown = f"<code>{shown}</code>"
    if column == 0:
        return f'<th scope="row">{shown}</th>'
    if (row, column) in table.best:
        kind = "best n" if column in numeric else "best"
        return f'<td class="{kind}" title="the best">{shown}</td>'
    return f"<td{_kind(column, numeric)}>{shown}</td>"


def _pictures(block: Pictures, names: _Names) -> str:
    entries = ""
    if len(block.names) > 1:
        entries = "".join(
            f"<li>{swatch(i)}<bdi>{escape(name)}</bdi></li>" for i, name in enumerate(block.names)
        )
        entries = f'<ul class="legend">{entries}</ul>'
    both = any(run.training and run.validation for p in block.pictures for run in p.curves)
    told = (
        '<p class="note">Lines with markers: the validation split. Thin lines: the training text, '
        "smoothed over its faint values.</p>"
        if both else ""
    )  # fmt: skip
    drawn = "\n".join(
        f"<figure><figcaption>{escape(title(picture))}</figcaption>"
        f"{svg(picture, names.new())}</figure>"
        for picture in block.pictures
    )
    return f'{entries}{told}<div class="pictures">\n{drawn}\n</div>'
