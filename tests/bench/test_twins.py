"""transformers' models with our weights: the same logits, whatever the weights are."""

from __future__ import annotations

import pytest
import torch
from tiny import tiny_gpt

from yocto.bench.twins import twin_of


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize(
    ("family", "n_kv_head"), [("gpt2", 4), ("llama", 4), ("llama", 2), ("qwen3", 4), ("qwen3", 1)]
)
def test_a_twin_has_the_logits_of_the_model(family: str, n_kv_head: int, tied: bool) -> None:
    model = tiny_gpt(
        family=family, n_head=4, n_kv_head=n_kv_head, n_embd=32, block_size=24, tie_weights=tied,
        rope_base=500.0, norm_eps=1e-3,
    )  # fmt: skip
    idx = torch.randint(26, (3, 24), generator=torch.Generator().manual_seed(1))
    twin = twin_of(model)
    with torch.no_grad():
        expected, got = model(idx), twin(idx).logits
    assert expected.std() > 0.1
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)
    assert not twin.training


def test_a_twin_does_not_share_memory_with_the_model() -> None:
    model = tiny_gpt(family="gpt2")
    twin = twin_of(model)
    before = model.lm_head.weight.clone()
    with torch.no_grad():
        for p in twin.parameters():
            p.zero_()
    assert torch.equal(model.lm_head.weight, before)
