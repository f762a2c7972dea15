"""Which optimizer moves which weight, what decays, and that the settings arrive."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny import tiny_gpt, train_config

from yocto.config import FAMILIES
from yocto.model.gpt import GPT
from yocto.training.muon import Muon
from yocto.training.optimizer import EMBEDDING_FACTOR, MUON_FACTOR, make_optimizers


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=[True, False], ids=["tied", "untied"])
def model(request: pytest.FixtureRequest, family: str) -> GPT:
    return tiny_gpt(family=family, tie_weights=request.param)


@pytest.fixture(params=["muon", "adamw"])
def optimizer(request: pytest.FixtureRequest) -> str:
    return request.param


def groups_of(model: GPT, **knobs: Any) -> list[dict[str, Any]]:
    return [g for o in make_optimizers(model, train_config(**knobs)) for g in o.param_groups]


def test_every_weight_is_in_one_group_of_one_optimizer(model: GPT, optimizer: str) -> None:
    ours = [id(p) for g in groups_of(model, optimizer=optimizer) for p in g["params"]]
    assert sorted(ours) == sorted(id(p) for p in model.parameters())


def test_muon_moves_the_matrices_of_the_blocks_and_no_other_weight(model: GPT) -> None:
    muon, adamw = make_optimizers(model, train_config())
    assert isinstance(muon, Muon)
    assert isinstance(adamw, torch.optim.AdamW)
    ours = {id(p) for group in muon.param_groups for p in group["params"]}
    names = {name for name, p in model.named_parameters() if id(p) in ours}
    assert names == {
        name for name, p in model.named_parameters() if name.startswith("blocks.") and p.dim() == 2
    }
    assert "lm_head.weight" not in names


def test_adamw_moves_all_where_it_is_chosen(model: GPT) -> None:
    (adamw,) = make_optimizers(model, train_config(optimizer="adamw"))
    assert isinstance(adamw, torch.optim.AdamW)


def test_matrices_decay_and_norms_biases_and_embeddings_do_not(model: GPT, optimizer: str) -> None:
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    config = train_config(optimizer=optimizer, learning_rate=0.1, muon_lr=0.2, weight_decay=0.5)
    for p in model.parameters():
        p.grad = torch.zeros_like(p)  # so that nothing but decay moves them
    for made in make_optimizers(model, config):
        made.step()
    for name, p in model.named_parameters():
        if name.startswith("blocks.") and p.dim() == 2:
            rate = 0.2 if optimizer == "muon" else 0.1
        else:
            rate = 0.1 if name == "lm_head.weight" and optimizer == "adamw" else 0.0
        if rate:
            torch.testing.assert_close(p.detach(), before[name] * (1 - rate * 0.5), msg=name)
        else:
            assert torch.equal(p, before[name]), name


def test_a_step_goes_against_the_gradient_in_every_weight(model: GPT, optimizer: str) -> None:
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    config = train_config(optimizer=optimizer, learning_rate=1e-3, weight_decay=0.0)
    generator = torch.Generator().manual_seed(0)
    for p in model.parameters():
        p.grad = torch.randn(p.shape, generator=generator)
    for made in make_optimizers(model, config):
        made.step()
    for name, p in model.named_parameters():
        assert ((p - before[name]) * p.grad).sum() < 0, name


def test_the_settings_reach_both_optimizers() -> None:
    config = train_config(
        learning_rate=0.25, muon_lr=0.5, momentum=0.625, beta1=0.5, beta2=0.75, weight_decay=0.125
    )
    muon, adamw = (o.param_groups[0] for o in make_optimizers(tiny_gpt(), config))
    assert (muon["lr"], muon["momentum"], muon["weight_decay"]) == (0.5, 0.625, 0.125)
    assert (adamw["lr"], adamw["betas"], adamw["weight_decay"]) == (0.25, (0.5, 0.75), 0.0)
    assert adamw["fused"]
    (alone,) = make_optimizers(tiny_gpt(), train_config(optimizer="adamw", weight_decay=0.125))
    assert [group["weight_decay"] for group in alone.param_groups] == [0.125, 0.0]


def test_muons_rate_follows_adamws_where_it_is_not_given() -> None:
    open_rate = groups_of(tiny_gpt(), learning_rate=0.01)[0]
    assert open_rate["lr"] == pytest.approx(0.01 * MUON_FACTOR)
    assert groups_of(tiny_gpt(), learning_rate=0.01, muon_lr=0.0)[0]["lr"] == 0.0


def test_token_vectors_learn_faster_where_they_are_not_the_heads_too() -> None:
    for tied in (True, False):
        model = tiny_gpt(family="qwen3", tie_weights=tied)
        groups = groups_of(model, learning_rate=0.01)
        (rate,) = (g["lr"] for g in groups for p in g["params"] if p is model.wte.weight)
        assert rate == pytest.approx(0.01 if tied else 0.01 * EMBEDDING_FACTOR)


def test_each_group_keeps_its_peak_rate(optimizer: str) -> None:
    model = tiny_gpt(tie_weights=True)
    groups = groups_of(model, optimizer=optimizer, learning_rate=0.01, muon_lr=0.02)
    assert all(group["peak"] == group["lr"] for group in groups)
    peaks = [0.02, 0.01, 0.01] if optimizer == "muon" else [0.01, 0.01]
    assert [group["peak"] for group in groups] == peaks
