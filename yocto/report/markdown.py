"""A report as Markdown: the same parts, with the curves as numbers."""

from __future__ import annotations

from collections.abc import Sequence

from yocto.report.blocks import Block, Code, Fold, Pictures, Report, Sample, Table, Words
from yocto.report.escaping import escape, fenced, markdown
from yocto.report.series import Curves, smoothed, thinned
from yocto.report.svg import title

MARK = "<!-- yocto report -->"  # by which a report is known again
_SHOWN = 12  # points of a curve


def text(report: Report) -> str:
    """The whole file."""
    parts = [MARK, f"# {markdown(report.title)}", markdown(report.made)]
    if report.figures:
        parts.append(
            "\n".join(
                f"- **{markdown(f.name)}**: {markdown(f.value)}"
                + (f" ({markdown(f.note)})" if f.note else "")
                for f in report.figures
            )
        )
    for section in report.sections:
        parts.append(f"## {markdown(section.title)}")
        parts += _blocks(section.blocks)
    return "\n\n".join(parts) + "\n"


def _blocks(blocks: Sequence[Block]) -> list[str]:
    parts: list[str] = []
    asked: tuple[str, bool] | None = None
    for block in blocks:
        if isinstance(block, Sample) and (block.prompt, block.question) != asked:
            asked = (block.prompt, block.question)
            parts += _prompt(block)
        parts += _block(block)
    return parts


def _prompt(sample: Sample) -> list[str]:
    if not sample.prompt:
        return ["### From the start of a text"]
    return [f"### {'Asked' if sample.question else 'To continue'}", fenced(sample.prompt)]


def _block(block: Block) -> list[str]:
    match block:
        case Words():
            words = markdown(block.text)
            return [f"> {words}" if block.notice else words]
        case Table():
            return [_table(block)]
        case Code():
            return [fenced("\n".join(block.lines))]
        case Sample():
            told = f"{block.group}, {block.told}" if block.group else block.told
            return [f"**{markdown(told)}**", fenced(block.text or "(nothing)")]
        case Pictures():
            return [part for picture in block.pictures for run in picture.curves
                    for part in (f"**{markdown(title(picture))}**, {markdown(run.name)}",
                                 _table(_points(run, picture.x)))]  # fmt: skip
        case Fold():
            return [
                f"<details><summary>{escape(block.title)}</summary>",
                *_blocks(block.blocks),
                "</details>",
            ]


def _points(run: Curves, x: str) -> Table:
    """Some points of a curve, of the validation split where there are any."""
    points = run.validation or (smoothed(run.training) if run.is_noisy else run.training)
    what = "validation" if run.validation else "training"
    name = {"steps": "step", "tokens": "tokens", "seconds": "seconds"}[x]
    return Table([name, what], [[f"{at:,.0f}", f"{y:.5g}"] for at, y in thinned(points, _SHOWN)])


def _table(table: Table) -> str:
    lines = [
        _row([markdown(text) for text in table.head]),
        _row(["---"] * len(table.head)),
    ]
    for i, row in enumerate(table.rows):
        cells = []
        for j, value in enumerate(row):
            cell = markdown(value)
            cells.append(f"**{cell}** ★" if (i, j) in table.best else cell)
        lines.append(_row(cells))
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
