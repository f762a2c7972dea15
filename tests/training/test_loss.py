"""The loss against its definition."""

from __future__ import annotations

import math

import pytest
import torch
from tiny import tiny_gpt

from yocto.training.loss import LanguageModelLoss


def test_the_loss_is_the_mean_surprise_of_the_targets_in_nats() -> None:
    model = tiny_gpt()
    idx = torch.tensor([[1, 2, 3], [4, 5, 6]])
    targets = torch.tensor([[2, 3, 4], [9, 9, 9]])
    shares = model(idx).softmax(dim=-1)
    surprises = [
        -math.log(shares[row, t, targets[row, t]].item()) for row in range(2) for t in range(3)
    ]
    loss = LanguageModelLoss(model)(idx, targets)
    assert loss.shape == ()
    assert loss.item() == pytest.approx(sum(surprises) / 6, rel=1e-5)


def test_the_loss_is_float32_whatever_the_model_computes_in() -> None:
    model = tiny_gpt().to(torch.bfloat16)
    idx = torch.tensor([[1, 2, 3]])
    assert LanguageModelLoss(model)(idx, idx).dtype == torch.float32


def test_the_loss_holds_the_models_own_weights() -> None:
    model = tiny_gpt()
    LanguageModelLoss(model)(torch.tensor([[1, 2]]), torch.tensor([[2, 3]])).backward()
    assert all(p.grad is not None for p in model.parameters())
