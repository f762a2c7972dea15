"""The whole GPT in one file.

One decoder-only transformer whose parts are chosen by the configuration, so that it is a GPT-2, a
Llama or a Qwen3:

    norm      layernorm (Ba et al. 2016), rmsnorm (Zhang & Sennrich 2019)
    position  learned (GPT-2), sinusoidal (Vaswani et al. 2017), rope (Su et al. 2021)
    mlp       gelu (tanh form, as in GPT-2), swiglu (Shazeer 2020), relu2 (So et al. 2021)
    qk_norm   RMSNorm of each head's queries and keys (Henry et al. 2020, as in Qwen3)

In shapes: B batch, T time, C channels (n_embd), H heads, K key-value heads, D head size,
V vocabulary.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from yocto.config import GPTConfig, RopeScaling
from yocto.model.kv_cache import KVCache
from yocto.model.linear import Linear


class GPT(nn.Module):
    """Token ids to logits.

    generator: draws the initial weights; None takes torch's global one.
    recompute: whether training keeps of each block only what goes in, and computes the rest again
    for its gradient: less memory, a third more work (Chen et al. 2016).
    """

    def __init__(self, config: GPTConfig, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config, self.recompute = config, False
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        if config.position == "learned":
            self.wpe = nn.Embedding(config.block_size, config.n_embd)
        elif config.position == "sinusoidal":
            table = sinusoids(config.block_size, config.n_embd)
            self.register_buffer("positions", table, persistent=False)
        else:
            cos, sin = rope_tables(config)
            self.register_buffer("cos", cos, persistent=False)
            self.register_buffer("sin", sin, persistent=False)
        self.drop = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.n_layer))
        self.norm = make_norm(config, config.n_embd)
        self.lm_head = Linear(config.n_embd, config.vocab_size, bias=False)
        if config.tie_weights:
            self.lm_head.weight = self.wte.weight
        self.init_weights(generator)

    def forward(
        self, idx: Tensor, cache: KVCache | None = None, segments: Tensor | None = None
    ) -> Tensor:
        """idx (B, T) -> logits (B, T, V).

        cache: holds the positions before idx and takes those of idx; at most block_size in all.
            Texts of different lengths take one token each: T is 1.
        segments: (B, T), a number for each token; it sees only tokens of its own. Positions go on
        counting through the window: to rope, which knows distances alone, a segment is then as if
        it stood by itself; learned and sinusoidal positions do tell where in the window it begins.
        """
        logits: Tensor = self.lm_head(self.features(idx, cache, segments))
        return logits

    def features(
        self, idx: Tensor, cache: KVCache | None = None, segments: Tensor | None = None
    ) -> Tensor:
        """idx (B, T) -> what the head reads, (B, T, C)."""
        T = idx.shape[1]
        at = slice(0, T) if cache is None else cache.positions(T)  # or (B, 1)
        filled = max(cache.lengths) if cache is not None else 0
        assert filled + T <= self.config.block_size, "more positions than block_size"
        x: Tensor = self.wte(idx)  # (B, T, C)
        rotary = None
        if self.config.position == "learned":
            x = x + self.wpe.weight[at]
        elif self.config.position == "sinusoidal":
            x = x + self.get_buffer("positions")[at]
        else:
            cos, sin = self.get_buffer("cos")[at], self.get_buffer("sin")[at]
            # (T, D), or (B, 1, 1, D) each: the same for all heads
            rotary = (cos, sin) if cos.dim() == 2 else (cos[:, None], sin[:, None])
        x = self.drop(x)
        mask = None if cache is None else cache.mask(T, x.dtype)
        if segments is not None:
            # Only training and its evaluation mix documents in a window. Generation has one at a
            # time, so that what it has cached is always of the same one.
            assert cache is None, "segments go without a cache"
            mask = segment_mask(segments, x.dtype)
        for block in self.blocks:
            if self.recompute and torch.is_grad_enabled():
                x = checkpoint(block, x, rotary, mask, cache, use_reentrant=False)
            else:
                x = block(x, rotary, mask, cache)
        if cache is not None:
            cache.advance(T)
        x = self.norm(x)
        return x

    @torch.no_grad()
    def init_weights(self, generator: torch.Generator | None = None) -> None:
        """Draw the initial weights, normal around 0.

        gpt2: deviation 0.02, divided by sqrt(2 n_layer) in matrices that write to the residual
        stream (Radford et al. 2019). The others start as the modded-nanogpt speedruns do: blocks
        write nothing at first, and without tied weights all tokens are equally likely at first;
        that learns faster.
        """
        c = self.config
        for name, p in self.named_parameters():
            writes = name.endswith(("o_proj.weight", "down_proj.weight"))
            if p.dim() < 2:
                p.zero_() if name.endswith("bias") else p.fill_(1.0)
                continue
            if c.family == "gpt2":
                std = 0.02 / math.sqrt(2 * c.n_layer) if writes else 0.02
            elif name in ("wte.weight", "wpe.weight"):
                std = 0.02 if c.tie_weights else 0.8
            elif name == "lm_head.weight":
                std = 0.001
            else:
                std = 0.0 if writes else 0.5 / math.sqrt(p.shape[1])
            p.normal_(0.0, std, generator=generator)

    def num_parameters(self) -> int:
        """Weights, a shared one counted once."""
        return sum(p.numel() for p in self.parameters())


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, config: GPTConfig, layer: int) -> None:
        super().__init__()
        self.norm_1 = make_norm(config, config.n_embd)
        self.attn = Attention(config, layer)
        self.norm_2 = make_norm(config, config.n_embd)
        self.mlp = MLP(config)

    def forward(
        self,
        x: Tensor,
        rotary: tuple[Tensor, Tensor] | None,
        mask: Tensor | None,
        cache: KVCache | None,
    ) -> Tensor:
        """x (B, T, C) -> (B, T, C)."""
        x = x + self.attn(self.norm_1(x), rotary, mask, cache)
        x = x + self.mlp(self.norm_2(x))
        return x


class Attention(nn.Module):
    """Causal self-attention, with fewer key-value heads than heads where n_kv_head says so
    (Ainslie et al. 2023)."""

    def __init__(self, config: GPTConfig, layer: int) -> None:
        super().__init__()
        C, H, bias = config.n_embd, config.n_head, bool(config.bias)
        assert config.n_kv_head is not None and config.head_size is not None
        self.layer, self.n_head, self.n_kv_head = layer, H, config.n_kv_head
        self.head_size = config.head_size
        self.dropout = config.dropout
        self.q_proj = Linear(C, H * self.head_size, bias=bias)
        self.k_proj = Linear(C, self.n_kv_head * self.head_size, bias=bias)
        self.v_proj = Linear(C, self.n_kv_head * self.head_size, bias=bias)
        self.o_proj = Linear(H * self.head_size, C, bias=bias)
        self.resid_drop = nn.Dropout(config.dropout)
        if config.qk_norm:
            self.q_norm = nn.RMSNorm(self.head_size, eps=config.norm_eps)
            self.k_norm = nn.RMSNorm(self.head_size, eps=config.norm_eps)
        self.qk_norm = config.qk_norm

    def forward(
        self,
        x: Tensor,
        rotary: tuple[Tensor, Tensor] | None,
        mask: Tensor | None,
        cache: KVCache | None,
    ) -> Tensor:
        """x (B, T, C) -> (B, T, C)."""
        B, T, _ = x.shape
        q = self.q_proj(x).view(B, T, self.n_head, self.head_size).transpose(1, 2)  # (B, H, T, D)
        k = (
            self.k_proj(x).view(B, T, self.n_kv_head, self.head_size).transpose(1, 2)
        )  # (B, K, T, D)
        v = (
            self.v_proj(x).view(B, T, self.n_kv_head, self.head_size).transpose(1, 2)
        )  # (B, K, T, D)
        if self.qk_norm:
            exact = self.q_norm.weight.dtype  # under autocast q and k come in bfloat16
            q, k = self.q_norm(q.to(exact)), self.k_norm(k.to(exact))
        if rotary is not None:
            q, k = rotate(q, *rotary), rotate(k, *rotary)
        if cache is not None:
            k, v = cache.update(self.layer, k, v)  # (B, K, start + T, D)
        k, v = k.to(q.dtype), v.to(q.dtype)
        if T == 1:
            # A single position sees all there are, so the heads that share keys and values can
            # stand where times do: nothing is copied for them, and each is read once.
            q = q.view(B, self.n_kv_head, -1, self.head_size)  # (B, K, H / K, D)
        elif self.n_kv_head != self.n_head:
            k = k.repeat_interleave(self.n_head // self.n_kv_head, dim=1)
            v = v.repeat_interleave(self.n_head // self.n_kv_head, dim=1)
        # A chunk at the start is causal; a later one, a window of several segments, and texts of
        # different lengths bring their mask.
        y = F.scaled_dot_product_attention(
            q, k, v,
            attn_mask=mask,
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=mask is None and T > 1,
        )  # fmt: skip
        y = y.view(B, self.n_head, T, self.head_size).transpose(1, 2).reshape(B, T, -1)
        out: Tensor = self.resid_drop(self.o_proj(y))
        return out


class MLP(nn.Module):
    """The feed-forward part: n_embd -> n_inner -> n_embd."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        C, inner, bias = config.n_embd, config.n_inner, bool(config.bias)
        assert inner is not None
        self.kind = config.mlp
        if config.mlp == "swiglu":
            self.gate_proj = Linear(C, inner, bias=bias)
        self.up_proj = Linear(C, inner, bias=bias)
        self.down_proj = Linear(inner, C, bias=bias)
        self.resid_drop = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, T, C) -> (B, T, C)."""
        h = self.up_proj(x)  # (B, T, n_inner)
        if self.kind == "swiglu":
            h = F.silu(self.gate_proj(x)) * h
        elif self.kind == "gelu":
            h = F.gelu(h, approximate="tanh")
        else:
            h = F.relu(h).square()
        out: Tensor = self.resid_drop(self.down_proj(h))
        return out


def make_norm(config: GPTConfig, size: int) -> nn.Module:
    """The norm over the last axis that the configuration names."""
    if config.norm == "layernorm":
        return nn.LayerNorm(size, eps=config.norm_eps, bias=bool(config.bias))
    return nn.RMSNorm(size, eps=config.norm_eps)


def rope_tables(config: GPTConfig) -> tuple[Tensor, Tensor]:
    """cos and sin of each position's angles, (T, D) each; channel i turns with channel i + D/2."""
    D = config.head_size
    assert D is not None
    inverse = config.rope_base ** (-torch.arange(0, D, 2, dtype=torch.float32) / D)  # (D/2,)
    if config.rope_slowing is not None:
        inverse = inverse / rope_factors(inverse, config.rope_slowing)
    angles = torch.outer(torch.arange(config.block_size, dtype=torch.float32), inverse)  # (T, D/2)
    angles = torch.cat([angles, angles], dim=1)  # (T, D)
    return angles.cos(), angles.sin()


