"""What the optimizer decays, and that it reaches every weight."""

from __future__ import annotations

import pytest
import torch
from tiny import tiny_gpt, train_config

from yocto.config import FAMILIES
from yocto.model.gpt import GPT
from yocto.training.optimizer import make_optimizer


@pytest.fixture(params=FAMILIES)
def model(request: pytest.FixtureRequest) -> GPT:
    return tiny_gpt(family=request.param)


def test_every_weight_is_in_one_group(model: GPT) -> None:
    optimizer = make_optimizer(model, train_config())
    ours = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(ours) == sorted(id(p) for p in model.parameters())


def test_matrices_decay_and_norms_biases_and_embeddings_do_not(model: GPT) -> None:
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = make_optimizer(model, train_config(learning_rate=0.1, weight_decay=0.5))
    for p in model.parameters():
        p.grad = torch.zeros_like(p)  # so that nothing but decay moves them
    optimizer.step()
    for name, p in model.named_parameters():
        if p.dim() < 2 or name in ("wte.weight", "wpe.weight"):
            assert torch.equal(p, before[name]), name
        else:
            torch.testing.assert_close(p.detach(), before[name] * (1 - 0.1 * 0.5), msg=name)


def test_a_step_goes_against_the_gradient_in_every_weight(model: GPT) -> None:
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = make_optimizer(model, train_config(learning_rate=1e-3, weight_decay=0.0))
    generator = torch.Generator().manual_seed(0)
    for p in model.parameters():
        p.grad = torch.randn(p.shape, generator=generator)
    optimizer.step()
    for name, p in model.named_parameters():
        assert ((p - before[name]) * p.grad).sum() < 0, name


def test_the_settings_reach_the_optimizer() -> None:
    config = train_config(learning_rate=0.25, beta1=0.5, beta2=0.75, weight_decay=0.125)
    group = make_optimizer(tiny_gpt(), config).param_groups[0]
    assert (group["lr"], group["betas"], group["weight_decay"]) == (0.25, (0.5, 0.75), 0.125)
