"""AdamW, with weight decay where it belongs."""

from __future__ import annotations

import torch

from yocto.config import TrainConfig
from yocto.model.gpt import GPT


def make_optimizer(model: GPT, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter 2019) over all weights, in one fused kernel.

    Matrices decay; norms and biases do not, nor do embeddings, most rows of which see no gradient
    in a step and would only fade.
    """
    decayed: list[torch.nn.Parameter] = []
    kept: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        matrix = parameter.dim() >= 2 and not name.startswith(("wte.", "wpe."))
        (decayed if matrix else kept).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": kept, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups, lr=config.learning_rate, betas=(config.beta1, config.beta2), fused=True
    )
