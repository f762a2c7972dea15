"""A model without weights is a new one in all but its weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny import tiny_config, tiny_gpt

from yocto.model.empty import empty_gpt
from yocto.model.gpt import GPT

SHAPES: dict[str, dict[str, Any]] = {
    "gpt2": {"family": "gpt2"},
    "untied": {"family": "gpt2", "tie_weights": False},
    "sinusoidal": {"position": "sinusoidal"},
    "llama": {"family": "llama", "n_kv_head": 1, "rope_base": 500.0},
    "slowed": {"family": "llama", "rope_scaling": "llama3:4:1:4:16"},
    "qwen3": {"family": "qwen3", "head_size": 6, "dropout": 0.1},
}


@pytest.mark.parametrize("name", SHAPES)
def test_its_parts_and_buffers_are_those_of_a_new_model(name: str) -> None:
    config = tiny_config(**SHAPES[name])
    new, empty = GPT(config), empty_gpt(config)
    assert str(empty) == str(new)
    assert empty.training
    assert empty.config == config
    for ours, theirs in (
        (dict(empty.named_parameters()), dict(new.named_parameters())),
        (empty.state_dict(), new.state_dict()),
        (dict(empty.named_buffers()), dict(new.named_buffers())),
    ):
        assert [(key, value.shape, value.dtype, value.device, value.requires_grad)
                for key, value in ours.items()] == [
            (key, value.shape, value.dtype, value.device, value.requires_grad)
            for key, value in theirs.items()
        ]  # fmt: skip
    for key, value in new.named_buffers():
        assert torch.equal(empty.get_buffer(key), value), key
    assert (empty.lm_head.weight is empty.wte.weight) == bool(config.tie_weights)


@pytest.mark.parametrize("name", SHAPES)
def test_with_the_weights_of_another_it_computes_the_same(name: str) -> None:
    model = tiny_gpt(**SHAPES[name])
    empty = empty_gpt(model.config)
    empty.load_state_dict(model.state_dict())
    ids = torch.arange(8)[None]
    assert torch.equal(empty.eval()(ids), model(ids))


def test_no_random_number_is_drawn() -> None:
    before = torch.get_rng_state()
    for shape in SHAPES.values():
        empty_gpt(tiny_config(**shape))
    assert torch.equal(torch.get_rng_state(), before)


def test_it_is_on_the_cpu_whatever_the_default_device_is() -> None:
    with torch.device("meta"):
        empty = empty_gpt(tiny_config())
    assert {value.device.type for value in [*empty.parameters(), *empty.buffers()]} == {"cpu"}
    assert bool(empty.get_buffer("cos").any())
