"""A model whose vocabulary grows computes the same, and knows the new tokens a little."""

from __future__ import annotations

import pytest
import torch
from tiny import randomize, tiny_gpt

from yocto.model.resize import with_tokens


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("family", ["gpt2", "llama", "qwen3"])
def test_logits_of_the_old_tokens_stay(family: str) -> None:
    model = tiny_gpt(family=family)
    randomize(model, generator())
    grown = with_tokens(model, 30, [26, 27, 28, 29], generator())
    assert grown.config.vocab_size == 30
    idx = torch.arange(8)[None]
    torch.testing.assert_close(grown(idx)[..., :26], model(idx))
    assert (grown.lm_head.weight is grown.wte.weight) == grown.config.tie_weights


@pytest.mark.parametrize("family", ["gpt2", "qwen3"])
def test_new_vectors_are_near_the_mean_of_the_old_ones_and_differ(family: str) -> None:
    model = tiny_gpt(family=family)
    randomize(model, generator())
    grown = with_tokens(model, 28, [26, 27], generator(2))
    for table in (grown.wte.weight, grown.lm_head.weight):
        old, new = table[:26], table[26:]
        assert ((new - old.mean(0)).abs() < 0.5 * old.std(0)).all()
        assert not torch.equal(new[0], new[1])
    again = with_tokens(model, 28, [26, 27], generator(2))
    assert torch.equal(again.wte.weight, grown.wte.weight)


def test_a_padded_vocabulary_has_room_already() -> None:
    model = tiny_gpt()  # of 26, say that a tokenizer has 24
    randomize(model, generator())
    grown = with_tokens(model, 26, [24, 25], generator())
    assert grown.config == model.config
    assert torch.equal(grown.wte.weight[:24], model.wte.weight[:24])
    mean = model.wte.weight[:24].mean(0)
    assert (grown.wte.weight[24:] - mean).norm() < (model.wte.weight[24:] - mean).norm()
