"""What a resumed run needs besides the weights, checked, so that no step fails for it later."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch


def check_counts(state: dict[str, Any]) -> None:
    """Raise a ValueError for values that would fail later, in the middle of a step."""
    best = 0 if state["best_step"] is None else state["best_step"]
    means = state["means"]
    whole = (state["step"], state["tokens"], state["worse"], best, *(n for _, n in means.values()))
    real = (state["seconds"], state["best_val_loss"], *(total for total, _ in means.values()))
    if not all(type(n) is int and 0 <= n < 1 << 62 for n in whole) or state["step"] > 10**10:
        raise ValueError("a count is not a whole number")
    if not all(type(x) is float for x in real) or not 0 <= state["seconds"] < math.inf:
        raise ValueError("a time or a loss is not a number")
    if not isinstance(state["engine"], dict):
        raise ValueError("the optimizers' state is no table")


# What each optimizer keeps of a weight, and whether it has the weight's shape or none.
KEPT = {
    "AdamW": {"step": False, "exp_avg": True, "exp_avg_sq": True},
    "Muon": {"momentum": True},
}


def checked_states(
    saved: list[dict[int, Any]], optimizers: Sequence[torch.optim.Optimizer]
) -> list[dict[int, Any]]:
    """The optimizers' means and counts of steps. Raises a ValueError where they are not those
    of these weights: the fused kernel would trust them, and write outside of their memory."""
    if len(saved) != len(optimizers):
        raise ValueError("it was trained with another optimizer")
    return [_checked_state(*pair) for pair in zip(saved, optimizers, strict=True)]


def _checked_state(saved: dict[int, Any], optimizer: torch.optim.Optimizer) -> dict[int, Any]:
    shapes = [p.shape for group in optimizer.param_groups for p in group["params"]]
    if not saved:
        return {}
    if len(saved) != len(shapes):
        raise ValueError("the optimizer's state is that of other weights")
    kept = KEPT[type(optimizer).__name__]
    for i, shape in enumerate(shapes):
        for name, shaped in kept.items():
            x = saved[i][name]
            plain = isinstance(x, torch.Tensor) and x.layout == torch.strided and not x.is_meta
            if not plain or x.dtype != torch.float32 or not x.is_contiguous():
                raise ValueError(f"the optimizer's {name} is no plain tensor")
            if x.shape != (shape if shaped else ()):
                raise ValueError(f"the optimizer's {name} has another shape than the weight")
            if not torch.isfinite(x).all():
                raise ValueError(f"the optimizer's {name} is not a number")
    return {i: {name: saved[i][name] for name in kept} for i in range(len(shapes))}


def rng_states(device: torch.device) -> dict[str, torch.Tensor]:
    """The global random generators that dropout draws from: the CPU's and the device's."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def set_rng_states(states: dict[str, torch.Tensor], device: torch.device) -> None:
    """Let the global random generators go on where `rng_states` was taken."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
    elif device.type == "mps" and "mps" in states:
        torch.mps.set_rng_state(states["mps"])
