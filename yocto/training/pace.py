"""How long a run will take: measured on its first steps."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from yocto.utils.device import synchronize

# Timed: so many at least, and for so long, but no more than that.
STEPS, SECONDS, MOST = 4, 1.5, 100


@dataclass(frozen=True)
class Pace:
    """What was measured of a run, in seconds: a step, and a batch of an evaluation."""

    step: float
    batch: float
    eval_interval: int
    eval_batches: int  # of one evaluation
    whole_batches: int  # of the last one, which takes the whole split besides

    def seconds(self, steps: int) -> float:
        """What so many steps take, evaluations counted in."""
        evaluations = -(-steps // self.eval_interval)
        batches = evaluations * self.eval_batches + self.whole_batches
        return steps * self.step + batches * self.batch

    def steps(self, seconds: float) -> int:
        """How many steps fit into a time, one at least."""
        rest = seconds - (self.eval_batches + self.whole_batches) * self.batch
        each = self.step + self.eval_batches * self.batch / self.eval_interval
        return max(1, int(rest / each))


class Stopwatch:
    """Times the first steps of a run."""

    def __init__(self) -> None:
        self.laps: list[float] = []

    def lap(self, began: float, device: torch.device) -> float | None:
        """A step that began then (time.perf_counter) is over. Returns the seconds of a step once
        enough are timed."""
        synchronize(device)
        self.laps.append(time.perf_counter() - began)
        timed = sorted(self.laps[1:])  # the first one allocates memory, and does not count
        if len(timed) < STEPS or (sum(timed) < SECONDS and len(timed) < MOST):
            return None
        # Other programs come and go: the median is what a step takes now and then.
        return timed[len(timed) // 2]