def rope_factors(inverse: Tensor, scaling: RopeScaling) -> Tensor:
    """How many times slower each pair of channels turns, (D/2,), of their unscaled angles a
    position."""
    if scaling.kind == "linear":
        return torch.full_like(inverse, scaling.factor)
    turns = scaling.context * inverse / (2 * math.pi)  # in the context that was learnt first
    kept = ((turns - scaling.low) / (scaling.high - scaling.low)).clamp(0, 1)
    return 1 / ((1 - kept) / scaling.factor + kept)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """x (B, H, T, D) turned by its positions' angles."""
    left, right = x.chunk(2, dim=-1)
    return (x * cos + torch.cat([-right, left], dim=-1) * sin).to(x.dtype)


def sinusoids(block_size: int, n_embd: int) -> Tensor:
    """Fixed position vectors (T, C): sines in even channels, cosines in odd ones."""
    position = torch.arange(block_size, dtype=torch.float32)[:, None]
    channel = torch.arange(n_embd)
    angle = position * 10000.0 ** (-(channel - channel % 2).float() / n_embd)
    return torch.where(channel % 2 == 0, angle.sin(), angle.cos())


def segment_mask(segments: Tensor, dtype: torch.dtype) -> Tensor:
    """What is added to the attention scores of all heads, (B, 1, T, T): 0 where a position looks at
    one of its own segment that is not later, -inf elsewhere. Numbers, since every layer would turn
    a mask of bools into them anew, and keep its own."""
    same = segments[:, :, None] == segments[:, None, :]  # (B, T, T)
    hidden = ~same.tril()[:, None]  # (B, 1, T, T)
    return torch.zeros_like(hidden, dtype=dtype).masked_fill_(hidden, -math.inf)
