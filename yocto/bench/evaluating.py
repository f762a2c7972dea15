"""Evaluation: yocto's scoring of windows against bare forward passes of the same weights and batch.

All sides are one process, one model and the same tokens, and take turns; on one thread the clock
counts the CPU's seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version as package_version
from statistics import median
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from yocto.bench.decoders import SEED, random_model
from yocto.bench.machine import Machine
from yocto.bench.peers import CROSS_ENTROPY, FORWARD, OURS, version_of
from yocto.bench.timing import clocked, speed_ratio, turns
from yocto.config import BenchEvalConfig, GPTConfig
from yocto.evaluation.scoring import Scorer
from yocto.evaluation.windows import windows
from yocto.model.gpt import GPT
from yocto.utils.progress import Progress

CALLS = {
    OURS: "Scorer(model).stream(windows(tokens, block_size, block_size), batch_size), summed",
    FORWARD: "model(idx), whose logits are dropped",
    CROSS_ENTROPY: "cross_entropy(model(idx), targets), summed",
}


@dataclass(frozen=True)
class EvalRow:
    """One side. ratio: to the bare forward pass in the same rounds, above 1 is quicker. loss: nats
    per token, None where none is computed."""

    engine: str
    version: str | None
    threads: int
    call: str
    tokens_per_second: float
    ratio: float
    loss: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class EvalBench:
    """What was measured, and where. torch: its version. shape: of the model. parameters: a shared
    one counted once. tokens: that are scored in a turn."""

    machine: Machine
    torch: str
    threads: int
    shape: dict[str, Any]
    parameters: int
    batch_size: int
    tokens: int
    rounds: int
    rows: list[EvalRow]


def bench_evaluation(config: BenchEvalConfig, progress: Progress) -> EvalBench:
    """Measure evaluation with a model of this shape, whose weights are drawn at random. Raises
    ConfigError for a shape that can't be."""
    names = ("family", "n_layer", "n_head", "n_embd", "block_size", "vocab_size")
    shape = {name: getattr(config, name) for name in names}
    model = random_model(GPTConfig(**shape))
    before = torch.get_num_threads()
    torch.set_num_threads(config.threads)
    try:
        sides = sides_of(model, config.batch_size, config.batches)
        losses = {name: call() for name, call in sides.items()}  # and each is warm
        seconds = _turns(sides, config, progress)
    finally:
        torch.set_num_threads(before)
    tokens = config.batches * config.batch_size * config.block_size
    return EvalBench(
        machine=Machine.this(),
        torch=package_version("torch"),
        threads=config.threads,
        shape=shape,
        parameters=model.num_parameters(),
        batch_size=config.batch_size,
        tokens=tokens,
        rounds=config.rounds,
        rows=[
            EvalRow(
                engine=name,
                version=version_of(name),
                threads=config.threads,
                call=CALLS[name],
                tokens_per_second=tokens / median(seconds[name]),
                ratio=speed_ratio(seconds[FORWARD], seconds[name]),
                loss=None if name == FORWARD else losses[name] / tokens,
            )
            for name in sides
        ],
    )


def sides_of(model: GPT, batch_size: int, batches: int) -> dict[str, Callable[[], float]]:
    """What each side does in a turn: it gives the sum of the losses, in nats, or nothing of it."""
    T, vocab_size = model.config.block_size, model.config.vocab_size
    rng = np.random.default_rng(SEED)
    tokens = rng.integers(0, vocab_size, batches * batch_size * T + 1).astype(np.uint32)
    ids = torch.from_numpy(tokens.astype(np.int64))
    idx = ids[:-1].view(batches, batch_size, T)
    targets = ids[1:].view(batches, batch_size * T)
    scorer = Scorer(model, batch_tokens=batch_size * T)

    def ours() -> float:
        stream = scorer.stream(windows(tokens, T, T), batch_size)
        return -sum(score.logprob for scores in stream for score in scores)

    @torch.inference_mode()
    def forward() -> float:
        for batch in idx:
            model(batch)
        return 0.0

    @torch.inference_mode()
    def cross_entropy() -> float:
        pairs = zip(idx, targets, strict=True)
        losses = (
            F.cross_entropy(model(x).flatten(0, 1).float(), y, reduction="sum") for x, y in pairs
        )
        return sum(float(loss) for loss in losses)

    return {OURS: ours, FORWARD: forward, CROSS_ENTROPY: cross_entropy}


def _turns(
    sides: dict[str, Callable[[], float]], config: BenchEvalConfig, progress: Progress
) -> dict[str, list[float]]:
    """Seconds of each round."""
    names = list(sides)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    with progress.task("evaluating", len(names) * config.rounds, "round") as task:
        for number in range(config.rounds):
            for name in (names[i] for i in turns(len(names), number)):
                task.status(name)

                def turn(side: Callable[[], float] = sides[name]) -> int:
                    side()
                    return 0

                seconds[name].append(clocked(turn, config.threads)[1])
                task.advance()
    return seconds
