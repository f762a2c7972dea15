"""Which optimizer moves which weight."""

from __future__ import annotations

import torch

from yocto.config import TrainConfig
from yocto.model.gpt import GPT
from yocto.training.muon import Muon

MUON_FACTOR = 8.0  # Muon's rate where none is given, in AdamW's


def make_optimizers(model: GPT, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """The optimizers of all weights. Each group keeps its peak rate as "peak".

    muon: Muon (training/muon.py) moves the blocks' matrices; fused AdamW (Loshchilov & Hutter 2019)
    the rest, without decay. adamw: AdamW moves all; matrices decay. Norms and biases never decay,
    nor do embeddings, most rows of which see no gradient in a step and would only fade.
    """
    matrices: list[torch.nn.Parameter] = []  # of the blocks
    heads: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        matrix = parameter.dim() == 2 and not name.startswith(("wte.", "wpe."))
        in_block = name.startswith("blocks.")
        (others if not matrix else matrices if in_block else heads).append(parameter)
    optimizers: list[torch.optim.Optimizer] = []
    if config.optimizer == "muon":
        peak = config.muon_lr
        if peak is None:
            peak = MUON_FACTOR * config.learning_rate
        optimizers.append(Muon(matrices, peak, config.momentum, config.weight_decay))
        decayed, kept = [], heads + others
    else:
        decayed, kept = matrices + heads, others
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": kept, "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    betas = (config.beta1, config.beta2)
    optimizers.append(torch.optim.AdamW(groups, config.learning_rate, betas, fused=True))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return optimizers
