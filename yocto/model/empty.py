"""A model without weights yet, for those that are about to be put into it."""

from __future__ import annotations

import torch

from yocto.config import GPTConfig
from yocto.model.gpt import GPT, rope_tables, sinusoids


def empty_gpt(config: GPTConfig) -> GPT:
    """A GPT on the CPU, in float32 and training mode like any new one, whose weights hold whatever
    was in memory; what it computes from the configuration alone, its positions, is right.

    No random number is drawn, so nothing that is drawn later changes, and a weight takes memory
    only once something is put into it.
    """
    with torch.device("meta"):  # all but the memory
        model = GPT(config)
    model = model.to_empty(device="cpu")
    if config.tie_weights:  # one tensor has become two
        model.lm_head.weight = model.wte.weight
    with torch.device("cpu"):
        if config.position == "rope":
            model.cos, model.sin = rope_tables(config)
        elif config.position == "sinusoidal":
            model.positions = sinusoids(config.block_size, config.n_embd)
    return model
