"""Which tokens may come next, and how likely: pure functions on logits that compose.

Each takes logits (…, V) and returns new ones; a token that may not come has -inf. At least one
token always stays.
"""

from __future__ import annotations

import torch
from torch import Tensor

NEVER = float("-inf")


def apply_temperature(logits: Tensor, temperature: float) -> Tensor:
    """Sharper below 1, flatter above. temperature: above 0."""
    return logits / temperature


def apply_top_k(logits: Tensor, top_k: int) -> Tensor:
    """Keep the top_k likeliest tokens, and any as likely as the last of them (Fan et al. 2018)."""
    kth = logits.topk(min(top_k, logits.shape[-1]), dim=-1).values[..., -1:]
    return logits.masked_fill(logits < kth, NEVER)


def apply_top_p(logits: Tensor, top_p: float) -> Tensor:
    """Keep the fewest likeliest tokens whose shares add up to top_p or more: the nucleus (Holtzman
    et al. 2020). The likeliest one always stays."""
    ordered, order = logits.sort(dim=-1, descending=True, stable=True)
    shares = ordered.softmax(dim=-1)
    before = shares.cumsum(dim=-1) - shares  # what the likelier tokens have together
    drop = before >= top_p
    drop[..., 0] = False
    return logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), NEVER)


def apply_min_p(logits: Tensor, min_p: float) -> Tensor:
    """Drop tokens less likely than min_p times the likeliest one (Nguyen et al. 2024)."""
    shares = logits.softmax(dim=-1)
    return logits.masked_fill(shares < min_p * shares.amax(dim=-1, keepdim=True), NEVER)


def apply_repetition_penalty(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """Make tokens that were seen less likely: positive logits are divided by the penalty, negative
    ones multiplied (Keskar et al. 2019). seen: ids, shape (n,)."""
    logits = logits.clone()
    chosen = logits[..., seen]
    logits[..., seen] = torch.where(chosen > 0, chosen / penalty, chosen * penalty)
    return logits
