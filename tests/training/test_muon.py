"""Muon against the singular value decomposition, and against a slow one of its own."""

from __future__ import annotations

import io
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from yocto.training.muon import POLYNOMIALS, Muon, _by_gram, _step_by_step, orthogonal

SHAPES = [(1, 1), (1, 7), (2, 2), (3, 5), (8, 8), (16, 48), (32, 40), (64, 64), (5, 500), (96, 256)]


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def polar(x: torch.Tensor) -> torch.Tensor:
    """U Vᵀ of each matrix, by decomposition."""
    u, _, v = torch.linalg.svd(x.double(), full_matrices=False)
    return u @ v


def near(result: torch.Tensor, x: torch.Tensor) -> None:
    """result = U D Vᵀ with D as the docstring promises: around one, or small where x is."""
    u, s, v = torch.linalg.svd(x.double(), full_matrices=False)
    inner = u.mT @ result.double() @ v.mT
    values = inner.diagonal(dim1=-2, dim2=-1)
    rest = inner - torch.diag_embed(values)
    assert rest.abs().max() < 2e-3  # U and V are those of x
    relative = s / x.double().norm(dim=(-2, -1), keepdim=True).squeeze(-1)
    large = values[relative > 1e-3]
    assert ((large > 0.13) & (large < 1.87)).all(), (large.min(), large.max())
    small = values[relative <= 1e-3]
    assert ((small > -1e-3) & (small < 0.14)).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", [1.0, 1e-4, 1e4])
def test_singular_values_become_nearly_one_and_the_directions_stay(
    shape: tuple[int, int], scale: float
) -> None:
    x = torch.stack([random(*shape, seed=seed) for seed in range(4)]) * scale
    near(orthogonal(x), x)


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 24), more=st.integers(0, 60), seed=st.integers(0, 10**6))
def test_matrices_of_any_shape_become_nearly_orthogonal(n: int, more: int, seed: int) -> None:
    x = random(2, n, n + more, seed=seed)
    near(orthogonal(x), x)


@pytest.mark.parametrize(
    "values",
    [[1.0, 0.5, 0.1, 0.01], [1.0, 1e-2, 3e-3, 1.5e-3], [1.0, 1.0, 1.0, 1.0], [1.0, 0.0, 0.0, 0.0],
     [1.0, 1e-4, 1e-5, 1e-6]],
)  # fmt: skip
def test_spectra_of_all_kinds_come_near_to_one(values: list[float]) -> None:
    u, _, v = torch.linalg.svd(random(4, 9), full_matrices=False)
    x = (u * torch.tensor(values)) @ v
    near(orthogonal(x[None]), x[None])


def test_the_result_looks_along_the_exact_one() -> None:
    x = random(3, 24, 96, seed=1)
    result, exact = orthogonal(x), polar(x)
    cosine = (result.double() * exact).sum() / (result.double().norm() * exact.norm())
    assert cosine > 0.9


def test_the_polynomials_bring_all_values_from_a_thousandth_to_one_near_to_one() -> None:
    x = torch.logspace(-3, 0, 10_001, dtype=torch.float64)
    for a, b, c in POLYNOMIALS:
        x = a * x + b * x**3 + c * x**5
    assert x.min() > 0.13 and x.max() < 1.87


@pytest.mark.parametrize("shape", SHAPES)
def test_by_way_of_the_gram_matrix_comes_the_same_as_step_by_step(shape: tuple[int, int]) -> None:
    x = random(3, *shape, seed=2)
    x = x / x.norm(dim=(-2, -1), keepdim=True)
    torch.testing.assert_close(_by_gram(x), _step_by_step(x), atol=2e-4, rtol=1e-3)
    exact = _step_by_step(x.double())
    torch.testing.assert_close(_by_gram(x.double()), exact, atol=1e-11, rtol=1e-11)


@pytest.mark.parametrize("shape", [(3, 4), (3, 30)])  # step by step, and by Gram
def test_a_matrix_of_zeros_stays_so_and_is_finite(shape: tuple[int, int]) -> None:
    assert torch.equal(orthogonal(torch.zeros(2, *shape)), torch.zeros(2, *shape))
    tiny = orthogonal(torch.full((1, *shape), 1e-30))
    assert tiny.isfinite().all()


@pytest.mark.parametrize("shape", [(8, 8), (8, 40)])
def test_a_batch_is_as_one_by_one(shape: tuple[int, int]) -> None:
    x = random(5, *shape, seed=3)
    single = torch.cat([orthogonal(one[None]) for one in x])
    torch.testing.assert_close(orthogonal(x), single, atol=1e-6, rtol=1e-5)


