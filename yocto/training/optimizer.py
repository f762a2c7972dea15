"""Which optimizer moves which weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from yocto.config import LoopConfig
from yocto.model.gpt import GPT
from yocto.training.muon import Muon
from yocto.training.shares import Share

# Rates in AdamW's: Muon's where none is given, and that of token vectors, few of which see a
# gradient in a step. Both were measured on small models; Muon's transfers between widths.
MUON_FACTOR, EMBEDDING_FACTOR = 4.0, 10.0


def make_optimizers(
    model: GPT, config: LoopConfig, share: Share | None = None
) -> list[torch.optim.Optimizer]:
    """The optimizers of all weights. Each group keeps its peak rate as "peak". share: which process
    makes which of Muon's updates.

    muon: Muon (training/muon.py) moves the blocks' matrices; fused AdamW (Loshchilov & Hutter 2019)
    the rest, without decay, and token vectors that are not the head's as well at a higher rate (as
    in modded-nanogpt). adamw: AdamW moves all at one rate; matrices decay. Norms and biases never
    decay, nor do embeddings, most rows of which see no gradient in a step and would only fade.
    """
    matrices, head, vectors, others = _sorted(model)
    rate, decay = config.learning_rate, config.weight_decay
    optimizers: list[torch.optim.Optimizer] = []
    if config.optimizer == "muon":  # never with the factors of LoRA, as its configuration sees to
        peak = MUON_FACTOR * rate if config.muon_lr is None else config.muon_lr
        optimizers.append(Muon(matrices, peak, config.momentum, decay, share))
        factor = 1.0 if model.config.tie_weights else EMBEDDING_FACTOR
        groups = [_group(head + others, rate), _group(vectors, factor * rate)]
    else:
        groups = [_group(matrices + head, rate, decay), _group(vectors + others, rate)]
    groups = [group for group in groups if group["params"]]
    betas = (config.beta1, config.beta2)
    optimizers.append(torch.optim.AdamW(groups, rate, betas, fused=True))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return optimizers


Weights = list[torch.nn.Parameter]


def _sorted(model: GPT) -> tuple[Weights, Weights, Weights, Weights]:
    """The blocks' matrices, the head where it is not the token vectors too, these, and the rest:
    norms, biases and position vectors."""
    matrices: Weights = []
    head: Weights = []
    vectors: Weights = []
    others: Weights = []
    for name, p in model.named_parameters():
        if not p.requires_grad:  # the weights that LoRA leaves as they are
            continue
        if name in ("wte.weight", "wte.table.rows", "lm_head.table.rows"):
            vectors.append(p)
        elif name == "lm_head.weight":
            head.append(p)
        elif name.startswith("blocks.") and p.dim() == 2:
            matrices.append(p)
        else:
            others.append(p)
    return matrices, head, vectors, others


def _group(params: Sequence[torch.nn.Parameter], lr: float, decay: float = 0.0) -> dict[str, Any]:
    return {"params": list(params), "lr": lr, "weight_decay": decay}
