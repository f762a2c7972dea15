"""From logits to the next token of each text: penalties, filters, the draw."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from yocto.errors import CheckpointError
from yocto.sampling.logits import (
    apply_min_p,
    apply_repetition_penalty,
    apply_temperature,
    apply_top_k,
    apply_top_p,
)
from yocto.sampling.request import Request, Token


class Sampler:
    """Chooses one text's tokens, and remembers those it has chosen.

    ids: the prompt and what has been chosen since.
    """

    def __init__(self, request: Request) -> None:
        self.request, self.config = request, request.config
        self.ids = list(request.prompt)
        self._banned = torch.tensor(request.banned, dtype=torch.int64)

    def choose(self, logits: Tensor) -> Token:
        """The next token from logits (V,), on the CPU, float32; it joins `ids`."""
        token = Token(self._choose(logits.clone()))
        self.ids.append(token.id)
        return token

    def _choose(self, logits: Tensor) -> int:
        config = self.config
        logits[self._banned] = -math.inf
        if config.repetition_penalty != 1:
            unique = torch.tensor(sorted(set(self.ids)), dtype=torch.int64)
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
        probabilities = logits.softmax(dim=-1)
        if not torch.isfinite(probabilities).all():
            raise CheckpointError(
                "what the model computes is not a number: its weights are spoilt",
                "Use an earlier step of the run (--ckpt takes a step's folder), or train it anew.",
            )
        return draw(probabilities, self.request.generator)


def draw(probabilities: Tensor, generator: torch.Generator) -> int:
    """An id, by one number drawn evenly from 0..1: the first whose share, with those of all ids
    before it, is above that number. Rounding in the last place, which differs between a text alone
    and one in a batch, then hardly ever changes what is drawn."""
    at = torch.rand((), dtype=torch.float64, generator=generator)
    sums = probabilities.double().cumsum(dim=-1)  # (V,)
    chosen = int(torch.searchsorted(sums, at * sums[-1], right=True))
    return min(chosen, int(probabilities.nonzero()[-1]))


def choose_all(logits: Tensor, samplers: Sequence[Sampler]) -> list[Token]:
    """The next token of each text from logits (B, V), on the CPU, float32."""
    return [sampler.choose(row) for row, sampler in zip(logits, samplers, strict=True)]
