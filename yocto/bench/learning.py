"""How quickly recipes learn: whole runs beside each other, seed by seed.

Every side's run is cut into as many turns, each of the same share of its steps, so that all runs of
a seed begin and end together: a slow minute of the machine meets each of them at the same part of
its run. A schedule cools down towards the end of its run, so a short run is a run of its own and
not the beginning of a long one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from statistics import median
from typing import Any

from yocto.bench.contest import Answer, Contest
from yocto.bench.peers import NANOGPT, OURS, version_of
from yocto.bench.training_job import TrainingJob
from yocto.errors import RunError
from yocto.utils.progress import Task

TURNS = 40  # of each run


@dataclass(frozen=True)
class Look:
    """An evaluation: the loss over the whole validation split, nats per character, after so many
    steps and CPU seconds of training."""

    step: int
    cpu_seconds: float
    loss: float


@dataclass(frozen=True)
class LearningRun:
    """A side's run with one seed. cpu_seconds: of all its steps; seconds: the same on one thread,
    on several those that passed (training_turns.py). target: the loss in question;
    cpu_seconds_to_target: until the first evaluation that is not above it, None where there is
    none.
    """

    seed: int
    cpu_seconds: float
    seconds: float
    tokens: int
    loss: float
    target: float | None
    cpu_seconds_to_target: float | None
    looks: list[Look]


@dataclass(frozen=True)
class LearningRow:
    """A side over all seeds: medians. call: what is run. ratio: how many times as quick as yocto it
    is at the loss in question, in CPU seconds with the same seed. reason: why there are no
    figures."""

    engine: str
    version: str | None
    threads: int
    call: str
    iterations: int
    batch_size: int
    parameters: int | None = None
    cpu_seconds: float | None = None
    loss: float | None = None
    cpu_seconds_to_target: float | None = None
    ratio: float | None = None
    tokens_per_second: float | None = None
    runs: list[LearningRun] | None = None
    reason: str | None = None


def measure_learning(
    sides: Sequence[str],
    job: Callable[[int, str], TrainingJob],
    seeds: Sequence[int],
    target_loss: float | None,
    task: Task,
) -> list[LearningRow]:
    """A row for each side, ours first. job: what is asked with a seed of a side. target_loss: None
    for what nanogpt-recipe ends at with the same seed. Raises RunError where it is yocto itself
    that fails."""
    out: dict[str, str] = {}
    parameters: dict[str, int] = {}
    runs: dict[str, list[LearningRun]] = {side: [] for side in sides}
    for seed in seeds:
        task.advance(TURNS * len(out))
        contest = Contest([side for side in sides if side not in out], TURNS, task, RunError)
        ready = contest.play_with_workers(partial(job, seed))
        parameters |= {side: int(answer["parameters"]) for side, answer in ready.items()}
        out |= contest.out
        for side, found in runs_of(seed, contest.answers, target_loss).items():
            runs[side].append(found)

    def row(side: str) -> LearningRow:
        asked = job(seeds[0], side)
        config = asked.config
        bare = LearningRow(
            side, version_of(side), asked.threads, asked.call, config.max_iters, config.batch_size
        )
        if side in out:
            return replace(bare, reason=out[side])
        return replace(bare, parameters=parameters[side], **figures(runs[side], runs[OURS]))

    return [row(side) for side in sides]


def runs_of(
    seed: int, answers: Mapping[str, Sequence[Answer]], target_loss: float | None
) -> dict[str, LearningRun]:
    """What the sides' answers to all turns with one seed come to."""
    looks: dict[str, list[Look]] = {}
    for side, turns in answers.items():
        spent = accumulate(float(turn["cpu_seconds"]) for turn in turns)
        looks[side] = [
            Look(turn["step"], seconds, turn["loss"])
            for turn, seconds in zip(turns, spent, strict=True)
            if turn["loss"] is not None
        ]
    target = target_loss
    if target is None and NANOGPT in looks:
        target = looks[NANOGPT][-1].loss
    return {
        side: LearningRun(
            seed=seed,
            cpu_seconds=sum(turn["cpu_seconds"] for turn in turns),
            seconds=sum(turn["seconds"] for turn in turns),
            tokens=sum(turn["tokens"] for turn in turns),
            loss=looks[side][-1].loss,
            target=target,
            cpu_seconds_to_target=_reached(looks[side], target),
            looks=looks[side],
        )
        for side, turns in answers.items()
    }


def _reached(looks: Sequence[Look], target: float | None) -> float | None:
    if target is None:
        return None
    return next((look.cpu_seconds for look in looks if look.loss <= target), None)


def figures(runs: list[LearningRun], ours: Sequence[LearningRun]) -> dict[str, Any]:
    """The medians of a side's runs; `ours` has the same seeds. A run that does not come to the
    target counts as one that takes for ever."""
    to_target = [_or_never(run) for run in runs]
    pairs = zip(map(_or_never, ours), to_target, strict=True)
    # Where neither comes to it, neither is quicker.
    ratios = [a / b for a, b in pairs if math.isfinite(a) or math.isfinite(b)]
    return {
        "runs": runs,
        "cpu_seconds": median(run.cpu_seconds for run in runs),
        "loss": median(run.loss for run in runs),
        "cpu_seconds_to_target": _finite(median(to_target)),
        "ratio": _finite(median(ratios)) if ratios else None,
        "tokens_per_second": median(run.tokens / run.seconds for run in runs),
    }


def _or_never(run: LearningRun) -> float:
    return math.inf if run.cpu_seconds_to_target is None else run.cpu_seconds_to_target


def _finite(value: float) -> float | None:
    return value if 0 < value < math.inf else None
