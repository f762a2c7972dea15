"""All that is measured in one table: yocto, and the quickest of the others at each task."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as package_version
from typing import NamedTuple

from yocto import __version__
from yocto.bench.decoding import DecodeBench, DecodeRow
from yocto.bench.encoding import EncodeRow
from yocto.bench.evaluating import EvalBench, EvalRow
from yocto.bench.files import FileBench
from yocto.bench.machine import Machine
from yocto.bench.peers import (
    BATCH,
    DECODING_PEERS,
    FORWARD,
    IN_MEMORY,
    MATMUL,
    NO_CACHE,
    OURS,
    PEERS,
    TRANSFORMERS,
    TRANSFORMERS_BATCH,
    chosen,
)
from yocto.bench.tokenizer import TokenizerBench
from yocto.bench.tokenizer_training import TrainRow
from yocto.bench.training import TrainBench
from yocto.bench.training_speed import SpeedRow

ALL_PEERS = (*PEERS, *DECODING_PEERS)

Part = TokenizerBench | FileBench | TrainBench | DecodeBench | EvalBench


@dataclass(frozen=True)
class OverviewRow:
    """One task. ours, theirs: in `unit`, the peer being the quickest of those that are installed;
    ratio: how many times as quick as it yocto is, in the same rounds. peer: its name and version;
    None where there is no other."""

    what: str
    unit: str
    ours: float
    peer: str | None = None
    theirs: float | None = None
    ratio: float | None = None


@dataclass(frozen=True)
class Overview:
    """What was measured, where, when and with what. versions: of packages. text_bytes: of the text
    that is learnt from and encoded. parts: by the name of
    its command, each part's own result, whole. out_path: the Markdown file that has the table."""

    machine: Machine
    versions: dict[str, str]
    date: str
    text_bytes: int
    rows: list[OverviewRow]
    parts: dict[str, Part]
    out_path: str | None = None
    reasons: list[str] = field(default_factory=list)  # why a peer has no figures


class _Side(NamedTuple):
    """One engine at one task. ratio: to yocto, above 1 is quicker; None without figures."""

    name: str
    figure: float | None
    ratio: float | None
    reason: str | None


class _Task(NamedTuple):
    """A task, and all who did it, yocto the first."""

    what: str
    unit: str
    sides: list[_Side]


def overview(parts: dict[str, Part]) -> Overview:
    """One table of what the parts measured."""
    tasks = [task for part in parts.values() for task in _tasks(part)]
    told = [f"{s.name}: {s.reason}" for task in tasks for s in task.sides if s.reason]
    sizes = [p.text_bytes for p in parts.values() if isinstance(p, TokenizerBench | FileBench)]
    return Overview(
        machine=Machine.this(),
        versions=versions(),
        date=time.strftime("%Y-%m-%d"),
        text_bytes=max(sizes, default=0),
        rows=[_row(task) for task in tasks],
        parts=parts,
        reasons=list(dict.fromkeys(told)),
    )


def _row(task: _Task) -> OverviewRow:
    ours, *others = task.sides
    assert ours.figure is not None, "a part that can't measure yocto itself raises an error"
    ranked = [(s.ratio, s) for s in others if s.figure is not None and s.ratio]
    if not ranked:
        return OverviewRow(task.what, task.unit, ours.figure)
    ratio, best = max(ranked, key=lambda pair: pair[0])
    return OverviewRow(task.what, task.unit, ours.figure, best.name, best.figure, 1 / ratio)


def _tasks(part: Part) -> Iterator[_Task]:
    """What a part measured, task by task."""
    if isinstance(part, TokenizerBench):
        for threads in dict.fromkeys(row.threads for row in part.train):
            what = f"learn {part.trained_vocab_size:,} tokens, {_threads(threads)}"
            rows = [row for row in part.train if row.threads == threads]
            yield _Task(what, "s", [_side(row, row.seconds, row.ratio) for row in rows])
        yield from _encoding("encode", part.encode)
    elif isinstance(part, FileBench):
        yield from _encoding("text file to .bin", part.rows)
    elif isinstance(part, TrainBench):
        rows_of_speed = [row for row in part.speed if row.engine != MATMUL]
        sides = [_side(row, row.tokens_per_second, row.ratio) for row in rows_of_speed]
        weights = f"{(part.speed[0].parameters or 0) / 1e6:.1f}M"
        yield _Task(f"train a GPT-2 of {weights}, {_threads(part.threads)}", "tokens/s", sides)
    elif isinstance(part, EvalBench):
        yield _evaluation(part)
    else:
        yield from _decoding(part)


