"""One token of a few texts by the kernels, against the GPT itself."""

from __future__ import annotations

import itertools

import pytest
import torch
from tiny import tiny_gpt, with_kernels
from torch import nn

from yocto.config import FAMILIES
from yocto.model.gpt import GPT
from yocto.model.kv_cache import KVCache
from yocto.model.linear import Linear
from yocto.model.step import Step


def ready(model: GPT, int8: bool = False) -> GPT:
    """A model with weights that all matter, and with kernels, however small it is."""
    generator = torch.Generator().manual_seed(1)
    for p in model.parameters():
        p.data.normal_(0, 0.4, generator=generator)
    return with_kernels(model, int8)


def shapes():
    """Every kind of part with every other."""
    positions, mlps = ["learned", "rope", "sinusoidal"], ["gelu", "swiglu", "relu2"]
    for family, position, mlp in itertools.product(FAMILIES, positions, mlps):
        yield {"family": family, "position": position, "mlp": mlp, "bias": family == "gpt2"}
    yield {"family": "gpt2", "bias": False}
    yield {"family": "qwen3", "n_kv_head": 1}
    yield {"family": "llama", "n_head": 6, "n_kv_head": 2, "n_embd": 36}
    yield {"family": "gpt2", "n_head": 3, "n_embd": 21}
    yield {"family": "qwen3", "n_head": 3, "n_kv_head": 1, "head_size": 14}


@pytest.mark.parametrize(
    "shape", list(shapes()), ids=lambda shape: "-".join(map(str, shape.values()))
)
@pytest.mark.parametrize("int8", [False, True])
@torch.no_grad()
def test_a_step_is_the_networks(shape: dict, int8: bool) -> None:
    model = ready(tiny_gpt(block_size=12, **shape), int8)
    ids = torch.randint(0, model.config.vocab_size, (3, 12), generator=torch.manual_seed(2))
    expected = model.features(ids)
    step, cache = Step(model), KVCache(model.config, 3)
    found = torch.stack([step.features(ids[:, i].tolist(), cache).clone() for i in range(12)], 1)
    assert cache.lengths == [12] * 3
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_texts_of_different_lengths_step_together() -> None:
    model = ready(tiny_gpt(family="qwen3", n_kv_head=1, block_size=12))
    prompts = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 1, 2]]
    cache = KVCache(model.config, 3)
    for row, prompt in enumerate(prompts):
        part = cache.rows(row, row + 1)
        if len(prompt) > 1:
            model.features(torch.tensor([prompt[:-1]]), part)
        cache.lengths[row] = len(prompt) - 1
    found = Step(model).features([prompt[-1] for prompt in prompts], cache)
    expected = torch.cat([model.features(torch.tensor([prompt]))[:, -1] for prompt in prompts])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_text_is_the_same_to_the_last_bit_alone_and_among_others() -> None:
    model = ready(tiny_gpt(family="qwen3", block_size=12))
    step = Step(model)

    def last(texts: list[list[int]]) -> torch.Tensor:
        cache = KVCache(model.config, len(texts))
        for column in zip(*texts, strict=True):
            found = step.features(column, cache)
        return found.clone()

    texts = [[i, i % 3, (5 * i) % 11] for i in range(16)]
    assert torch.equal(last(texts), torch.cat([last([text]) for text in texts]))


def test_it_fits_a_model_of_kernels_on_a_cpu_alone() -> None:
    plain = tiny_gpt()
    assert not Step.fits(plain)
    assert Step.fits(ready(plain))
    assert not Step.fits(plain.bfloat16())
    assert not Step.fits(plain.float().to("meta"))


def test_it_fits_no_model_with_a_layer_that_has_no_kernel() -> None:
    model = ready(tiny_gpt())
    attn = model.blocks[1].get_submodule("attn")
    attn.k_proj = nn.Linear(16, 16, bias=False)
    assert not Step.fits(model)
    attn.k_proj = Linear(16, 16, bias=False)  # ours, but without one
    assert not Step.fits(model)
    assert Step.fits(ready(model))


@torch.no_grad()
def test_weights_may_change_between_two_steps() -> None:
    model = ready(tiny_gpt())
    step = Step(model)
    before = step.features([1], KVCache(model.config)).clone()
    for part in model.modules():
        if isinstance(part, Linear | nn.Embedding):
            part.weight.mul_(0.5)
    after = step.features([1], KVCache(model.config)).clone()
    torch.testing.assert_close(after, model.features(torch.tensor([[1]]))[0], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(after, before)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
@torch.no_grad()
def test_small_and_large_numbers_are_what_torch_makes_of_them(scale: float) -> None:
    from yocto.kernels.layers import GELU, RELU2, SWIGLU, activate

    x, gate = scale * torch.randn(2, 1000), scale * torch.randn(2, 1000)
    for kind, expected in (
        (GELU, nn.functional.gelu(x, approximate="tanh")),
        (SWIGLU, nn.functional.silu(gate) * x),
        (RELU2, x.relu().square()),
    ):
        found = x.clone()
        activate(kind, gate.data_ptr(), found.data_ptr(), found.numel())
        torch.testing.assert_close(found, expected, rtol=2e-6, atol=2e-7 * scale)
