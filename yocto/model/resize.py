"""A model whose vocabulary has grown."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch

from yocto.model.gpt import GPT

NOISE = 0.1  # of the deviation of the old vectors


@torch.no_grad()
def with_tokens(model: GPT, vocab_size: int, ids: Sequence[int], generator: torch.Generator) -> GPT:
    """A model with the same weights, and vectors for the tokens `ids`, which are new to it.

    A new vector is the mean of the old ones, in the embedding and in the head, which makes a new
    token about as likely as an average one (Hewitt 2021, "Initializing New Word Embeddings for
    Pretrained Language Models"); a little noise tells the new ones apart. vocab_size: what the ids
    ask for at least; a model that has room for them already, as padded ones do, keeps its size.
    generator: of the CPU.
    """
    config = model.config
    size = max(vocab_size, config.vocab_size)
    grown = GPT(dataclasses.replace(config, vocab_size=size, given=config.given), generator)
    weights = dict(model.state_dict())
    fresh = sorted(ids)
    old = [i for i in range(config.vocab_size) if i not in set(fresh)]
    for name in ("wte.weight",) if config.tie_weights else ("wte.weight", "lm_head.weight"):
        known = weights[name]
        table = known.new_zeros(size, config.n_embd)
        table[: len(known)] = known
        mean, deviation = known[old].mean(0), known[old].std(0, correction=0)
        noise = torch.randn(len(fresh), config.n_embd, generator=generator).to(known.device)
        table[fresh] = mean + NOISE * deviation * noise
        weights[name] = table
    if config.tie_weights:
        weights["lm_head.weight"] = weights["wte.weight"]
    grown.load_state_dict(weights)
    return grown
