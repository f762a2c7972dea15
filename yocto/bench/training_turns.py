"""What a worker that trains does in its turns, and what it answers.

Clocks run in training steps only, their batches included; not in imports, nor while a model is made
or evaluated.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch

from yocto.bench.learners import LEARNERS, Learner, flops_per_token
from yocto.bench.timing import clocked, repeated
from yocto.bench.training_job import SIZE, TrainingJob

EVALUATIONS = 10  # of a run, evenly spread, the end among them
AT_LEAST = 1.0  # seconds of steps in a turn that measures speed


def answers(job: TrainingJob) -> Iterator[dict[str, Any]]:
    """The answers to a job: the first one tells that all is ready, then one for each turn."""
    if job.task == "matmul":
        return multiply(job)
    learner = LEARNERS[job.engine](job)
    return learn(job, learner) if job.task == "learn" else train_on(job, learner)


def learn(job: TrainingJob, learner: Learner) -> Iterator[dict[str, Any]]:
    """A whole run, a share of its steps each turn, with the loss where an evaluation is due."""
    yield {"parameters": learner.parameters}
    last = job.config.max_iters
    stops = [-(-last * turn // job.turns) for turn in range(1, job.turns + 1)]
    evaluated = {-(-last * part // EVALUATIONS) for part in range(1, EVALUATIONS + 1)}
    for stop in stops:
        if not sys.stdin.readline():
            return
        steps = stop - learner.done
        _, seconds, cpu_seconds = clocked(partial(steps_of, learner, steps), job.threads)
        yield {
            "step": learner.done,
            "tokens": steps * learner.tokens,
            "seconds": seconds,
            "cpu_seconds": cpu_seconds,
            "loss": learner.loss() if steps and stop in evaluated else None,
        }


def train_on(job: TrainingJob, learner: Learner) -> Iterator[dict[str, Any]]:
    """Turns of at least a second of steps; the first two steps, which allocate, don't count."""
    learner.step()
    learner.step()
    yield {"parameters": learner.parameters, "flops_per_token": flops_per_token(learner)}
    while sys.stdin.readline():
        steps, seconds, _ = clocked(partial(repeated, learner.step, AT_LEAST), job.threads)
        yield {"tokens_per_second": steps * learner.tokens / seconds}


def multiply(job: TrainingJob) -> Iterator[dict[str, Any]]:
    """Turns of products of two square matrices in float32: floating-point operations a second."""
    torch.set_num_threads(job.threads)
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(SIZE, SIZE, generator=generator)
    b = torch.randn(SIZE, SIZE, generator=generator)
    out = torch.mm(a, b)
    yield {}
    while sys.stdin.readline():
        count, seconds, _ = clocked(
            partial(repeated, partial(torch.mm, a, b, out=out), AT_LEAST), job.threads
        )
        yield {"flops_per_second": count * 2 * SIZE**3 / seconds}


def steps_of(learner: Learner, count: int) -> int:
    """Train so many steps; returns how many."""
    for _ in range(count):
        learner.step()
    return count
