"""Keys and values of the tokens seen so far, so that each new token costs one position's work."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from yocto.config import GPTConfig


class KVCache:
    """Room for block_size positions of each of several texts, allocated once.

    keys, values: (n_layer, B, n_kv_head, block_size, D). lengths: positions filled, text by text.
    The GPT writes a chunk's keys and values layer by layer and then calls `advance`. Texts of
    different lengths take one token each; a chunk of several is for texts of one length.
    """

    def __init__(
        self,
        config: GPTConfig,
        batch_size: int = 1,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        assert config.n_kv_head is not None
        assert config.head_size is not None
        shape = (config.n_layer, batch_size, config.n_kv_head, config.block_size, config.head_size)
        self.keys, self.values = (_zeros(shape, device, dtype) for _ in range(2))
        self.lengths = [0] * batch_size
        self._places: tuple[Tensor, Tensor] | None = None  # of ragged texts' next positions

    @property
    def length(self) -> int:
        """How many positions are filled, where all texts have as many."""
        assert len(set(self.lengths)) == 1, "texts of different lengths"
        return self.lengths[0]

    def rows(self, first: int, last: int) -> KVCache:
        """The texts from `first` up to `last`, in the same memory; their lengths are a copy."""
        part = KVCache.__new__(KVCache)
        part.keys, part.values = self.keys[:, first:last], self.values[:, first:last]
        part.lengths, part._places = self.lengths[first:last], None
        return part

    def positions(self, time: int) -> slice | Tensor:
        """Where the next `time` tokens stand: a slice of positions, or (B, 1) for texts of
        different lengths."""
        if len(set(self.lengths)) == 1:
            self._places = None
            return slice(self.lengths[0], self.lengths[0] + time)
        assert time == 1, "texts of different lengths take one token each"
        lengths = torch.tensor(self.lengths, device=self.keys.device)
        self._places = torch.arange(len(lengths), device=lengths.device), lengths
        return lengths[:, None]

    def mask(self, time: int, dtype: torch.dtype) -> Tensor | None:
        """What is added to the attention scores of the next `time` tokens, after `positions`:
        0 where a token may look, -inf elsewhere, so that it broadcasts to (B, heads, time,
        positions). None where the causal flag, or its absence for a single token, says it all."""
        device = self.keys.device
        if self._places is not None:
            _, lengths = self._places
            there = torch.arange(max(self.lengths) + 1, device=device)
            hidden = (there > lengths[:, None])[:, None, None]  # (B, 1, 1, positions)
        elif time == 1 or self.lengths[0] == 0:
            return None
        else:
            there = torch.arange(self.lengths[0] + time, device=device)
            hidden = there > there[self.lengths[0] :, None]  # (time, positions)
        return torch.zeros(hidden.shape, dtype=dtype, device=device).masked_fill_(hidden, -math.inf)

    def update(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Store a chunk's k and v, both (B, n_kv_head, T, D); returns all so far,
        (B, n_kv_head, positions, D), with what is of no meaning beyond the end of shorter texts."""
        keys, values = self.keys[layer], self.values[layer]
        if self._places is None:
            start = self.lengths[0]
            end = start + k.shape[2]
            keys[:, :, start:end] = k
            values[:, :, start:end] = v
        else:
            rows, lengths = self._places
            keys[rows, :, lengths] = k[:, :, 0].to(keys.dtype)
            values[rows, :, lengths] = v[:, :, 0].to(values.dtype)
            end = max(self.lengths) + 1
        return keys[:, :, :end], values[:, :, :end]

    def advance(self, positions: int) -> None:
        """Count a chunk as stored, after every layer has stored its part."""
        self.lengths = [length + positions for length in self.lengths]

    def cut(self, row: int, length: int) -> None:
        """Forget what a text has beyond `length` positions."""
        assert length <= self.lengths[row]
        self.lengths[row] = length

    def copy(self, source: int, target: int, length: int) -> None:
        """Let one text begin with the first positions of another."""
        assert length <= self.lengths[source]
        self.keys[:, target, :, :length] = self.keys[:, source, :, :length]
        self.values[:, target, :, :length] = self.values[:, source, :, :length]
        self.lengths[target] = length

    def swap(self, one: int, other: int) -> None:
        """Let two texts change places."""
        end = max(self.lengths[one], self.lengths[other])
        for stored in (self.keys, self.values):
            kept = stored[:, one, :, :end].clone()
            stored[:, one, :, :end] = stored[:, other, :, :end]
            stored[:, other, :, :end] = kept
        lengths = self.lengths
        lengths[one], lengths[other] = lengths[other], lengths[one]

    def select(self, rows: Sequence[int]) -> None:
        """Let each text go on as a copy of one of these, as many as there are texts."""
        end, index = max(self.lengths), torch.tensor(rows, device=self.keys.device)
        for stored in (self.keys, self.values):
            stored[:, :, :, :end] = stored[:, index, :, :end]
        self.lengths = [self.lengths[row] for row in rows]

    def reset(self) -> None:
        """Forget everything."""
        self.lengths = [0] * len(self.lengths)


def _zeros(shape: tuple[int, ...], device: torch.device | str, dtype: torch.dtype) -> Tensor:
    """Zeros; on a CPU memory that the system hands out page by page as it is first written to, so
    that room which is never used costs nothing."""
    if torch.device(device).type != "cpu" or dtype != torch.float32:
        return torch.zeros(shape, device=device, dtype=dtype)
    return torch.from_numpy(np.zeros(shape, np.float32))
