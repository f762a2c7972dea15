"""What a resumed run is given, checked before any step relies on it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from tiny import tiny_gpt, train_config

from yocto.training.optimizer import make_optimizers
from yocto.training.state import check_counts, checked_states, rng_states, set_rng_states

GOOD = {
    "step": 3, "tokens": 96, "seconds": 1.5, "best_step": None, "best_val_loss": math.inf,
    "worse": 0, "means": {"evaluation": (2.5, 1), "line": (0.0, 0)}, "engine": {},
}  # fmt: skip


def test_good_values_pass() -> None:
    check_counts(GOOD)
    check_counts({**GOOD, "best_step": 2, "best_val_loss": 1.25})


@pytest.mark.parametrize(
    "changes",
    [
        {"step": -1}, {"step": 1.0}, {"step": True}, {"step": 10**11}, {"tokens": 1 << 62},
        {"worse": -1}, {"worse": None}, {"best_step": "2"}, {"seconds": math.inf},
        {"seconds": math.nan}, {"seconds": -1.0}, {"seconds": 1}, {"best_val_loss": 1},
        {"means": {"line": (1.0, -1)}}, {"means": {"line": (1, 1)}}, {"engine": []},
        {"means": {"line": (1.0, 1.0)}},
    ],
)  # fmt: skip
def test_values_that_are_none_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"not a (whole )?number|no table"):
        check_counts({**GOOD, **changes})


def trained(optimizer: str) -> list[torch.optim.Optimizer]:
    model = tiny_gpt()
    made = make_optimizers(model, train_config(optimizer=optimizer))
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    for o in made:
        o.step()
    return made


@pytest.fixture(params=["muon", "adamw"])
def optimizers(request: pytest.FixtureRequest) -> list[torch.optim.Optimizer]:
    return trained(request.param)


def states(optimizers: list[torch.optim.Optimizer]) -> list[dict[int, Any]]:
    return [o.state_dict()["state"] for o in optimizers]


def test_states_of_the_same_weights_pass_and_lose_what_is_not_theirs(optimizers: list) -> None:
    saved = states(optimizers)
    saved[0][0]["surprise"] = torch.zeros(1 << 20)
    checked = checked_states(saved, optimizers)
    assert "surprise" not in checked[0][0]
    assert checked[0][1].keys() == saved[0][1].keys()


def test_an_optimizer_that_has_not_stepped_has_no_state(optimizers: list) -> None:
    assert checked_states([{} for _ in optimizers], optimizers) == [{} for _ in optimizers]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda x: x[:-1].clone(), "another shape"),
        (lambda x: x.double(), "no plain tensor"),
        (lambda x: x.to_sparse(), "no plain tensor"),
        (lambda x: x.to("meta"), "no plain tensor"),
        (lambda x: x[:1].expand(x.shape), "no plain tensor"),
        (lambda x: x * math.nan, "not a number"),
        (lambda x: 5, "no plain tensor"),
    ],
)
def test_moments_that_would_write_beyond_their_memory_are_refused(
    optimizers: list, change: Callable[[torch.Tensor], Any], reason: str
) -> None:
    saved = states(optimizers)
    for moments in saved:
        first = moments[0]
        name = "momentum" if "momentum" in first else "exp_avg"
        moments[0] = {**first, name: change(first[name])}
    with pytest.raises(ValueError, match=reason):
        checked_states(saved, optimizers)


def test_the_state_of_the_other_optimizers_is_refused() -> None:
    muon, adamw = trained("muon"), trained("adamw")
    with pytest.raises(ValueError, match="another optimizer"):
        checked_states(states(adamw), muon)
    with pytest.raises((ValueError, LookupError)):
        checked_states(list(reversed(states(muon))), muon)


def test_random_generators_go_on_where_they_were() -> None:
    device = torch.device("cpu")
    states = rng_states(device)
    first = torch.rand(5)
    set_rng_states(states, device)
    assert torch.equal(torch.rand(5), first)
