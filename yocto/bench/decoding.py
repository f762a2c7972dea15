"""Generation: yocto's ways, transformers' and a loop without a cache, with the same weights in one
run.

Every side is a process of its own (worker.py) and keeps its model; they take turns (contest.py). On
one thread all of them stay on one core, the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version as package_version
from statistics import median
from typing import Any

from yocto.bench.contest import Contest
from yocto.bench.decoding_job import DecodingJob
from yocto.bench.machine import Machine, usable_cores
from yocto.bench.peers import (
    BATCH,
    DECODING_PEERS,
    INT8,
    MEMORY,
    NO_CACHE,
    OURS,
    TRANSFORMERS,
    TRANSFORMERS_BATCH,
    chosen,
)  # fmt: skip
from yocto.bench.timing import speed_ratio
from yocto.config import BenchDecodeConfig, GPTConfig
from yocto.errors import ConfigError, RunError
from yocto.sampling.engine import common_prefix
from yocto.utils.progress import Progress

IN_BATCHES = (BATCH, TRANSFORMERS_BATCH)
CALLS = {
    OURS: "Generation(Engine(model), requests), float32",
    INT8: "Generation(Engine(model), requests), after for_generation(model, int8=True)",
    NO_CACHE: "Engine(model, use_cache=False).read of the whole text for every token, timed at 8 "
    "contexts evenly spread over the text; torch's own kernels",
    TRANSFORMERS: "generate(do_sample=False, use_cache=True), float32, attention sdpa",
    MEMORY: "one float32 matrix with the bytes of the weights, times a vector (yocto's kernel, "
    "torch.mv) or summed (torch.sum), whichever is quickest",
}
CALLS[BATCH], CALLS[TRANSFORMERS_BATCH] = CALLS[OURS], CALLS[TRANSFORMERS]


@dataclass(frozen=True)
class DecodeRow:
    """One side. batch_size: texts at a time. tokens_per_second: of all of them, the reading of
    their prompts included; of the row memory, how often it brings the weights. ratio: to yocto's
    one text in the same rounds, above 1 is quicker. weight_bytes: that a step takes; of the row
    memory, float32. share: weight_bytes times steps per second, of the memory's bytes per second in
    the same rounds. same_ids: how many tokens all its texts have in common with yocto's from the
    first on. gb_per_second: of the row memory, 10^9 bytes, by how they are read, the quickest way
    first. reason: why there are no figures."""

    engine: str
    version: str | None
    threads: int
    call: str
    batch_size: int | None = None
    tokens_per_second: float | None = None
    ratio: float | None = None
    weight_bytes: int | None = None
    share: float | None = None
    same_ids: int | None = None
    gb_per_second: dict[str, float] | None = None
    reason: str | None = None


@dataclass(frozen=True)
class DecodeBench:
    """What was measured, and where.

    torch: its version. shape: of the model. parameters: a shared one counted once. rows: ours
    first. ratios: in the same rounds, medians, by what they compare; None where a side has no
    figures.
    """

    machine: Machine
    torch: str
    threads: int
    shape: dict[str, Any]
    parameters: int
    prompt_tokens: int
    new_tokens: int
    rounds: int
    rows: list[DecodeRow]
    ratios: dict[str, float | None]


def bench_decoding(config: BenchDecodeConfig, progress: Progress) -> DecodeBench:
    """Measure generation with a model of this shape, whose weights are drawn at random.

    Raises ConfigError for a peer that is unknown or sizes that can't be, RunError where yocto
    itself fails. A peer that is not installed or fails is a row with the reason.
    """
    peers, shape = chosen(config.peers, DECODING_PEERS), shape_of(config)
    sides = [OURS, INT8, BATCH, *peers]
    sides += [TRANSFORMERS_BATCH] if TRANSFORMERS in peers else []
    sides += [MEMORY]

    def job(side: str) -> DecodingJob:
        return DecodingJob(
            task="memory" if side == MEMORY else "decode",
            engine=side,
            threads=config.threads,
            core=usable_cores()[-1] if config.threads == 1 else None,
            settings=shape.to_dict(),
            prompt_tokens=config.prompt_tokens,
            new_tokens=config.new_tokens,
            batch_size=config.batch_size if side in IN_BATCHES else 1,
        )

    with progress.task("decoding", len(sides) * config.rounds, "round") as task:
        contest = Contest(sides, config.rounds, task, RunError)
        ready = contest.play_with_workers(job)
    told = Told(contest, ready, config)
    names = ("family", "n_layer", "n_head", "n_embd", "block_size", "vocab_size")
    return DecodeBench(
        machine=Machine.this(),
        torch=package_version("torch"),
        threads=config.threads,
        shape={name: getattr(shape, name) for name in names},
        parameters=int(ready[OURS]["parameters"]),
        prompt_tokens=config.prompt_tokens,
        new_tokens=config.new_tokens,
        rounds=config.rounds,
        rows=[told.row(side, job(side)) for side in sides],
        ratios=told.ratios(),
    )


def shape_of(config: BenchDecodeConfig) -> GPTConfig:
    """The shape of the model. Raises ConfigError for one that can't be, or whose context is too
    short for the texts."""
    if config.prompt_tokens + config.new_tokens > config.block_size:
        raise ConfigError(
            f"{config.prompt_tokens} prompt_tokens and {config.new_tokens} new_tokens are more "
            f"than block_size {config.block_size}",
            "What happens beyond the context is not measured: ask for fewer tokens, or for a "
            "larger block_size.",
        )
    return GPTConfig(
        family=config.family,
        n_layer=config.n_layer,
        n_head=config.n_head,
        n_embd=config.n_embd,
        block_size=config.block_size,
        vocab_size=config.vocab_size,
    )


class Told:
    """What the workers said, as rows and ratios. Raises RunError where one of our own sides has no
    figures."""

    def __init__(
        self, contest: Contest, ready: dict[str, dict[str, Any]], config: BenchDecodeConfig
    ) -> None:
        self.contest, self.ready, self.config = contest, ready, config
        for side, reason in contest.out.items():
            if side not in (TRANSFORMERS, TRANSFORMERS_BATCH):
                raise RunError(f"the side {side!r} could not be measured: {reason}")
        self.bytes_per_second = contest.figures(MEMORY, "bytes_per_second")
        self.weight_bytes = int(ready[OURS]["weight_bytes"])

    def speeds(self, side: str) -> list[float] | None:
        """Tokens per second of each round; None where there are no figures."""
        if side in self.contest.out or side not in self.contest.answers:
            return None
        return self.contest.figures(side, "tokens_per_second")

    def row(self, side: str, job: DecodingJob) -> DecodeRow:
        """A side's figures."""
        told = (side, self.contest.versions[side], job.threads, CALLS[side])
        if side == MEMORY:
            return self._memory_row(*told)
        speeds = self.speeds(side)
        if speeds is None:
            return DecodeRow(*told, job.batch_size, reason=self.contest.out[side])
        return DecodeRow(
            *told,
            batch_size=job.batch_size,
            tokens_per_second=median(speeds),
            ratio=self.ratio(side, OURS),
            weight_bytes=int(self.ready[side]["weight_bytes"]),
            share=self.share(side, job.batch_size),
            same_ids=self.same_ids(side),
        )

    def _memory_row(self, side: str, version: str | None, threads: int, call: str) -> DecodeRow:
        bounds = [speed / self.weight_bytes for speed in self.bytes_per_second]
        ours = self.contest.figures(OURS, "tokens_per_second")
        ways = [answer["ways"] for answer in self.contest.answers[side]]
        speeds = {name: median(way[name] for way in ways) / 1e9 for name in ways[0]}
        return DecodeRow(
            side, version, threads, call,
            tokens_per_second=median(bounds),
            ratio=speed_ratio(bounds, ours),
            weight_bytes=self.weight_bytes,
            share=1.0,
            gb_per_second=dict(sorted(speeds.items(), key=lambda item: -item[1])),
        )  # fmt: skip

    def ratio(self, one: str, other: str) -> float | None:
        """How many times as quick as the other side one is."""
        mine, theirs = self.speeds(one), self.speeds(other)
        return None if mine is None or theirs is None else speed_ratio(mine, theirs)

    def share(self, side: str, batch_size: int) -> float | None:
        """Of the memory's bytes per second, what the side's steps ask for."""
        speeds, size = self.speeds(side), int(self.ready[side]["weight_bytes"])
        if speeds is None:
            return None
        used = [speed / batch_size * size for speed in speeds]
        return speed_ratio(used, self.bytes_per_second)

    def same_ids(self, side: str) -> int:
        """How many tokens each of its texts has in common with yocto's, at least."""
        ours = self.ready[OURS]["texts"] + self.ready[BATCH]["texts"][1:]
        pairs = zip(self.ready[side]["texts"], ours, strict=False)
        return min(common_prefix(theirs, text) for theirs, text in pairs)

    def ratios(self) -> dict[str, float | None]:
        """What is to be reached, and what else is compared in one figure."""
        return {
            "yocto / no-cache": self.ratio(OURS, NO_CACHE),
            "yocto / transformers": self.ratio(OURS, TRANSFORMERS),
            "yocto of the memory's bound": self.share(OURS, 1),
            "int8 / yocto": self.ratio(INT8, OURS),
            "batch / yocto": self.ratio(BATCH, OURS),
            "batch / transformers' batch": self.ratio(BATCH, TRANSFORMERS_BATCH),
        }
