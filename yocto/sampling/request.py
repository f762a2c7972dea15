"""What the engine is asked for, and what it answers: ids, never text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from yocto.config import SamplingConfig


@dataclass(frozen=True)
class Token:
    """One chosen token.

    logprob: the natural logarithm of its share as the model gives it, before any knob; None where
    nobody asked. top: the likeliest tokens at this place and theirs, the likeliest first.
    """

    id: int
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = ()


Reframe = Callable[[list[int]], list[int] | None]


@dataclass(frozen=True)
class Request:
    """A text to continue, and how.

    prompt: at least one id. end_ids: ids that end the text; they are no part of it. banned: ids
    that are never chosen. logprobs: how many of the likeliest tokens are told with each chosen one;
    0 tells the chosen one's logprob alone, None nothing. generator: draws this text's tokens, one
    number for each, and no other text's: what else is in the batch changes nothing. reframe: gives
    what the model is to be shown once the text has grown longer than its context, from the ids
    chosen so far, which have to be the end of it; or None, which ends the text. Without it the
    oldest ids are forgotten.
    """

    prompt: Sequence[int]
    config: SamplingConfig
    end_ids: frozenset[int] = frozenset()
    banned: Sequence[int] = ()
    logprobs: int | None = None
    generator: torch.Generator = field(default_factory=torch.Generator)
    reframe: Reframe | None = None


def make_generator(seed: int | None) -> torch.Generator:
    """A random generator for choosing tokens; None seeds it from the system."""
    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    return generator


def make_generators(seed: int | None, count: int) -> list[torch.Generator]:
    """Generators of texts that are made together: seed, seed + 1, …"""
    return [make_generator(None if seed is None else (seed + i) % 2**63) for i in range(count)]
