"""Matrices of weights: when the kernel computes, and what one byte a weight costs."""

from __future__ import annotations

import itertools

import pytest
import torch
from tiny import tiny_gpt, with_kernels

from yocto.model.kv_cache import KVCache
from yocto.model.linear import MOST_ROWS, PAGE, Int8Linear, Linear, for_generation
from yocto.utils.progress import SilentProgress


@pytest.mark.parametrize("family", ["gpt2", "llama", "qwen3"])  # with and without biases
def test_the_kernel_gives_torchs_logits_token_by_token(family: str) -> None:
    model = tiny_gpt(family=family, n_kv_head=1, bias=family == "gpt2")
    ids = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6], [2, 7, 1, 8, 2, 8, 1, 8]])
    with torch.no_grad():
        expected = model(ids)
        with_kernels(model)
        torch.testing.assert_close(model(ids), expected, rtol=1e-5, atol=1e-5)
        cache = KVCache(model.config, 2)
        steps = [model(ids[:, i : i + 1], cache) for i in range(8)]
    torch.testing.assert_close(torch.cat(steps, dim=1), expected, rtol=1e-5, atol=1e-5)


def test_the_kernel_computes_a_few_rows_without_gradients_and_nothing_else() -> None:
    part, calls = Linear(6, 5), []
    with_kernels(part)
    real = part.kernel
    assert real is not None
    part.kernel = lambda *args: calls.append(args[-2]) or real(*args)
    x = torch.randn(2, 3, 6)
    part(x).sum().backward()
    assert part.weight.grad is not None
    assert calls == []
    with torch.no_grad():
        part(x.transpose(0, 1))  # not in order
        part(torch.randn(MOST_ROWS + 1, 6))
        part.to(torch.bfloat16)(x.bfloat16())
    assert calls == [6]


def test_a_small_model_and_one_on_another_device_need_no_kernel() -> None:
    for model in (tiny_gpt(), tiny_gpt().to("meta")):
        for_generation(model, False, SilentProgress())
        assert all(part.kernel is None for part in model.modules() if isinstance(part, Linear))
    for_generation(model, True, SilentProgress())
    assert model.lm_head.kernel is None


def test_every_matrix_but_the_embedding_becomes_one_of_bytes() -> None:
    model = tiny_gpt(tie_weights=True)
    table = model.wte.weight.clone()
    with_kernels(model, int8=True)
    assert not any(isinstance(part, Linear) for part in model.modules())
    assert isinstance(model.lm_head, Int8Linear)
    assert torch.equal(model.wte.weight, table)
    step = table.abs().amax(dim=1, keepdim=True) / 127
    error = (model.lm_head.weight * model.lm_head.scale[:, None] - table).abs()
    assert (error <= 0.501 * step).all()


@pytest.mark.parametrize("rows", [1, 3, 16, MOST_ROWS + 1])
def test_bytes_compute_the_same_in_few_rows_and_in_many(rows: int) -> None:
    part = Linear(33, 21, bias=True)
    part.weight.data[4] = 0  # a row without any weight
    holder = torch.nn.Sequential(part)
    with_kernels(holder, int8=True)
    (bytes_,) = holder
    x = torch.randn(rows, 33)
    expected = x @ (bytes_.weight.float() * bytes_.scale[:, None]).t() + bytes_.bias
    with torch.no_grad():
        torch.testing.assert_close(bytes_(x), expected, rtol=1e-5, atol=1e-5)
    assert torch.isfinite(bytes_(x)).all()


@pytest.mark.parametrize("int8", [False, True])
def test_weights_lie_next_to_each_other_and_are_the_same(int8: bool) -> None:
    model, other = tiny_gpt(tie_weights=True), tiny_gpt(tie_weights=True)
    with_kernels(model, int8)
    assert int8 or model.lm_head.weight is model.wte.weight
    kinds = Int8Linear if int8 else Linear
    places = sorted(
        (part.weight.data_ptr(), part.weight.nbytes)
        for part in model.modules()
        if isinstance(part, kinds)
    )
    assert all(place % PAGE == 0 for place, _ in places)
    for (place, size), (following, _) in itertools.pairwise(places):
        assert place + size <= following < place + size + PAGE
    if not int8:
        for ours, theirs in zip(model.parameters(), other.parameters(), strict=True):
            assert torch.equal(ours, theirs)
