"""The generator: requests in, tokens out, one by one. It knows nothing of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from yocto.model.gpt import GPT
from yocto.model.kv_cache import KVCache
from yocto.sampling.request import Request, Token
from yocto.sampling.sampler import Sampler


class Generation:
    """Several texts in the making, while this is iterated over: yields (which request, its next
    token) until each has max_new_tokens or an end id. A request that comes to an end id says so
    once, with None in place of a token.

    The model sees the last block_size tokens of each at most; when the cache is full, the newest
    three quarters are read in again and the rest is forgotten.
    use_cache: False computes every position anew, the slow way that shows the cache right.
    """

    def __init__(self, model: GPT, requests: Sequence[Request], use_cache: bool = True) -> None:
        self.model, self.requests, self.use_cache = model, requests, use_cache
        self._cancelled: set[int] = set()

    def cancel(self, index: int) -> None:
        """Make no more tokens for this request."""
        self._cancelled.add(index)

    def __iter__(self) -> Iterator[tuple[int, Token | None]]:
        for index, request in enumerate(self.requests):
            for token in _continue(self.model, request, self.use_cache):
                yield index, token
                if index in self._cancelled:
                    break


def _continue(model: GPT, request: Request, use_cache: bool) -> Iterator[Token | None]:
    device = next(model.parameters()).device
    block_size = model.config.block_size
    sampler = Sampler(request)
    visible = list(request.prompt)[-block_size:]  # what the model is shown
    cache = KVCache(model.config, 1, device, next(model.parameters()).dtype) if use_cache else None
    fed = 0  # how many of visible the cache holds
    for _ in range(request.config.max_new_tokens):
        if len(visible) > block_size:
            visible = visible[-max(1, block_size * 3 // 4) :]
            fed = 0
        if cache is not None and fed == 0:
            cache.reset()
        with torch.no_grad():  # not around the yield, where it would reach the caller's code
            chunk = torch.tensor([visible[fed:]], device=device)
            logits = model.lm_head(model.features(chunk, cache)[:, -1]).float()[0]  # (V,)
            chosen = sampler.choose(logits.cpu())
        if cache is not None:
            fed = len(visible)
        if chosen.id in request.end_ids:
            yield None
            return
        visible.append(chosen.id)
        yield chosen
