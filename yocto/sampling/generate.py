"""The sampler: ids in, ids out, one by one. It knows nothing of text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from yocto.config import SamplingConfig
from yocto.errors import CheckpointError
from yocto.model.gpt import GPT
from yocto.model.kv_cache import KVCache
from yocto.sampling.logits import (
    apply_min_p,
    apply_repetition_penalty,
    apply_temperature,
    apply_top_k,
    apply_top_p,
)


def generate(
    model: GPT,
    prompt: Sequence[int],
    config: SamplingConfig,
    *,
    end_id: int | None = None,
    generator: torch.Generator | None = None,
    banned: Sequence[int] = (),
    use_cache: bool = True,
) -> Iterator[int]:
    """Yield up to max_new_tokens ids that continue the prompt (at least one id).

    Stops after end_id, which is not yielded. The model sees the last block_size tokens at most;
    when the cache is full, the newest three quarters are read in again and the rest is forgotten.
    banned: ids that are never chosen.
    use_cache: False computes every position anew, the slow way that shows the cache right.
    """
    device = next(model.parameters()).device
    block_size = model.config.block_size
    ids = list(prompt)
    visible = ids[-block_size:]  # what the model is shown
    cache = KVCache(model.config, 1, device, next(model.parameters()).dtype) if use_cache else None
    forbidden = torch.tensor(banned, dtype=torch.int64, device=device)
    fed = 0  # how many of visible the cache holds
    for _ in range(config.max_new_tokens):
        if len(visible) > block_size:
            visible = visible[-max(1, block_size * 3 // 4) :]
            fed = 0
        if cache is not None and fed == 0:
            cache.reset()
        with torch.no_grad():  # not around the yield, where it would reach the caller's code
            chunk = torch.tensor([visible[fed:]], device=device)
            logits = model.lm_head(model.features(chunk, cache)[:, -1]).float()[0]  # (V,)
            logits[forbidden] = -math.inf
            chosen = choose(logits, ids, config, generator)
        if cache is not None:
            fed = len(visible)
        if chosen == end_id:
            return
        ids.append(chosen)
        visible.append(chosen)
        yield chosen


def choose(
    logits: Tensor,
    seen: Sequence[int],
    config: SamplingConfig,
    generator: torch.Generator | None = None,
) -> int:
    """The next id from logits (V,); the filters in the order that `transformers` has them."""
    if config.repetition_penalty != 1 and seen:
        unique = torch.tensor(sorted(set(seen)), device=logits.device)
        logits = apply_repetition_penalty(logits, unique, config.repetition_penalty)
    if config.greedy or config.temperature == 0:
        return int(logits.argmax())
    # With the largest logit at 0, the coldest temperature can't make it infinite.
    logits = apply_temperature(logits - logits.max(), config.temperature)
    if config.top_k is not None:
        logits = apply_top_k(logits, config.top_k)
    if config.top_p < 1:
        logits = apply_top_p(logits, config.top_p)
    if config.min_p > 0:
        logits = apply_min_p(logits, config.min_p)
    probabilities = logits.softmax(dim=-1).cpu()
    if not torch.isfinite(probabilities).all():
        raise CheckpointError(
            "what the model computes is not a number: its weights are spoilt",
            "Use an earlier step of the run (--ckpt takes a step's folder), or train it anew.",
        )
    # Drawn on the CPU, so that a seed means the same draw on every device.
    return int(torch.multinomial(probabilities, 1, generator=generator))
