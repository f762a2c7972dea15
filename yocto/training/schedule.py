"""The learning rate over time."""

from __future__ import annotations

import math

from yocto.config import LoopConfig

COOLDOWN = {"linear": 0.7, "wsd": 0.2}  # share of the steps


def schedule_at(step: int, config: LoopConfig, max_iters: float | None = None) -> float:
    """The learning rates of a step as a share of their peaks. step: 0 for the first update.

    After a linear warm-up:
    linear    the peak, then straight down over the last 70% (--cooldown). As good as the cosine, or
              better (Bergsma et al. 2025, "Straight to Zero"; the speedruns of modded-nanogpt)
    wsd       the same with a short fall, over the last 20%, along one minus a root (Hu et al. 2024,
              "MiniCPM"; Hägele et al. 2024): a run can be made longer from any step before it
    cosine    half a cosine (Loshchilov & Hutter 2017)
    constant  the peak
    The end is min_lr. max_iters: where it is not config.max_iters; math.inf is not known yet.
    """
    end = config.max_iters if max_iters is None else max_iters
    low = 0.0  # the end as a share of the peak
    if config.min_lr > 0:
        low = config.min_lr / max(config.min_lr, config.learning_rate)
    if step < config.warmup_iters:
        return (step + 1) / (config.warmup_iters + 1)
    if math.isinf(end):
        return 1.0
    left = max(0, end - step)
    rest = max(1, end - config.warmup_iters)
    if config.schedule == "constant":
        share = 1.0
    elif config.schedule == "cosine":
        share = 0.5 * (1 - math.cos(math.pi * min(1.0, left / rest)))
    else:
        cooldown = config.cooldown
        if cooldown is None:
            cooldown = COOLDOWN[config.schedule]
        fall = min(rest, cooldown * end)
        progress = max(0.0, 1 - left / fall) if fall else float(left == 0)
        share = 1 - (progress if config.schedule == "linear" else math.sqrt(progress))
    return low + share * (1 - low)