# ---------------------------------------------------------------------------------------- a step


def slow_step(
    p: torch.Tensor, gradient: torch.Tensor, mean: torch.Tensor, knobs: dict[str, float]
) -> tuple[torch.Tensor, torch.Tensor]:
    """One step of one matrix as the papers have it, number by number: the new matrix and mean."""
    beta = knobs["momentum"]
    mean = beta * mean + (1 - beta) * gradient
    x = (beta * mean + (1 - beta) * gradient).double()  # Nesterov: one step ahead
    x = x / (x.norm() * 1.01 + 1e-7)
    for a, b, c in POLYNOMIALS:
        x = a * x + b * x @ x.T @ x + c * x @ x.T @ x @ x.T @ x
    rows, columns = p.shape
    lr = knobs["lr"]
    p = p * (1 - lr * knobs["weight_decay"])
    return p - lr * math.sqrt(max(1.0, rows / columns)) * x.float(), mean


KNOBS = {"lr": 0.05, "momentum": 0.85, "weight_decay": 0.2}


def test_steps_are_those_of_a_slow_and_obvious_one() -> None:
    shapes = [(6, 6), (4, 12), (12, 4), (6, 6), (3, 40), (40, 3), (7, 8)]
    params = [random(*shape, seed=i).requires_grad_() for i, shape in enumerate(shapes)]
    expected = [(p.detach().clone(), torch.zeros(p.shape)) for p in params]
    optimizer = Muon(params, **KNOBS)
    for step in range(5):
        for i, p in enumerate(params):
            p.grad = random(*p.shape, seed=100 * step + i)
            expected[i] = slow_step(expected[i][0], p.grad, expected[i][1], KNOBS)
        optimizer.step()
        for p, (weights, mean) in zip(params, expected, strict=True):
            torch.testing.assert_close(p.detach(), weights, atol=2e-5, rtol=1e-4)
            torch.testing.assert_close(optimizer.state[p]["momentum"], mean, atol=1e-6, rtol=1e-5)


def test_a_matrix_moves_by_the_same_amount_whatever_its_gradients_size() -> None:
    a, b = (random(6, 9, seed=1).requires_grad_() for _ in range(2))
    a.grad, b.grad = random(6, 9, seed=2), random(6, 9, seed=2) * 1000
    Muon([a, b], lr=0.1).step()
    torch.testing.assert_close(a.detach(), b.detach(), atol=1e-5, rtol=1e-4)


def test_the_rate_is_read_at_each_step() -> None:
    p = random(4, 4).requires_grad_()
    optimizer = Muon([p], lr=0.1)
    optimizer.param_groups[0]["lr"] = 0.0
    p.grad, before = random(4, 4, seed=1), p.detach().clone()
    optimizer.step()
    assert torch.equal(p, before)


def test_a_matrix_without_a_gradient_stays_and_keeps_nothing() -> None:
    moved, still = random(4, 6).requires_grad_(), random(4, 6, seed=1).requires_grad_()
    before = still.detach().clone()
    moved.grad = random(4, 6, seed=2)
    optimizer = Muon([moved, still], weight_decay=0.5)
    optimizer.step()
    assert torch.equal(still, before)
    assert still not in optimizer.state
    Muon([still]).step()  # none at all


def test_the_gradients_are_left_as_they_are() -> None:
    p = random(4, 6).requires_grad_()
    p.grad = random(4, 6, seed=2)
    Muon([p]).step()
    assert torch.equal(p.grad, random(4, 6, seed=2))


def test_the_state_comes_back_from_a_file_and_goes_on_bit_for_bit() -> None:
    def make() -> tuple[list[Any], Muon]:
        params = [random(*shape).requires_grad_() for shape in ((6, 6), (4, 12), (12, 4))]
        return params, Muon(params, **KNOBS)

    def take(params: list[Any], optimizer: Muon, steps: range) -> None:
        for step in steps:
            for i, p in enumerate(params):
                p.grad = random(*p.shape, seed=100 * step + i)
            optimizer.step()

    params, optimizer = make()
    take(params, optimizer, range(6))
    first, halfway = make()
    take(first, halfway, range(3))
    file = io.BytesIO()
    torch.save(halfway.state_dict(), file)
    file.seek(0)
    again, resumed = make()
    for p, q in zip(again, first, strict=True):
        p.data.copy_(q.data)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    take(again, resumed, range(3, 6))
    assert all(torch.equal(p, q) for p, q in zip(again, params, strict=True))
