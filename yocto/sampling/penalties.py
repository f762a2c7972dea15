"""What a text's own tokens, and the user, do to its logits before any is chosen."""

from __future__ import annotations

import copy
import math
from typing import Self

import torch
from torch import Tensor

from yocto.errors import CheckpointError, ConfigError
from yocto.sampling.logits import (
    NEVER,
    apply_frequency_penalty,
    apply_logit_bias,
    apply_presence_penalty,
    apply_repetition_penalty,
)
from yocto.sampling.request import Request


class Penalties:
    """The biases and penalties of one text, which depend on what it says; counted token by token,
    so that a long text takes no longer than a short one. In transformers' order."""

    def __init__(self, request: Request) -> None:
        self._request, config = request, request.config
        self._biases = config.biases()
        self._repetition = config.repetition_penalty
        self._presence, self._frequency = config.presence_penalty, config.frequency_penalty
        self._fixed: Tensor | None = None  # (V,), biases and banned ids, once V is known
        self._is_fixed = bool(self._biases or request.banned)
        self._lowered = frozenset([*self._biases, *request.banned])
        self._seen: dict[int, None] = {}  # in order; the repetition penalty counts the prompt, too
        if self._repetition != 1:
            self._seen = dict.fromkeys(request.prompt)
        self._ids = torch.tensor(list(self._seen), dtype=torch.int64)  # with room behind them
        self._counts: Tensor | None = None  # (V,), of generated tokens
        self._does_count = bool(self._presence or self._frequency)
        self._generated: list[int] = []  # not yet in the counts
        raises = any(bias > 0 for bias in self._biases.values())
        self._depends = raises or self._does_count or self._repetition != 1

    def apply(self, logits: Tensor) -> Tensor:
        """Logits (V,), float32, as they are to be chosen from; those given stay as they are."""
        if self._is_fixed:
            if self._fixed is None:
                self._fixed = self._make_fixed(len(logits))
            logits = logits + self._fixed
        if self._seen:
            seen = self._ids[: len(self._seen)]
            logits = apply_repetition_penalty(logits, seen, self._repetition)
        if self._does_count:
            counts = self._counted(len(logits))
            if self._presence:
                logits = apply_presence_penalty(logits, counts, self._presence)
            if self._frequency:
                logits = apply_frequency_penalty(logits, counts, self._frequency)
        return logits

    def spare(self, token_id: int) -> bool:
        """Whether this token, if it is the likeliest of the logits given, is so of what `apply`
        makes of them; False where that is to be computed."""
        return not self._depends and token_id not in self._lowered

    def count(self, token_id: int) -> None:
        """A token was generated."""
        if self._repetition != 1 and token_id not in self._seen:
            if len(self._seen) == len(self._ids):
                self._ids = torch.cat([self._ids, torch.zeros(64 + len(self._ids)).long()])
            self._ids[len(self._seen)] = token_id
            self._seen[token_id] = None
        if self._does_count:
            self._generated.append(token_id)

    def copy(self) -> Self:
        """The same, for a text that goes on in another way."""
        other = copy.copy(self)
        other._seen, other._generated = dict(self._seen), list(self._generated)
        if self._repetition != 1:
            other._ids = self._ids.clone()
        if self._counts is not None:
            other._counts = self._counts.clone()
        return other

    def _make_fixed(self, vocab_size: int) -> Tensor:
        fixed = torch.zeros(vocab_size)
        if self._biases:
            ids, biases = torch.tensor(list(self._biases)), torch.tensor([*self._biases.values()])
            fixed = apply_logit_bias(fixed, ids, biases)
        fixed[torch.tensor(self._request.banned, dtype=torch.int64)] = NEVER
        return fixed

    def _counted(self, vocab_size: int) -> Tensor:
        if self._counts is None:
            self._counts = torch.zeros(vocab_size)
        for token_id in self._generated:
            self._counts[token_id] += 1
        self._generated.clear()
        return self._counts


def check_likeliest(logit: float) -> None:
    """Raise where a text's largest logit is none to choose: NaN or infinite is the model's fault,
    minus infinity the user's, who banned all."""
    if logit == -math.inf:
        raise ConfigError(
            "no token may come next: logit_bias bans them all", "Give fewer of them -inf."
        )
    if not math.isfinite(logit):
        raise CheckpointError(
            "what the model computes is not a number: its weights are spoilt",
            "Use an earlier step of the run (--ckpt takes a step's folder), or train it anew.",
        )
