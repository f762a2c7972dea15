"""The learning rate at steps worked out by hand."""

from __future__ import annotations

import math

import pytest

from yocto.config import TrainConfig
from yocto.training.schedule import learning_rate_at


def config(**knobs) -> TrainConfig:
    values = {"learning_rate": 1.0, "min_lr": 0.1, "warmup_iters": 4, "max_iters": 104}
    return TrainConfig(**{**values, **knobs})


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 0.2),  # four steps of warm-up are fifths of the peak
        (3, 0.8),
        (4, 1.0),
        (29, 0.1 + 0.9 * (1 + math.cos(math.pi / 4)) / 2),
        (54, 0.55),  # half way down
        (104, 0.1),
        (1000, 0.1),
    ],
)
def test_the_rate_rises_to_its_peak_and_falls_along_a_cosine(step: int, expected: float) -> None:
    assert learning_rate_at(step, config()) == pytest.approx(expected)


def test_without_warm_up_the_first_step_has_the_peak_rate() -> None:
    assert learning_rate_at(0, config(warmup_iters=0)) == 1.0


def test_the_first_step_moves_though_it_is_warm_up() -> None:
    assert learning_rate_at(0, config(warmup_iters=1000)) > 0


def test_a_warm_up_as_long_as_the_run_only_rises() -> None:
    rates = [learning_rate_at(step, config(warmup_iters=10, max_iters=10)) for step in range(10)]
    assert rates == sorted(rates)
    assert rates[-1] == pytest.approx(10 / 11)


def test_a_min_lr_above_the_peak_is_no_climb() -> None:
    assert learning_rate_at(104, config(min_lr=5.0)) == 1.0
