"""The next token of a few texts through a GPT, on a CPU, by the kernels.

The same network as in gpt.py, line by line; the tests compare the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from yocto.model.gpt import GPT, Block
from yocto.model.kv_cache import KVCache
from yocto.model.linear import MOST_ROWS, Int8Linear, Kernel, Linear


class Matrix(NamedTuple):
    """A linear part by its addresses."""

    kernel: Kernel
    weight: int
    scale: int
    bias: int
    n: int
    k: int

    @classmethod
    def of(cls, part: nn.Module) -> Matrix:
        """Of a Linear or an Int8Linear."""
        assert isinstance(part, Linear | Int8Linear) and part.kernel is not None
        scale = part.scale if isinstance(part, Int8Linear) else None
        weight = part.weight
        n, k = weight.shape
        return cls(part.kernel, _at(weight), _at(scale), _at(part.bias), n, k)

    def multiply(self, x: int, y: int, rows: int, onto: int = 0) -> None:
        """y (rows, n) = x (rows, k) times the weights; onto: added to what y holds."""
        self.kernel(self.weight, self.scale, self.bias, x, y, self.n, self.k, rows, onto)


class Norm(NamedTuple):
    """A norm by its addresses."""

    weight: int
    bias: int
    centred: bool

    @classmethod
    def of(cls, part: nn.Module) -> Norm:
        """Of a LayerNorm or an RMSNorm."""
        assert isinstance(part, nn.LayerNorm | nn.RMSNorm)
        centred = isinstance(part, nn.LayerNorm)
        return cls(
            _at(part.weight), _at(part.bias) if isinstance(part, nn.LayerNorm) else 0, centred
        )


class Layer:
    """A block by its addresses."""

    def __init__(self, block: Block) -> None:
        attn, mlp = block.attn, block.mlp
        self.norm_1, self.norm_2 = Norm.of(block.norm_1), Norm.of(block.norm_2)
        self.q, self.k, self.v = map(Matrix.of, (attn.q_proj, attn.k_proj, attn.v_proj))
        self.o, self.up, self.down = map(Matrix.of, (attn.o_proj, mlp.up_proj, mlp.down_proj))
        self.gate = Matrix.of(mlp.gate_proj) if mlp.kind == "swiglu" else None
        self.qk_norm = (
            (_at(attn.q_norm.weight), _at(attn.k_norm.weight)) if attn.qk_norm else (0, 0)
        )


def _at(tensor: Tensor | None) -> int:
    """Where a tensor lies; 0 for none."""
    assert tensor is None or tensor.is_contiguous()
    return 0 if tensor is None else tensor.data_ptr()


class Step:
    """A model's weights by their addresses, and memory for what lies between two of them. Where the
    weights lie must not change while it is used; what they are may.

    In shapes: B texts, or ids of one, at most MOST_ROWS; C channels, H heads, K key-value heads, D head size.
    """

    def __init__(self, model: GPT) -> None:
        from yocto.kernels import layers

        c = self.config = model.config
        assert c.n_inner is not None and c.n_kv_head is not None and c.mlp is not None
        self.model, self._kernels = model, layers
        self._layers = [Layer(block) for block in model.blocks if isinstance(block, Block)]
        self._norm = Norm.of(model.norm)
        self._kind = {"gelu": layers.GELU, "swiglu": layers.SWIGLU, "relu2": layers.RELU2}[c.mlp]
        rope = c.position == "rope"
        self._turns = [_at(model.get_buffer(name)) if rope else 0 for name in ("cos", "sin")]
        assert c.head_size is not None
        self._heads = (c.n_head, c.n_kv_head, c.head_size, c.block_size)
        all_heads, kv = c.n_head * c.head_size, c.n_kv_head * c.head_size
        sizes = {
            "x": c.n_embd, "h": c.n_embd, "y": all_heads, "q": all_heads, "k": kv, "v": kv,
            "up": c.n_inner, "gate": c.n_inner,
        }  # fmt: skip
        kind: dict[str, Any] = {"dtype": torch.float32, "device": "cpu"}
        self._memory = {name: torch.empty(MOST_ROWS, size, **kind) for name, size in sizes.items()}
        self._memory["scores"] = torch.empty(c.n_head, c.block_size, **kind)
        self._room = {name: _at(memory) for name, memory in self._memory.items()}

    @staticmethod
    def fits(model: GPT) -> bool:
        """Whether a model is ready for it: on a CPU, in float32, its matrices with kernels."""
        parts = [part for part in model.modules() if isinstance(part, nn.Linear | Int8Linear)]
        ready = bool(parts) and all(getattr(part, "kernel", None) is not None for part in parts)
        return ready and all(
            p.dtype == torch.float32 and p.device.type == "cpu" for p in model.parameters()
        )

    def features(self, ids: Sequence[int], cache: KVCache) -> Tensor:
        """One id of each text -> what the head reads, (B, C), until the next call. The ids join the
        cache."""
        assert len(cache.lengths) == len(ids)
        found = self._through(ids, cache, cache.lengths, one=False)
        cache.advance(1)
        return found

    def chunk(self, ids: Sequence[int], cache: KVCache) -> Tensor:
        """Several ids of one text, at most MOST_ROWS -> (T, C), as `features` would give them one
        by one, to the last bit."""
        assert len(cache.lengths) == 1
        start = cache.lengths[0]
        found = self._through(ids, cache, range(start, start + len(ids)), one=True)
        cache.advance(len(ids))
        return found

    def _through(
        self, ids: Sequence[int], cache: KVCache, places: Sequence[int], one: bool
    ) -> Tensor:
        B, room = len(ids), self._room
        # The kernels write where they are told to.
        assert B <= MOST_ROWS and max(places) < self.config.block_size
        lengths = torch.tensor(places)
        self._embed(torch.tensor(ids), lengths)
        for layer, keys, values in zip(self._layers, cache.keys, cache.values, strict=True):
            self._attend(layer, (_at(keys), _at(values)), _at(lengths), B, one)
            self._feed_forward(layer, B)
        self._normalize(self._norm, room["x"], room["h"], B)
        return self._memory["h"][:B]

    def _embed(self, ids: Tensor, lengths: Tensor) -> None:
        """x (B, C) of ids (B,), at the positions `lengths`."""
        x = self._memory["x"][: len(ids)]
        torch.index_select(self.model.wte.weight, 0, ids, out=x)
        if self.config.position == "learned":
            x += self.model.wpe.weight[lengths]
        elif self.config.position == "sinusoidal":
            x += self.model.get_buffer("positions")[lengths]

    def _attend(
        self, layer: Layer, cache: tuple[int, int], lengths: int, B: int, one: bool
    ) -> None:
        """x = x + attention(norm(x))."""
        room = self._room
        h, q, k, v, y = room["h"], room["q"], room["k"], room["v"], room["y"]
        self._normalize(layer.norm_1, room["x"], h, B)
        layer.q.multiply(h, q, B)  # (B, H, D)
        layer.k.multiply(h, k, B)  # (B, K, D)
        layer.v.multiply(h, v, B)  # (B, K, D)
        self._kernels.attend(
            q, k, v, *layer.qk_norm, *self._turns, *cache, self.config.norm_eps, lengths,
            room["scores"], y, B, *self._heads, int(one),
        )  # fmt: skip
        layer.o.multiply(y, room["x"], B, onto=1)

    def _feed_forward(self, layer: Layer, B: int) -> None:
        """x = x + mlp(norm(x))."""
        room = self._room
        h, up, gate = room["h"], room["up"], room["gate"]
        self._normalize(layer.norm_2, room["x"], h, B)
        layer.up.multiply(h, up, B)  # (B, n_inner)
        if layer.gate is not None:
            layer.gate.multiply(h, gate, B)  # (B, n_inner)
        self._kernels.activate(self._kind, gate, up, B * layer.up.n)
        layer.down.multiply(up, room["x"], B, onto=1)

    def _normalize(self, norm: Norm, x: int, y: int, rows: int) -> None:
        c = self.config
        self._kernels.normalize(
            x, norm.weight, norm.bias, y, rows, c.n_embd, c.norm_eps, norm.centred
        )
