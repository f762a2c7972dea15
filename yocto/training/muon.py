"""Muon: momentum, made orthogonal. The optimizer of the blocks' matrices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from yocto.training.shares import OwnShare, Share, own_part

# Coefficients (a, b, c) of the polynomials a x + b x³ + c x⁵ that, one after the other, drive all
# singular values between 0.001 and 1 to 1 as fast as such polynomials can: "The Polar Express",
# Amsel et al. 2025 (arXiv:2505.16932), the first three of theirs. Three are enough: a step of
# training does not gain from values nearer to 1.
POLYNOMIALS = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
)
MARGIN = 1.01  # rounding must not push a singular value beyond 1, where the first one explodes


class Muon(torch.optim.Optimizer):
    """Each matrix moves along its momentum with all singular values made (nearly) one.

    Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; a matrix (n, m)
    moves by lr sqrt(max(1, n / m)), which changes what it computes by the same amount whatever its
    width (Bernstein 2025, "Deriving Muon"). Weights decay by lr weight_decay, as in AdamW.

    params: matrices; those of one shape are made orthogonal in one batch. lr, momentum
    (Nesterov's), weight_decay: read from `param_groups` at each step, so that a schedule may change
    them. share: which of several processes makes which update; a matrix may be a DTensor, of which
    this process has some rows.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 0.03,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        share: Share | None = None,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(params, defaults)
        self._share = share or OwnShare()

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move every matrix that has a gradient."""
        assert closure is None, "one evaluation a step is all that Muon takes"
        for group in self.param_groups:
            shapes: dict[tuple[int, ...], list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    shapes.setdefault(tuple(sorted(p.shape)), []).append(p)
            for matrices in shapes.values():
                self._move(matrices, group)

    def _move(self, matrices: list[Tensor], group: dict[str, Any]) -> None:
        """Move matrices that have the same shape, or its transpose."""
        lr, beta = group["lr"], group["momentum"]
        means = [self._nesterov(p, beta) for p in matrices]
        updates = self._share(means, [p.shape for p in matrices], _updates)
        torch._foreach_mul_([own_part(p) for p in matrices], 1 - lr * group["weight_decay"])
        for p, update in zip(matrices, updates, strict=True):
            rows, columns = p.shape
            own_part(p).add_(update, alpha=-lr * max(1.0, rows / columns) ** 0.5)

    def _nesterov(self, p: Tensor, beta: float) -> Tensor:
        """The mean of gradients, looked at one step ahead; of the rows that are here."""
        assert p.grad is not None
        state = self.state[p]
        if not state:
            state["momentum"] = torch.zeros_like(p)
        grad = own_part(p.grad)
        mean: Tensor = own_part(state["momentum"]).lerp_(grad, 1 - beta)
        return grad.lerp(mean, beta)


def _updates(matrices: Sequence[Tensor]) -> list[Tensor]:
    """The orthogonal matrices of some that have the same shape, or its transpose."""
    wide = orthogonal(torch.stack([_wide(x) for x in matrices]))  # (N, n, m), n <= m
    return [
        update.mT if x.shape[0] > x.shape[1] else update
        for x, update in zip(matrices, wide, strict=True)
    ]


def _wide(x: Tensor) -> Tensor:
    return x.mT if x.shape[0] > x.shape[1] else x


def orthogonal(x: Tensor) -> Tensor:
    """x (N, n, m), n <= m -> the matrices U Vᵀ, roughly, where x = U S Vᵀ: singular values above a
    thousandth of the largest possible, the norm of x, come between 0.13 and 1.87, 1 on average;
    smaller ones stay smaller.

    Polynomials of a matrix bring this about without taking it apart, since p(x) = U p(S) Vᵀ. In
    float32 on a CPU, where bfloat16 is slow; in bfloat16 on a GPU, where it is enough.
    """
    dtype, kind = x.dtype, torch.float32 if x.device.type == "cpu" else torch.bfloat16
    x = x / (x.norm(dim=(-2, -1), keepdim=True) * MARGIN + 1e-7)  # no singular value above 1
    x = x.to(kind)
    # Counted in products of n³: three polynomials take 3 (2 m/n + 1) step by step, and 2 m/n + 9 by
    # way of the Gram matrix, which is small where x is long.
    n, m = x.shape[-2:]
    # Rounding adds up in the products of Gram matrices: bfloat16 is too coarse for them.
    by_gram = m > 1.5 * n and kind == torch.float32
    return (_by_gram(x) if by_gram else _step_by_step(x)).to(dtype)


def _step_by_step(x: Tensor) -> Tensor:
    """x <- (a + b R + c R²) x with R = x xᵀ, once for each polynomial."""
    for a, b, c in POLYNOMIALS:
        gram = x @ x.mT  # (N, n, n)
        factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        x = torch.baddbmm(x, factor, x, beta=a)
    return x


def _by_gram(x: Tensor) -> Tensor:
    """The same factors Z = a + b R + c R², but multiplied with each other first. Z commutes with R,
    both being polynomials of it, so that (Z x)(Z x)ᵀ = Z R Z: x itself is needed twice only."""
    gram = x @ x.mT  # (N, n, n)
    product = None
    for i, (a, b, c) in enumerate(POLYNOMIALS):
        factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal(dim1=-2, dim2=-1).add_(a)
        product = factor if product is None else factor @ product
        if i + 1 < len(POLYNOMIALS):
            gram = factor @ (gram @ factor)
    assert product is not None
    return product @ x
