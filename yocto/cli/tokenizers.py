"""Tokenizers side by side: a table for each text, one of sizes and domains, or JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from yocto.cli.page import NONE, cut_left, printable
from yocto.cli.render import print_json, write
from yocto.cli.runs import short

if TYPE_CHECKING:
    from yocto.evaluation.tokenizer_comparison import CorpusFigures, TokenizerComparison
    from yocto.evaluation.tokenizer_figures import TokenizerFigures

_HEADS = ["", "vocab", "bytes/\ntoken", "chars/\ntoken", "tokens\n/word", "used", "",
          "fall-\nback", "MB/s", "exact"]  # fmt: skip
_LEGEND = (
    "word: a run of characters that are no white space",
    "used: how many different tokens occur, and their share of the vocabulary",
    "fallback: single bytes of longer characters, or unknown, in % of the tokens",
    "MB/s: encoding by yocto, one thread, warm; exact: the text comes back as it was",
)


def render_comparison(result: TokenizerComparison, as_json: bool) -> None:
    """Print what `yocto compare-tokenizers` measured."""
    if as_json:
        print_json(dataclasses.asdict(result))
        return
    for number, corpus in enumerate(result.corpora):
        write(("\n" if number else "") + _title(corpus) + "\n")
        _table(_HEADS, [_cells(row) for row in corpus.tokenizers])
    for corpus in result.corpora if result.sizes else ():
        _write_sizes(result, corpus)
    write("\n")
    for line in (*_LEGEND, *map(printable, result.notes())):
        _tell(line)
    for folder in result.saved.values():
        write(f"-> {folder}\n")
    if result.out_path is not None:
        write(f"-> {result.out_path}\n")


def _tell(line: str) -> None:
    """Print a line, broken where the terminal ends."""
    from rich.console import Console
    from rich.text import Text

    Console(highlight=False).print(Text(line))


def _title(corpus: CorpusFigures) -> str:
    part = "" if corpus.part == "all" else f", the {corpus.part}"
    numbers = {"byte": corpus.bytes, "character": corpus.characters, "word": corpus.words}
    counts = ", ".join(f"{n:,} {what}{'s' * (n != 1)}" for what, n in numbers.items())
    return f"{_shown(corpus, part)}\n{counts}\n"


def _shown(corpus: CorpusFigures, words: str) -> str:
    """A text's name with words behind it, in one line."""
    from rich.console import Console

    return cut_left(printable(corpus.name), max(8, Console().width - len(words))) + words


def _cells(row: TokenizerFigures) -> list[str]:
    return [
        printable(row.name),
        f"{row.vocab_size:,}",
        f"{row.bytes_per_token:.3f}",
        f"{row.characters_per_token:.3f}",
        NONE if row.tokens_per_word is None else f"{row.tokens_per_word:.2f}",
        short(row.used),
        f"{row.used_share:.0%}",
        "0" if not row.fallbacks else f"{100 * row.fallback_share:.2g}",
        f"{row.mb_per_second:,.0f}" if row.mb_per_second >= 10 else f"{row.mb_per_second:.1f}",
        "yes" if row.exact else "no",
    ]


def _write_sizes(result: TokenizerComparison, corpus: CorpusFigures) -> None:
    """Bytes per token: sizes down, the texts that were learnt from across."""
    domains = [other.name for other in result.corpora]
    head = _shown(corpus, f", the {corpus.part}: bytes per token, trained on")
    write(f"\n{head}\n\n")
    found = {(row.wanted, row.trained_on): row for row in corpus.tokenizers}
    rows = []
    for size in result.sizes:
        of_size = [found.get((size, domain)) for domain in domains]
        if any(of_size):
            figures = [NONE if row is None else f"{row.bytes_per_token:.3f}" for row in of_size]
            rows.append([f"{size:,}", *figures])
    _table(["tokens", *map(printable, domains)], rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Figures in columns. Names and heads are cut to what the line has room for: of a name, which
    may be a path, the end counts."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    figures = [max(len(row[i]) for row in rows) for i in range(1, len(heads))]
    widths = [
        max(n, *map(len, head.split("\n"))) for n, head in zip(figures, heads[1:], strict=True)
    ]
    room = console.width - len(widths) - min(20, max(len(row[0]) for row in rows))
    widest = max(max(figures), room // len(widths))
    widths = [min(width, widest) if sum(widths) > room else width for width in widths]
    name = max(6, console.width - len(widths) - sum(widths))
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold", pad_edge=False)
    table.add_column(Text(heads[0]), no_wrap=True)
    for head, width in zip(heads[1:], widths, strict=True):
        lines = [_cut(line, width) for line in head.split("\n")]
        table.add_column(Text("\n".join(lines)), justify="right", width=width, no_wrap=True)
    for row in rows:
        table.add_row(Text(cut_left(row[0], name)), *map(Text, row[1:]))
    console.print(table)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
