"""Fine-tuning a few numbers beside the weights: LoRA.

Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models" (arXiv:2106.09685): a matrix W
(n, m) stays as it is, and W + alpha / rank B A takes its place, where B (n, rank) and A (rank, m)
are learnt. Here the factors stand beside all matrices of the blocks, and of the token vectors those
of a few tokens are learnt. A checkpoint gets the sum, which is a plain model.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from yocto.model.gpt import GPT
from yocto.model.linear import Linear


class LoraLinear(nn.Module):
    """A linear layer with factors: x W^T + bias + scale x A^T B^T.

    linear: keeps its weights. generator: draws A; B is 0, so that nothing changes at first.
    """

    def __init__(
        self, linear: nn.Linear, rank: int, alpha: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.weight, self.bias, self.scale = linear.weight, linear.bias, alpha / rank
        n, m = linear.weight.shape
        a = torch.empty(rank, m).uniform_(-1, 1, generator=generator) / math.sqrt(m)
        self.lora_a = nn.Parameter(a.to(linear.weight.device))
        self.lora_b = nn.Parameter(torch.zeros(n, rank, device=linear.weight.device))

    def forward(self, x: Tensor) -> Tensor:
        """x (…, m) -> (…, n)."""
        low = F.linear(F.linear(x, self.lora_a), self.lora_b)
        return F.linear(x, self.weight, self.bias) + self.scale * low

    def merged(self) -> Linear:
        """A plain layer that computes the same."""
        n, m = self.weight.shape
        linear: Linear = _empty(Linear, m, n, bias=self.bias is not None)
        linear.weight = nn.Parameter(self.weight + self.scale * (self.lora_b @ self.lora_a))
        if self.bias is not None:
            linear.bias = self.bias
        return linear


class Table(nn.Module):
    """Token vectors (V, C), of which those of some ids are learnt."""

    def __init__(self, base: Tensor, ids: Sequence[int]) -> None:
        super().__init__()
        self.base = base
        index = torch.tensor(sorted(set(ids)), device=base.device)
        self.register_buffer("ids", index, persistent=False)
        self.rows = nn.Parameter(base.detach()[index].clone())

    def forward(self) -> Tensor:
        """All of them."""
        return self.base.index_copy(0, self.get_buffer("ids"), self.rows)


class TableEmbedding(nn.Module):
    """An embedding whose vectors are a table's."""

    def __init__(self, table: Table) -> None:
        super().__init__()
        self.table = table

    @property
    def weight(self) -> Tensor:
        """(V, C)."""
        weight: Tensor = self.table()
        return weight

    def forward(self, idx: Tensor) -> Tensor:
        """idx (B, T) -> (B, T, C)."""
        return F.embedding(idx, self.weight)


class TableHead(TableEmbedding):
    """A head whose vectors are a table's."""

    def forward(self, x: Tensor) -> Tensor:
        """x (…, C) -> logits (…, V)."""
        return F.linear(x, self.weight)


def _layers(model: GPT) -> Iterator[tuple[nn.Module, str, nn.Module]]:
    """What the blocks are made of: a part, and the name and the layer of each of its layers."""
    for block in model.blocks:
        for part in (block.get_submodule("attn"), block.get_submodule("mlp")):
            for name, layer in list(part.named_children()):
                yield part, name, layer


def _empty(kind: type[nn.Module], *sizes: int, **options: Any) -> Any:
    """A layer without weights; drawing some would take random numbers that dropout then misses."""
    return nn.utils.skip_init(kind, *sizes, **options)  # type: ignore[no-untyped-call]


def add_factors(model: GPT, rank: int, alpha: float, ids: Sequence[int], seed: int) -> None:
    """Put factors beside the matrices of a model's blocks. Only they are trained from then on, and
    the vectors of these ids, in the embedding and in the head."""
    for p in model.parameters():
        p.requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for part, name, layer in _layers(model):
        if isinstance(layer, nn.Linear):
            setattr(part, name, LoraLinear(layer, rank, alpha, generator))
    table = Table(model.wte.weight, ids)
    own = table if model.config.tie_weights else Table(model.lm_head.weight, ids)
    # Modules of another kind than GPT declares; they are called in the same way.
    setattr(model, "wte", TableEmbedding(table))  # noqa: B010
    setattr(model, "lm_head", TableHead(own))  # noqa: B010


def has_factors(model: GPT) -> bool:
    """Whether `add_factors` was here."""
    return isinstance(model.wte, TableEmbedding)


@torch.no_grad()
def plain_model(model: GPT) -> GPT:
    """A model without factors that computes the same: the model itself where it has none."""
    if not has_factors(model):
        return model
    plain = copy.deepcopy(model)
    for part, name, layer in _layers(plain):
        if isinstance(layer, LoraLinear):
            setattr(part, name, layer.merged())
    V, C = plain.config.vocab_size, plain.config.n_embd
    vectors, own = plain.wte.weight, plain.lm_head.weight
    plain.wte = _empty(nn.Embedding, V, C)
    plain.lm_head = _empty(Linear, C, V, bias=False)
    plain.wte.weight = nn.Parameter(vectors)
    plain.lm_head.weight = plain.wte.weight if plain.config.tie_weights else nn.Parameter(own)
    return plain


def factors_state(model: GPT) -> dict[str, Tensor]:
    """What a resumed run needs, since the checkpoint's weights are sums: the weights themselves and
    the factors. Empty for a model without factors."""
    return dict(model.state_dict()) if has_factors(model) else {}


def load_factors(model: GPT, state: Any) -> None:
    """Go on with these. Raises ValueError, TypeError, AttributeError or RuntimeError for what does
    not fit."""
    if not has_factors(model):
        if state:
            raise ValueError("it was trained with --lora-rank")
        return
    for name, x in state.items():
        if not isinstance(x, Tensor) or x.layout != torch.strided or x.is_meta:
            raise ValueError(f"{name} is no plain tensor")
        if x.dtype != torch.float32 or not torch.isfinite(x).all():
            raise ValueError(f"{name} is not a number")
    model.load_state_dict(state)
