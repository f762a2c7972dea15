"""LoRA: factors beside matrices that stay as they are, and their sum as a plain model."""

from __future__ import annotations

import copy

import pytest
import torch
from tiny import LETTERS, randomize, tiny_gpt, train_config, with_kernels

from yocto.api import LanguageModel
from yocto.model.gpt import GPT
from yocto.model.step import Step
from yocto.sampling.engine import Engine
from yocto.tokenizer.char import CharTokenizer
from yocto.training.lora import (
    LoraLinear,
    add_factors,
    factors_state,
    has_factors,
    load_factors,
    plain_model,
)
from yocto.training.loss import LanguageModelLoss
from yocto.training.optimizer import make_optimizers

IDX = torch.arange(16).view(2, 8)
IDS = (3, 25)
FAMILIES = pytest.mark.parametrize("family", ["gpt2", "llama", "qwen3"])


def adapted(family: str = "qwen3") -> tuple[GPT, GPT]:
    """A model, and one with factors that were drawn anew."""
    model = tiny_gpt(family=family)
    randomize(model, torch.Generator().manual_seed(1))
    changed = copy.deepcopy(model)
    add_factors(changed, 2, 4.0, IDS, seed=7)
    return model, changed


def stir(model: GPT) -> None:
    """Draw what is trained anew."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p.normal_(0, 0.3, generator=generator)


@FAMILIES
def test_factors_change_nothing_at_first(family: str) -> None:
    model, changed = adapted(family)
    torch.testing.assert_close(changed(IDX), model(IDX))


@FAMILIES
def test_the_sum_is_a_plain_model_that_computes_the_same(family: str) -> None:
    model, changed = adapted(family)
    stir(changed)
    plain = plain_model(changed)
    torch.testing.assert_close(plain(IDX), changed(IDX), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(plain(IDX), model(IDX))
    assert plain.state_dict().keys() == model.state_dict().keys()
    assert (plain.lm_head.weight is plain.wte.weight) == model.config.tie_weights
    kept = [i for i in range(26) if i not in IDS]
    assert torch.equal(plain.wte.weight[kept], model.wte.weight[kept])
    assert has_factors(changed) and not has_factors(plain)


@FAMILIES
def test_the_sum_writes_with_kernels_what_it_writes_without(family: str) -> None:
    _, changed = adapted(family)
    stir(changed)
    assert not Step.fits(changed)
    plain = plain_model(changed).eval()
    quick = with_kernels(copy.deepcopy(plain))
    assert Step.fits(quick) and not Step.fits(plain)
    texts = [[1], [3, 25, 7], [4, 5]]
    found, expected = (Engine(model).read(texts) for model in (quick, plain))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
    for seed in range(5):
        one, other = (
            LanguageModel(model, CharTokenizer(LETTERS)).generate("ab", max_new_tokens=6, seed=seed)
            for model in (quick, plain)
        )
        assert one == other


def test_a_factor_is_alpha_over_rank_b_a_as_in_the_paper() -> None:
    linear = torch.nn.Linear(3, 4)
    layer = LoraLinear(linear, 2, 6.0, torch.Generator().manual_seed(1))
    with torch.no_grad():
        layer.lora_b.normal_()
    x = torch.randn(5, 3)
    expected = linear(x) + 6.0 / 2 * x @ (layer.lora_b @ layer.lora_a).T
    torch.testing.assert_close(layer(x), expected)
    torch.testing.assert_close(layer.merged()(x), expected)


@FAMILIES
def test_only_factors_and_some_vectors_are_trained_and_have_a_state(family: str) -> None:
    model, changed = adapted(family)
    named = changed.named_parameters(remove_duplicate=False)
    trained = {name for name, p in named if p.requires_grad}
    assert all(n.endswith(("lora_a", "lora_b", "table.rows")) for n in trained)
    matrices = sum(p.dim() == 2 for n, p in model.named_parameters() if n.startswith("blocks."))
    assert len(trained) == 2 * matrices + 2  # and a table's rows in the embedding and in the head
    (optimizer,) = make_optimizers(changed, train_config(optimizer="adamw", learning_rate=0.1))
    before = copy.deepcopy(changed.state_dict())
    LanguageModelLoss(changed)(IDX, IDX.flip(1)).backward()
    optimizer.step()
    optimizer.step()  # the first one moves no A, since B is 0
    moved = {n for n, x in changed.state_dict().items() if not torch.equal(x, before[n])}
    assert moved <= trained and any(n.endswith("lora_b") for n in moved)
    assert any("table.rows" in n for n in moved)
    sizes = sum(s["exp_avg"].numel() for s in optimizer.state.values())
    assert sizes == sum(p.numel() for p in changed.parameters() if p.requires_grad)


def test_making_the_sum_draws_no_random_numbers() -> None:
    _, changed = adapted()
    before = torch.get_rng_state()
    plain_model(changed)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_state_brings_weights_and_factors_back() -> None:
    _, changed = adapted()
    stir(changed)
    state = copy.deepcopy(factors_state(changed))
    again = plain_model(changed)  # what a checkpoint has
    add_factors(again, 2, 4.0, IDS, seed=7)
    load_factors(again, state)
    assert torch.equal(again(IDX), changed(IDX))
    for name, x in changed.state_dict().items():
        assert torch.equal(again.state_dict()[name], x)


def test_a_state_that_does_not_fit_is_refused() -> None:
    model, changed = adapted()
    load_factors(model, {})
    load_factors(model, None)
    assert factors_state(model) == {}
    with pytest.raises(ValueError, match="--lora-rank"):
        load_factors(model, factors_state(changed))
    for name, bad in (
        ("wte.table.rows", torch.full((2, 16), torch.nan)),
        ("wte.table.rows", torch.zeros(2, 16, dtype=torch.int64)),
        ("wte.table.rows", 3),
        ("wte.table.rows", torch.zeros(3, 16)),
        ("another", torch.zeros(3)),
    ):
        with pytest.raises((ValueError, RuntimeError)):
            load_factors(changed, {**factors_state(changed), name: bad})
