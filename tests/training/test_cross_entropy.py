"""The chunked cross-entropy against torch's own, which holds all logits."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

import yocto.training.cross_entropy as cross_entropy
from yocto.dataset.batches import IGNORED
from yocto.training.cross_entropy import chunk_rows, chunked_cross_entropy


def example(rows: int, vocab: int, width: int, seed: int, share_ignored: float = 0.0) -> Any:
    """Features, head and targets, of which some don't count, but not all."""
    g = torch.Generator().manual_seed(seed)
    features = torch.randn(rows, width, generator=g).requires_grad_()
    weight = torch.randn(vocab, width, generator=g).requires_grad_()
    targets = torch.randint(vocab, (rows,), generator=g)
    ignored = torch.rand(rows, generator=g) < share_ignored
    ignored[seed % rows] = False
    return features, weight, targets.masked_fill(ignored, IGNORED)


def plain(features: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy((features @ weight.T).float(), targets, ignore_index=IGNORED)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 40), vocab=st.integers(1, 60), width=st.integers(1, 20),
    chunk=st.integers(1, 50), seed=st.integers(0, 10**6), ignored=st.sampled_from([0.0, 0.3, 0.9]),
    outer=st.sampled_from([1.0, -2.5, 0.125]),
)  # fmt: skip
def test_loss_and_gradients_are_torchs(
    rows: int, vocab: int, width: int, chunk: int, seed: int, ignored: float, outer: float
) -> None:
    features, weight, targets = example(rows, vocab, width, seed, ignored)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cross_entropy, "CPU_LOGITS", chunk * vocab)
        assert chunk_rows(vocab, features.device) == chunk
        loss = chunked_cross_entropy(features, weight, targets)
        ours = torch.autograd.grad(loss * outer, (features, weight))
    expected = plain(features, weight, targets)
    theirs = torch.autograd.grad(expected * outer, (features, weight))
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, expected, atol=1e-5, rtol=1e-5)
    for gradient, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(gradient, other, atol=1e-5, rtol=1e-4)


def test_the_gradients_are_those_of_the_definition() -> None:
    """By finite differences, in double precision."""
    features, weight, targets = example(5, 7, 3, 1, 0.3)
    doubles = features.detach().double().requires_grad_(), weight.detach().double().requires_grad_()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cross_entropy, "CPU_LOGITS", 2 * 7)
        gradients = torch.autograd.grad(chunked_cross_entropy(features, weight, targets),
                                        (features, weight))  # fmt: skip
    expected = torch.autograd.grad(
        F.cross_entropy(doubles[0] @ doubles[1].T, targets, ignore_index=IGNORED), doubles
    )
    for gradient, other in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradient.double(), other, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_under_autocast_it_is_near_to_float32_and_gradients_have_the_weights_type(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, weight, targets = example(50, 40, 16, 3, 0.2)
    monkeypatch.setattr(cross_entropy, "CPU_LOGITS", 7 * 40)
    with torch.autocast("cpu", dtype):
        loss = chunked_cross_entropy(features, weight, targets)
    ours = torch.autograd.grad(loss, (features, weight))
    theirs = torch.autograd.grad(plain(features, weight, targets), (features, weight))
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, plain(features, weight, targets), atol=0.02, rtol=0.02)
    for gradient, other in zip(ours, theirs, strict=True):
        assert gradient.dtype == torch.float32
        assert (gradient - other).norm() < 0.02 * other.norm()


def test_features_in_bfloat16_get_gradients_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cross_entropy, "CPU_LOGITS", 7 * 40)
    features, weight, targets = example(50, 40, 16, 3)
    half = features.detach().bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        to_half, to_weight = torch.autograd.grad(
            chunked_cross_entropy(half, weight, targets), (half, weight)
        )
    assert (to_half.dtype, to_weight.dtype) == (torch.bfloat16, torch.float32)


class Sizes(TorchDispatchMode):
    """Remembers how large the tensors are that come about."""

    def __init__(self) -> None:
        super().__init__()
        self.largest, self.products = 0, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.products += func.__name__.startswith(("mm", "addmm"))
        for value in result if isinstance(result, list | tuple) else [result]:
            if isinstance(value, torch.Tensor):
                self.largest = max(self.largest, value.numel())
        return result


def test_the_logits_are_never_whole_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, vocab, width = 400, 300, 8
    features, weight, targets = example(rows, vocab, width, 5)
    monkeypatch.setattr(cross_entropy, "CPU_LOGITS", 30 * vocab)
    with Sizes() as ours:
        chunked_cross_entropy(features, weight, targets).backward()
    assert ours.largest == 30 * vocab
    with Sizes() as theirs:
        plain(features, weight, targets).backward()
    assert theirs.largest == rows * vocab  # and such a tensor would be seen


def test_where_no_gradient_is_wanted_none_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    features, weight, targets = example(40, 30, 8, 6)
    monkeypatch.setattr(cross_entropy, "CPU_LOGITS", 10 * 30)
    with torch.no_grad(), Sizes() as sizes:
        loss = chunked_cross_entropy(features, weight, targets)
    torch.testing.assert_close(loss, plain(features, weight, targets).detach())
    assert not loss.requires_grad
    assert sizes.products == 4  # one for each chunk


def test_backward_gives_a_head_alone_its_gradient() -> None:
    features, weight, targets = example(20, 30, 8, 7)
    chunked_cross_entropy(features.detach(), weight, targets).backward()
    ours = weight.grad.clone()
    (theirs,) = torch.autograd.grad(plain(features, weight, targets), weight)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)


def test_a_chunk_is_a_token_at_least() -> None:
    assert chunk_rows(1 << 30, torch.device("cpu")) == 1
    assert chunk_rows(50304, torch.device("cuda")) > chunk_rows(50304, torch.device("cpu"))
