"""Which tokens may come next, and how likely: pure functions on logits that compose.

Each takes logits (…, V) and returns new ones; a token that may not come has -inf. At least one
token always stays.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

NEVER = float("-inf")
_FEW = (512, 4096)  # how many of the likeliest tokens are looked at, before all shares are sorted


def apply_logit_bias(logits: Tensor, ids: Tensor, biases: Tensor) -> Tensor:
    """Add to each of these tokens its bias. ids: (n,), each once. biases: (n,)."""
    return logits.index_add(-1, ids, biases.expand(*logits.shape[:-1], -1))


def apply_repetition_penalty(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """Make tokens that were seen less likely: positive logits are divided by the penalty, negative
    ones multiplied (Keskar et al. 2019). seen: ids, shape (n,)."""
    logits = logits.clone()
    chosen = logits[..., seen]
    logits[..., seen] = torch.where(chosen > 0, chosen / penalty, chosen * penalty)
    return logits


def apply_presence_penalty(logits: Tensor, counts: Tensor, penalty: float) -> Tensor:
    """Take the penalty off the logits of tokens that were generated before, however often (as in
    OpenAI's interface). counts: (V,), how often each was."""
    return logits - penalty * (counts > 0)


def apply_frequency_penalty(logits: Tensor, counts: Tensor, penalty: float) -> Tensor:
    """Take the penalty off the logits of tokens for each time they were generated (as in OpenAI's
    interface). counts: (V,), how often each was."""
    return logits - penalty * counts


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
    order = logits.sort(dim=-1, descending=True, stable=True).indices
    shares = logits.softmax(dim=-1).gather(-1, order)
    sums = shares.cumsum(dim=-1)
    drop = F.pad(sums[..., :-1], (1, 0)) >= top_p  # what the likelier tokens have together
    return logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), NEVER)


def nucleus(logits: Tensor, top_p: float) -> Tensor | None:
    """What apply_top_p keeps of logits (V,), as ids in any order, from the likeliest tokens alone
    or, where they are too many, from all shares in order; None where some are as likely as the
    last, so that the order of ids tells."""
    shares = logits.softmax(dim=-1)
    for few in _FEW:
        if 3 * few > len(logits):  # sorting all is as quick
            break
        found, ids = logits.topk(few)
        n = int((shares[ids].cumsum(dim=-1) < top_p).sum()) + 1
        if n < few:
            return None if found[n - 1] == found[n] else ids[:n]
    # numpy sorts numbers alone in a quarter of the time that torch takes for them and their places.
    ordered = torch.from_numpy(np.sort(shares.numpy())[::-1].copy())
    n = min(int((ordered.cumsum(dim=-1) < top_p).sum()) + 1, len(ordered))
    kept = torch.from_numpy(np.flatnonzero(shares.numpy() >= ordered[n - 1].item()))
    return kept if len(kept) == n else None


def apply_min_p(logits: Tensor, min_p: float) -> Tensor:
    """Drop tokens less likely than min_p times the likeliest one (Nguyen et al. 2024)."""
    shares = logits.softmax(dim=-1)
    return logits.masked_fill(shares < min_p * shares.amax(dim=-1, keepdim=True), NEVER)


def apply_typical_p(logits: Tensor, typical_p: float) -> Tensor:
    """Keep the fewest tokens whose shares add up to typical_p or more, those first whose surprise
    is nearest to what is expected, and any as near as the last (Meister et al. 2022)."""
    log_shares = logits.log_softmax(dim=-1)
    shares = log_shares.exp()
    expected = -(shares * log_shares).nansum(dim=-1, keepdim=True)  # 0 times -inf is nothing
    distance = (-log_shares - expected).abs()
    ordered, order = distance.sort(dim=-1)
    reached = shares.gather(-1, order).cumsum(dim=-1) < typical_p
    last = reached.sum(dim=-1, keepdim=True).clamp(max=logits.shape[-1] - 1)
    return logits.masked_fill(distance > ordered.gather(-1, last), NEVER)
