"""From logits to the next token of each text: penalties, filters, the draw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from yocto.sampling.logits import (
    NEVER,
    apply_min_p,
    apply_temperature,
    apply_top_k,
    apply_top_p,
    apply_typical_p,
    nucleus,
)
from yocto.sampling.penalties import Penalties, check_likeliest
from yocto.sampling.request import Request, Token

COLDEST = 1e-6  # below it the likeliest token has all the share that float32 can tell


class Sampler:
    """Chooses one text's tokens, and counts those it has chosen."""

    def __init__(self, request: Request) -> None:
        self.request, self.config = request, request.config
        self._penalties = Penalties(request)
        self._greedy = self.config.greedy or self.config.temperature < COLDEST

    def choose(self, logits: Tensor, likeliest: int | None = None) -> Token:
        """The next token from logits (V,), on the CPU, float32. likeliest: the first place of the
        largest of them, where that is known and finite."""
        if likeliest is not None and self._greedy and self._penalties.spare(likeliest):
            self._penalties.count(likeliest)
            return told(likeliest, logits, self.request.logprobs)
        likely = self._penalties.apply(logits)
        if self._greedy:
            token_id = int(likely.numpy().argmax())  # a NaN, where there is one
            check_likeliest(float(likely[token_id]))
        else:
            ids, shares = self._filtered(likely)
            place = draw(shares, self.request.generator)
            token_id = place if ids is None else int(ids[place])
        self._penalties.count(token_id)
        return told(token_id, logits, self.request.logprobs)

    def shares(self, logits: Tensor) -> Tensor:
        """How likely each token is to come next, (V,), with every knob of the draw."""
        ids, shares = self._filtered(self._penalties.apply(logits))
        return shares if ids is None else torch.zeros(len(logits)).index_add(0, ids, shares)

    def _filtered(self, logits: Tensor) -> tuple[Tensor | None, Tensor]:
        """The ids that may come next in rising order, None for all, and their shares.

        Filters come in transformers' order, each of what the last one kept. Few tokens are left
        after most, and the work that follows is as short.
        """
        config = self.config
        top = float(logits.max())
        check_likeliest(top)
        # With the largest logit at 0, no temperature can make it infinite.
        logits, ids = apply_temperature(logits - top, config.temperature), None
        if config.top_k is not None and config.top_k < len(logits):
            logits, ids = _keep(apply_top_k(logits, config.top_k), ids)
        if config.top_p < 1:
            if (few := nucleus(logits, config.top_p)) is not None:
                few = few.sort().values
                logits, ids = logits[few], few if ids is None else ids[few]
            else:
                logits, ids = _keep(apply_top_p(logits, config.top_p), ids)
        if config.min_p > 0:
            logits = apply_min_p(logits, config.min_p)
        if config.typical_p < 1:
            logits = apply_typical_p(logits, config.typical_p)
        return ids, logits.softmax(dim=-1)


def _keep(logits: Tensor, ids: Tensor | None) -> tuple[Tensor, Tensor]:
    """The logits that a filter left, and their ids."""
    kept = torch.from_numpy(np.flatnonzero(logits.numpy() > NEVER))  # torch's takes three times it
    return logits[kept], kept if ids is None else ids[kept]


def told(token_id: int, logits: Tensor, logprobs: int | None) -> Token:
    """A token with what is to be told of it. logits: (V,), the model's, as no knob has changed
    them. logprobs: as in Request."""
    if logprobs is None:
        return Token(token_id)
    all_ = logits.log_softmax(dim=-1)
    top: tuple[tuple[int, float], ...] = ()
    if logprobs:
        values, ids = all_.topk(min(logprobs, len(all_)))
        top = tuple(zip(ids.tolist(), values.tolist(), strict=True))
    return Token(token_id, float(all_[token_id]), top)


def draw(shares: Tensor, generator: torch.Generator) -> int:
    """A place in shares (n,), by one number drawn evenly from 0..1: the first whose share, with
    those of all places before it, is above that number. Rounding in the last place, which differs
    between a text alone and one in a batch, then hardly ever changes what is drawn."""
    at = torch.rand((), dtype=torch.float64, generator=generator)
    sums = shares.cumsum(dim=-1, dtype=torch.float64)  # (n,)
    chosen = int(torch.searchsorted(sums, at * sums[-1], right=True))
    # Rounded up, the number may be the whole sum.
    return chosen if chosen < len(sums) else int(shares.nonzero()[-1])


def choose_all(logits: Tensor, samplers: Sequence[Sampler]) -> list[Token]:
    """The next token of each text from logits (B, V), on the CPU, float32. The largest logit is
    looked for in all texts at once."""
    table = logits.numpy()
    places = table.argmax(axis=1)
    finite = np.isfinite(table[np.arange(len(table)), places]).tolist()
    return [
        sampler.choose(row, place if is_finite else None)
        for row, sampler, place, is_finite in zip(
            logits, samplers, places.tolist(), finite, strict=True
        )
    ]
