"""Tokens per second of training steps: yocto's GPT-2 and transformers', and a matrix product as the
measure of what the processor can do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from yocto.bench.contest import Contest
from yocto.bench.peers import MATMUL, OURS
from yocto.bench.training_job import TrainingJob
from yocto.errors import RunError
from yocto.utils.progress import Task


@dataclass(frozen=True)
class SpeedRow:
    """One engine. ratio: to yocto in the same rounds, above 1 is quicker. gflops: (6 N + 12 n_layer
    n_embd T) times the tokens per second, 10^9 operations a second; of the row matmul, what the
    product itself comes to. share: of the product's rate in the same rounds. reason: why there are
    no figures."""

    engine: str
    version: str | None
    threads: int
    call: str
    parameters: int | None = None
    tokens_per_second: float | None = None
    ratio: float | None = None
    gflops: float | None = None
    share: float | None = None
    reason: str | None = None


def measure_speed(
    engines: Sequence[str],
    job: Callable[[str], TrainingJob],
    rounds: int,
    task: Task,
) -> list[SpeedRow]:
    """A row for each engine, the matrix product among them. job: what an engine is asked to
    do. Raises RunError where it is yocto itself that fails, or the
    matrix product."""
    contest = Contest(engines, rounds, task, RunError)
    ready = contest.play_with_workers(job)
    if MATMUL in contest.out:
        raise RunError(f"the matrix product could not be measured: {contest.out[MATMUL]}")
    peak = contest.figures(MATMUL, "flops_per_second")
    ours = contest.figures(OURS, "tokens_per_second")

    def row(name: str) -> SpeedRow:
        told = (name, contest.versions[name], job(name).threads, job(name).call)
        if name in contest.out:
            return SpeedRow(*told, reason=contest.out[name])
        if name == MATMUL:
            return SpeedRow(*told, gflops=median(peak) / 1e9, share=1.0)
        speeds, flops = contest.figures(name, "tokens_per_second"), ready[name]["flops_per_token"]
        return SpeedRow(
            *told,
            parameters=int(ready[name]["parameters"]),
            tokens_per_second=median(speeds),
            ratio=median(a / b for a, b in zip(speeds, ours, strict=True)),
            gflops=flops * median(speeds) / 1e9,
            share=median(flops * a / b for a, b in zip(speeds, peak, strict=True)),
        )

    return [row(name) for name in engines]
