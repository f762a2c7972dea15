"""The loss against its definition."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from tiny import tiny_gpt

import yocto.training.cross_entropy as cross_entropy
import yocto.training.loss as loss_module
from yocto.dataset.batches import IGNORED
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


def test_missing_targets_count_neither_in_the_sum_nor_in_the_mean() -> None:
    model = tiny_gpt()
    loss = LanguageModelLoss(model)
    idx = torch.tensor([[1, 2, 3, 4], [5, 6, 0, 0]])
    targets = torch.tensor([[2, 3, 4, 5], [6, 7, IGNORED, IGNORED]])
    whole, short = loss(idx[:1], targets[:1]), loss(idx[1:, :2], targets[1:, :2])
    expected = (4 * whole.item() + 2 * short.item()) / 6
    assert loss(idx, targets).item() == pytest.approx(expected, rel=1e-5)


def test_a_document_starts_with_its_end_token_where_documents_are_kept_apart() -> None:
    model, end = tiny_gpt(block_size=9), 25
    idx = torch.tensor([[1, 2, end, 3, 4, 5, end, end, 6]])
    targets = torch.tensor([[2, end, 3, 4, 5, end, end, 6, 7]])
    documents = [slice(0, 2), slice(2, 6), slice(6, 7), slice(7, 9)]
    apart = [
        LanguageModelLoss(model)(idx[:, part], targets[:, part]).item() * (part.stop - part.start)
        for part in documents
    ]
    assert LanguageModelLoss(model, end)(idx, targets).item() == pytest.approx(
        sum(apart) / 9, rel=1e-5
    )
    across = LanguageModelLoss(model)(idx, targets).item()
    assert across != pytest.approx(sum(apart) / 9, rel=1e-3)


def test_without_documents_to_keep_apart_the_model_gets_no_segments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, seen = tiny_gpt(), []
    features = model.features

    def noting(idx: torch.Tensor, **knobs: Any) -> torch.Tensor:
        seen.append(knobs)
        return features(idx, **knobs)

    monkeypatch.setattr(model, "features", noting)
    idx = torch.tensor([[1, 25, 3]])
    LanguageModelLoss(model)(idx, idx)
    LanguageModelLoss(model, 25)(idx, idx)
    assert seen[0] == {"segments": None}
    assert seen[1]["segments"].tolist() == [[0, 1, 1]]


@pytest.mark.parametrize("tied", [True, False])
def test_the_loss_and_its_gradients_are_the_same_with_all_logits_and_with_a_few_at_a_time(
    tied: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_gpt(tie_weights=tied)
    idx = torch.randint(26, (3, 8), generator=torch.Generator().manual_seed(1))
    targets = torch.randint(26, (3, 8), generator=torch.Generator().manual_seed(2))
    targets[0, 5:] = IGNORED

    def taken() -> tuple[float, dict[str, torch.Tensor]]:
        model.zero_grad()
        loss = LanguageModelLoss(model)(idx, targets)
        loss.backward()
        return loss.item(), {name: p.grad.clone() for name, p in model.named_parameters()}

    calls = []
    chunked = cross_entropy.chunked_cross_entropy
    monkeypatch.setattr(
        loss_module, "chunked_cross_entropy", lambda *args: calls.append(1) or chunked(*args)
    )
    loss, gradients = taken()
    assert not calls
    monkeypatch.setattr(cross_entropy, "CPU_LOGITS", 5 * 26)  # five tokens at a time
    again, others = taken()
    assert calls
    assert again == pytest.approx(loss, rel=1e-6)
    for name, gradient in gradients.items():
        torch.testing.assert_close(others[name], gradient, atol=1e-6, rtol=1e-4, msg=name)
