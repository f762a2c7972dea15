"""From a text file to a .bin file, against others with as many threads, in one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from yocto.bench.encoding import EncodeRow, measure_encoding
from yocto.bench.file_encoders import FILE_ENCODERS
from yocto.bench.job import Job
from yocto.bench.machine import Machine, usable_cores
from yocto.bench.peers import IN_MEMORY, OURS, PEERS, chosen
from yocto.bench.tokenizer import plain_tokenizer
from yocto.config import BenchEncodeConfig
from yocto.utils.progress import Progress


@dataclass(frozen=True)
class FileBench:
    """What was measured, and where.

    text_bytes: of the file. tokenizer: where it is from; vocab_size: without special tokens. rows:
    ours first; then the same text in memory, which shows what reading and writing cost.
    """

    machine: Machine
    text_bytes: int
    tokenizer: str
    vocab_size: int
    pattern: str
    rounds: int
    rows: list[EncodeRow]


def bench_files(config: BenchEncodeConfig, text_path: Path, progress: Progress) -> FileBench:
    """Measure a file of plain text in UTF-8. Errors are those of bench_tokenizer."""
    peers = [name for name in PEERS if name in FILE_ENCODERS]
    engines = [OURS, IN_MEMORY, *chosen(config.peers, peers)]
    counts = sorted({1, len(usable_cores())})
    size = text_path.stat().st_size
    rows: list[EncodeRow] = []
    with TemporaryDirectory(prefix="yocto-bench-", dir=config.work_dir) as name:
        folder = Path(name)
        tokenizer, source = plain_tokenizer(config, text_path, progress)
        tokenizer.save(folder)

        def job(threads: int) -> Callable[[str], Job]:
            file = str(folder / "tokenizer.json")
            return lambda engine: Job("file", engine, threads, None, str(text_path), file)

        with progress.task("measuring", len(engines) * len(counts) * config.rounds, "round") as bar:
            for n in counts:
                rows += measure_encoding(
                    engines, job(n), n, size, config.rounds, bar, FILE_ENCODERS
                )
    return FileBench(
        machine=Machine.this(),
        text_bytes=size,
        tokenizer=source,
        vocab_size=len(tokenizer.vocab),
        pattern=tokenizer.pattern,
        rounds=config.rounds,
        rows=rows,
    )
