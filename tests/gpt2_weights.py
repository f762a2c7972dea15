"""transformers' GPT-2 weights as ours."""

from __future__ import annotations

import torch


def from_gpt2(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """transformers' GPT-2 weights by our names; its Conv1D holds matrices transposed."""
    ours = {}
    for name, value in state.items():
        name = name.removeprefix("transformer.")
        for theirs, mine in (
            ("h.", "blocks."), ("ln_1", "norm_1"), ("ln_2", "norm_2"), ("ln_f", "norm"),
            ("attn.c_proj", "attn.o_proj"), ("mlp.c_fc", "mlp.up_proj"),
            ("mlp.c_proj", "mlp.down_proj"),
        ):  # fmt: skip
            name = name.replace(theirs, mine) if theirs != "h." else (
                mine + name[2:] if name.startswith("h.") else name
            )  # fmt: skip
        if "_proj.weight" in name or "c_attn.weight" in name:
            value = value.t()
        if "c_attn" in name:
            for part, piece in zip("qkv", value.chunk(3), strict=True):
                ours[name.replace("c_attn", f"{part}_proj")] = piece
        else:
            ours[name] = value
    return ours
