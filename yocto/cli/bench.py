"""What benchmarks measured, as tables that fit 80 columns, or as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from yocto.cli.page import NONE
from yocto.cli.render import print_json, write

if TYPE_CHECKING:
    from yocto.bench.decoding import DecodeBench, DecodeRow
    from yocto.bench.encoding import EncodeRow
    from yocto.bench.files import FileBench
    from yocto.bench.learning import LearningRow
    from yocto.bench.machine import Machine
    from yocto.bench.tokenizer import TokenizerBench
    from yocto.bench.tokenizer_training import TrainRow
    from yocto.bench.training import TrainBench
    from yocto.bench.training_speed import SpeedRow


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


def render_training(result: TrainBench, as_json: bool) -> None:
    """Print what `yocto bench train` measured."""
    if as_json:
        print_json(dataclasses.asdict(result))
        return
    rows: list[LearningRow | SpeedRow] = [*result.learning, *result.speed]
    _write_machine(result.machine)
    versions = dict.fromkeys(_name(row) for row in rows if row.engine in ("yocto", "transformers"))
    threads = _counted(result.threads, "thread")
    write(f"{', '.join(versions)}, torch {result.torch}, {threads}\n")
    write(f"{result.characters:,} characters, {result.vocab_size} different ones\n")
    if result.learning:
        _write_learning(result)
    if result.speed:
        shape = ", ".join(f"{name} {value}" for name, value in result.shape.items())
        write(f"\nSpeed of GPT-2's shape, {_counted(result.rounds, 'round')}\n{shape}\n\n")
        heads = ["", "weights", "tokens/s", "× yocto", "GFLOP/s", "of matmul"]
        _table(heads, [(row.threads, _speed_cells(row)) for row in result.speed])
    _write_foot(rows)


def render_decoding(result: DecodeBench, as_json: bool) -> None:
    """Print what `yocto bench decode` measured."""
    if as_json:
        print_json(dataclasses.asdict(result))
        return
    _write_machine(result.machine)
    versions = dict.fromkeys(
        _name(row) for row in result.rows if row.engine in ("yocto", "transformers")
    )
    write(f"{', '.join(versions)}, torch {result.torch}, {_counted(result.threads, 'thread')}\n")
    shape = ", ".join(f"{name} {value}" for name, value in result.shape.items() if name != "family")
    write(f"{result.shape['family']}, {result.parameters / 1e6:.1f}M: {shape}\n")
    write(
        f"\n{_counted(result.new_tokens, 'token')} after {result.prompt_tokens} of a prompt, "
        f"{_counted(result.rounds, 'round')}\n\n"
    )
    heads = ["", "texts", "weights MB", "tokens/s", "× yocto", "of memory", "same ids"]
    _table(heads, [(row.threads, _decode_cells(row)) for row in result.rows])
    _write_foot(result.rows)
    write("same ids: tokens in common with yocto's text, from the first on\n")
    for row in result.rows:
        if row.gb_per_second is not None:
            ways = (f"{_figure(speed)} by {way}" for way, speed in row.gb_per_second.items())
            write(f"memory: GB/s, {', '.join(ways)}\n")
    write("\nIn the same rounds\n")
    for what, ratio in result.ratios.items():
        write(f"{what:<28}{_figure(ratio):>8}\n")


def _write_learning(result: TrainBench) -> None:
    target = "what nanogpt-recipe ends at"
    if result.target_loss is not None:
        target = f"{result.target_loss:g}"
    seeds = f"medians of {result.seeds} seeds" if result.seeds > 1 else "1 seed"
    write(f"\nLoss on the whole validation split, {seeds}; CPU seconds of training\n")
    write(f"to target: until the loss is {target}\n\n")
    heads = ["", "weights", "steps", "CPU s", "loss", "to target", "× yocto", "tokens/s"]
    _table(heads, [(row.threads, _learning_cells(row)) for row in result.learning])


def _write_head(result: TokenizerBench | FileBench) -> None:
    """Where it was measured, and on what."""
    _write_machine(result.machine)
    rounds = _counted(result.rounds, "round")
    write(f"{result.text_bytes / 1e6:,.2f} MB of text, pattern {result.pattern}, {rounds}\n")


def _write_machine(machine: Machine) -> None:
    cores = _counted(machine.cores, "core")
    write(f"{machine.cpu}, {cores}, {machine.system}, Python {machine.python}\n")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("s" if number != 1 else "")


def _write_foot(rows: Sequence[EncodeRow | TrainRow | SpeedRow | LearningRow | DecodeRow]) -> None:
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


def _learning_cells(row: LearningRow) -> list[str]:
    loss = NONE if row.loss is None else f"{row.loss:.3f}"
    return [
        row.engine, _weights(row), f"{row.iterations}x{row.batch_size}", _figure(row.cpu_seconds),
        loss, *map(_figure, (row.cpu_seconds_to_target, row.ratio, row.tokens_per_second)),
    ]  # fmt: skip


def _speed_cells(row: SpeedRow) -> list[str]:
    share = NONE if row.share is None else f"{row.share:.1%}"
    figures = (row.tokens_per_second, row.ratio, row.gflops)
    return [row.engine, _weights(row), *map(_figure, figures), share]


def _decode_cells(row: DecodeRow) -> list[str]:
    return [
        row.engine,
        NONE if row.batch_size is None else str(row.batch_size),
        _figure(None if row.weight_bytes is None else row.weight_bytes / 1e6),
        _figure(row.tokens_per_second),
        _figure(row.ratio),
        NONE if row.share is None else f"{row.share:.1%}",
        NONE if row.same_ids is None else str(row.same_ids),
    ]


def _weights(row: LearningRow | SpeedRow) -> str:
    return NONE if row.parameters is None else f"{row.parameters / 1e6:.2f}M"


def _name(row: EncodeRow | TrainRow | LearningRow | SpeedRow | DecodeRow) -> str:
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
