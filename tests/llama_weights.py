"""transformers' Llama and Qwen3 weights as ours."""

from __future__ import annotations

import torch


def from_llama(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """transformers' Llama or Qwen3 weights by our names."""
    ours = {}
    for name, value in state.items():
        name = name.removeprefix("model.")
        for theirs, mine in (
            ("embed_tokens", "wte"), ("layers.", "blocks."), ("self_attn", "attn"),
            ("input_layernorm", "norm_1"), ("post_attention_layernorm", "norm_2"),
        ):  # fmt: skip
            name = name.replace(theirs, mine)
        ours[name] = value
    return ours
