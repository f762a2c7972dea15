"""What a resumed run needs besides the weights, checked, so that no step fails for it later."""

from __future__ import annotations

import math
from typing import Any

import torch


def check_counts(state: dict[str, Any]) -> None:
    """Raise a ValueError for values that would fail later, in the middle of a step."""
    best = 0 if state["best_step"] is None else state["best_step"]
    whole = (state["step"], state["loss_steps"], best)
    real = (state["seconds"], state["loss_sum"], state["best_val_loss"])
    tokens = state.get("tokens", 0)
    small = all(type(n) is int and 0 <= n <= 10**10 for n in whole)
    if not small or type(tokens) is not int or not 0 <= tokens < 1 << 62:
        raise ValueError("a count is not a whole number")
    if not all(type(x) is float for x in real) or not 0 <= state["seconds"] < math.inf:
        raise ValueError("a time or a loss is not a number")
    if not all(isinstance(state[name], dict) for name in ("optimizer", "rng")):
        raise ValueError("the optimizer's state or the random generators' is no table")


def checked_moments(saved: dict[int, Any], optimizer: torch.optim.Optimizer) -> dict[int, Any]:
    """The optimizer's means and counts of steps. Raises a ValueError where they are not those
    of these weights: the fused kernel would trust them, and write outside of their memory."""
    shapes = [p.shape for group in optimizer.param_groups for p in group["params"]]
    if not saved:
        return {}
    if len(saved) != len(shapes):
        raise ValueError("the optimizer's state is that of other weights")
    for i, shape in enumerate(shapes):
        for name, expected in (("step", ()), ("exp_avg", shape), ("exp_avg_sq", shape)):
            x = saved[i][name]
            plain = isinstance(x, torch.Tensor) and x.layout == torch.strided and not x.is_meta
            if not plain or x.dtype != torch.float32 or not x.is_contiguous():
                raise ValueError(f"the optimizer's {name} is no plain tensor")
            if x.shape != expected:
                raise ValueError(f"the optimizer's {name} has another shape than the weight")
            if not torch.isfinite(x).all():
                raise ValueError(f"the optimizer's {name} is not a number")
    names = ("step", "exp_avg", "exp_avg_sq")
    return {i: {name: saved[i][name] for name in names} for i in range(len(shapes))}


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
