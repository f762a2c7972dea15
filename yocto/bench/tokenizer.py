"""This tokenizer against its peers, on one thread and on all cores, in one run.

Every engine works in a process of its own (worker.py), and the engines take turns (contest.py). On
one thread a process stays on one core, so that threads it may have in hiding don't count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from yocto.bench.encoders import ENCODERS
from yocto.bench.encoding import EncodeRow, measure_encoding
from yocto.bench.job import Job
from yocto.bench.machine import Machine, usable_cores
from yocto.bench.peers import OURS, chosen
from yocto.bench.tokenizer_trainers import TRAINERS
from yocto.bench.tokenizer_training import TrainRow, measure_training
from yocto.config import BenchEncodeConfig, BenchTokenizerConfig
from yocto.dataset.documents import read_documents
from yocto.errors import TokenizerError
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.bpe import BPETokenizer
from yocto.tokenizer.bpe_train import BPETrainer
from yocto.tokenizer.store import load_tokenizer
from yocto.utils.progress import Progress


@dataclass(frozen=True)
class TokenizerBench:
    """What was measured, and where.

    tokenizer: where the one that encodes is from; vocab_size: its size without special tokens.
    trained_vocab_size: what the trainers had to reach.
    """

    machine: Machine
    text_bytes: int
    tokenizer: str
    vocab_size: int
    pattern: str
    trained_vocab_size: int
    rounds: int
    encode: list[EncodeRow]
    train: list[TrainRow]


def bench_tokenizer(config: BenchTokenizerConfig, text: str, progress: Progress) -> TokenizerBench:
    """Measure encoding and training of a text.

    Raises ConfigError for a peer that is unknown, TokenizerError for a tokenizer that is not
    byte-bpe. A peer that is not installed or fails is a row with the reason.
    """
    engines = [OURS, *chosen(config.peers)]
    encoders = [name for name in engines if name in ENCODERS and config.only != "train"]
    trainers = [name for name in engines if name in TRAINERS and config.only != "encode"]
    counts = sorted({1, len(usable_cores())})
    data = text.encode("utf-8")
    with TemporaryDirectory(prefix="yocto-bench-") as name:
        folder = Path(name)
        tokenizer, source = plain_tokenizer(config, text, progress)
        tokenizer.save(folder)
        (folder / "text.txt").write_bytes(data)
        job = _jobs(config, folder, tokenizer.pattern)
        total = (len(encoders) + len(trainers)) * len(counts) * config.rounds
        encode: list[EncodeRow] = []
        train: list[TrainRow] = []
        with progress.task("measuring", total, "round") as task:
            for n in counts if encoders else ():
                encode += measure_encoding(
                    encoders, job("encode", n), n, len(data), config.rounds, task
                )
            for n in counts if trainers else ():
                train += measure_training(trainers, job("train", n), n, config.rounds, task)
    return TokenizerBench(
        machine=Machine.this(),
        text_bytes=len(data),
        tokenizer=source,
        vocab_size=len(tokenizer.vocab),
        pattern=tokenizer.pattern,
        trained_vocab_size=config.vocab_size,
        rounds=config.rounds,
        encode=encode,
        train=train,
    )


def plain_tokenizer(
    config: BenchTokenizerConfig | BenchEncodeConfig, text: str | Path, progress: Progress
) -> tuple[BPETokenizer, str]:
    """The tokenizer that encodes, without special tokens, and where it is from. text: what it is
    trained on if none is named: a text, or a file."""
    made: BaseTokenizer
    if config.tokenizer_path is not None:
        made, source = load_tokenizer(config.tokenizer_path), config.tokenizer_path
    else:
        progress.say(f"training a tokenizer of {config.vocab_size:,} tokens on the text")
        trainer = BPETrainer(vocab_size=config.vocab_size, special_tokens=[])
        texts = [text] if isinstance(text, str) else read_documents([text])
        made, source = trainer.train(texts, progress), "trained on the text"
    if not isinstance(made, BPETokenizer):
        raise TokenizerError(
            f"{source} is a {made.kind} tokenizer, which the peers can't take",
            "Give --tokenizer-path a byte-bpe one, or leave it out.",
        )
    # Engines treat a special token's text in different ways; here all text is plain.
    plain = BPETokenizer(
        made.vocab, made.merges, made.pattern, {}, made.normalize, made.ignore_merges
    )
    return plain, source


def _jobs(
    config: BenchTokenizerConfig, folder: Path, pattern: str
) -> Callable[[Literal["encode", "train"], int], Callable[[str], Job]]:
    """What a worker is asked to do, by task, threads and engine."""

    def of(task: Literal["encode", "train"], threads: int) -> Callable[[str], Job]:
        return lambda engine: Job(
            task=task,
            engine=engine,
            threads=threads,
            core=usable_cores()[-1] if threads == 1 else None,
            text_path=str(folder / "text.txt"),
            tokenizer=str(folder / "tokenizer.json"),
            vocab_size=config.vocab_size,
            pattern=pattern,
        )

    return of
