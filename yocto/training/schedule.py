"""The learning rate over time."""

from __future__ import annotations

import math

from yocto.config import TrainConfig


def learning_rate_at(step: int, config: TrainConfig) -> float:
    """Linear warm-up, then half a cosine down to min_lr (Loshchilov & Hutter 2017).

    step: 0 for the first update.
    """
    if step < config.warmup_iters:
        return config.learning_rate * (step + 1) / (config.warmup_iters + 1)
    rest = max(1, config.max_iters - config.warmup_iters)
    progress = min(1.0, (step - config.warmup_iters) / rest)
    low = min(config.min_lr, config.learning_rate)
    return low + 0.5 * (1 + math.cos(math.pi * progress)) * (config.learning_rate - low)
