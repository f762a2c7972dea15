"""What benchmarks measured, as tables that fit 80 columns, or as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from yocto.cli.render import print_json, write

if TYPE_CHECKING:
    from yocto.bench.encoding import EncodeRow
    from yocto.bench.files import FileBench
    from yocto.bench.tokenizer import TokenizerBench
    from yocto.bench.tokenizer_training import TrainRow

NONE = "–"  # where there is no figure


def render_tokenizer(result: TokenizerBench, as_json: bool) -> None:
    """Print what `yocto bench tokenizer` measured."""
    if as_json:
        print_json(dataclasses.asdict(result))
        return
    _write_head(result)
    if result.encode:
        write(f"\nEncoding with {result.vocab_size:,} tokens ({result.tokenizer})\n")
        heads = ["", "threads", "cold MB/s", "× yocto", "warm MB/s", "× yocto"]
        _table(heads, [(row.threads, _encode_cells(row)) for row in result.encode])
    if result.train:
        write(f"\nTraining to {result.trained_vocab_size:,} tokens\n")
        heads = ["", "threads", "seconds", "× yocto", "peak MB", "merges"]
        _table(heads, [(row.threads, _train_cells(row)) for row in result.train])
    _write_foot([*result.encode, *result.train])


def render_files(result: FileBench, as_json: bool) -> None:
    """Print what `yocto bench encode` measured."""
    if as_json:
        print_json(dataclasses.asdict(result))
        return
    _write_head(result)
    write(f"\nFile to .bin with {result.vocab_size:,} tokens ({result.tokenizer})\n")
    heads = ["", "threads", "cold MB/s", "× yocto", "warm MB/s", "× yocto", "peak MB"]
    rows = [(row.threads, [*_encode_cells(row), _figure(row.peak_mb)]) for row in result.rows]
    _table(heads, rows)
    _write_foot(result.rows)


def _write_head(result: TokenizerBench | FileBench) -> None:
    """Where it was measured, and on what."""
    machine = result.machine
    cores = f"{machine.cores} core" + ("s" if machine.cores != 1 else "")
    write(f"{machine.cpu}, {cores}, {machine.system}, Python {machine.python}\n")
    rounds = f"{result.rounds} round" + ("s" if result.rounds != 1 else "")
    write(f"{result.text_bytes / 1e6:,.2f} MB of text, pattern {result.pattern}, {rounds}\n")


def _write_foot(rows: Sequence[EncodeRow | TrainRow]) -> None:
    """What the ratios are, and why an engine has no figures."""
    write("\n× yocto: how many times as quick as yocto in the same rounds\n")
    for line in dict.fromkeys(f"{row.engine}: {row.reason}" for row in rows if row.reason):
        write(f"{line}\n")


def _encode_cells(row: EncodeRow) -> list[str]:
    figures = (row.cold_mb_per_s, row.cold_ratio, row.warm_mb_per_s, row.warm_ratio)
    return [_name(row), str(row.threads), *map(_figure, figures)]


def _train_cells(row: TrainRow) -> list[str]:
    merges = {None: NONE, True: "the same", False: "other"}[row.same_merges]
    figures = (row.seconds, row.ratio, row.peak_mb)
    return [_name(row), str(row.threads), *map(_figure, figures), merges]


def _name(row: EncodeRow | TrainRow) -> str:
    return f"{row.engine} {row.version}" if row.version else row.engine


def _figure(value: float | None) -> str:
    """A figure with three digits that count."""
    if value is None:
        return NONE
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 0.1 else 3
    return f"{value:,.{digits}f}"


def _table(heads: Sequence[str], rows: Sequence[tuple[int, list[str]]]) -> None:
    """Print rows, with an empty line between two thread counts."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for number, head in enumerate(heads):
        table.add_column(head, justify="right" if number else "left", no_wrap=True)
    before = None
    for threads, cells in rows:
        if before not in (None, threads):
            table.add_row()
        table.add_row(*map(Text, cells))
        before = threads
    Console(highlight=False).print(table)