def _encoding(what: str, rows: Sequence[EncodeRow]) -> Iterator[_Task]:
    for threads in dict.fromkeys(row.threads for row in rows):
        of_these = [r for r in rows if r.threads == threads and r.engine != IN_MEMORY]
        sides = [_side(row, row.warm_mb_per_s, row.warm_ratio) for row in of_these]
        yield _Task(f"{what}, {_threads(threads)}", "MB/s", sides)


def _decoding(part: DecodeBench) -> Iterator[_Task]:
    """One text at a time, and several, where ratios are to yocto's several."""
    rows = {row.engine: row for row in part.rows}
    weights = f"{part.parameters / 1e6:.1f}M"
    one = [row for name, row in rows.items() if name in (OURS, NO_CACHE, TRANSFORMERS)]
    sides = [_side(row, row.tokens_per_second, row.ratio) for row in one]
    yield _Task(f"write 1 text, {weights}, {_threads(part.threads)}", "tokens/s", sides)
    ours = rows[BATCH]
    sides = [_side(ours, ours.tokens_per_second, 1.0)]
    if theirs := rows.get(TRANSFORMERS_BATCH):
        ratio = part.ratios.get("batch / transformers' batch")
        sides.append(_side(theirs, theirs.tokens_per_second, 1 / ratio if ratio else None))
    what = f"write {ours.batch_size} texts, {weights}, {_threads(part.threads)}"
    yield _Task(what, "tokens/s", sides)


def _evaluation(part: EvalBench) -> _Task:
    """Against the bare forward pass, which is as much as can be reached."""
    rows = {row.engine: row for row in part.rows}
    ours, bare = rows[OURS], rows[FORWARD]
    sides = [_side(ours, ours.tokens_per_second, 1.0)]
    sides.append(_side(bare, bare.tokens_per_second, 1 / ours.ratio))
    what = f"evaluate, {part.parameters / 1e6:.1f}M, {_threads(part.threads)}"
    return _Task(what, "tokens/s", sides)


def _side(
    row: EncodeRow | TrainRow | SpeedRow | DecodeRow | EvalRow,
    figure: float | None,
    ratio: float | None,
) -> _Side:
    engine = row.engine.removesuffix(", batch")
    name = (
        f"{engine} {row.version}" if row.version and engine not in (NO_CACHE, FORWARD) else engine
    )
    return _Side(name, figure, ratio, row.reason)


def _threads(number: int) -> str:
    return f"{number} thread" + ("s" if number != 1 else "")


def versions() -> dict[str, str]:
    """Of yocto, and of what its speed hangs on."""
    found = {"yocto": __version__}
    for name in ("torch", "numba", "numpy"):
        try:
            found[name] = package_version(name)
        except PackageNotFoundError:  # a build without its metadata
            continue
    return found


def check_peers(wanted: Sequence[str] | None) -> None:
    """Raise ConfigError for a peer that no part knows."""
    chosen(wanted, ALL_PEERS)


def peers_for(wanted: Sequence[str] | None, among: Sequence[str]) -> tuple[str, ...] | None:
    """Those of the peers that the user wants which a part knows; None for all."""
    return None if wanted is None else tuple(name for name in among if name in wanted)


# --------------------------------------------------------------------------------- as Markdown


def markdown(found: Overview) -> str:
    """The table, with what it was measured on above it."""
    lines = [
        f"{where(found)}.",
        "",
        "| | yocto | the quickest other | yocto is |",
        "|---|---|---|---|",
    ]
    for row in found.rows:
        theirs = "" if row.theirs is None else f"{figure(row.theirs)} {row.unit} ({row.peer})"
        ratio = "" if row.ratio is None else f"{figure(row.ratio)} times as quick"
        lines.append(f"| {row.what} | {figure(row.ours)} {row.unit} | {theirs} | {ratio} |")
    return "\n".join(lines) + "\n"


def where(found: Overview) -> str:
    """Hardware, versions, text and date, in one line."""
    machine = found.machine
    cores = f"{machine.cores} core" + ("s" if machine.cores != 1 else "")
    packages = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    return (
        f"{machine.cpu}, {cores}, {machine.system}, Python {machine.python}, {packages}, "
        f"{found.text_bytes / 1e6:.1f} MB of text, {found.date}"
    )


def figure(value: float) -> str:
    """A figure with three digits that count.

    >>> figure(1234.5), figure(12.34), figure(0.1234)
    ('1,234', '12.3', '0.12')
    """
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 0.1 else 3
    return f"{value:,.{digits}f}"
