"""Keys and values of the tokens seen so far, so that each new token costs one position's work."""

from __future__ import annotations

import torch
from torch import Tensor

from yocto.config import GPTConfig


class KVCache:
    """Room for block_size positions, allocated once.

    keys, values: (n_layer, B, n_kv_head, block_size, D). length: positions filled. The GPT writes a
    chunk's keys and values layer by layer and then calls `advance`.
    """

    def __init__(
        self,
        config: GPTConfig,
        batch_size: int = 1,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        assert config.n_kv_head is not None
        head_size = config.n_embd // config.n_head
        shape = (config.n_layer, batch_size, config.n_kv_head, config.block_size, head_size)
        self.keys = torch.zeros(shape, device=device, dtype=dtype)
        self.values = torch.zeros(shape, device=device, dtype=dtype)
        self.length = 0

    def update(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Store a chunk's k and v, both (B, n_kv_head, T, D); returns all so far,
        (B, n_kv_head, length + T, D)."""
        end = self.length + k.shape[2]
        self.keys[layer, :, :, self.length : end] = k
        self.values[layer, :, :, self.length : end] = v
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def advance(self, positions: int) -> None:
        """Count a chunk as stored, after every layer has stored its part."""
        self.length += positions

    def reset(self) -> None:
        """Forget everything."""
        self.length = 0
