"""The learning rate at steps worked out by hand."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yocto.config import TrainConfig
from yocto.training.schedule import schedule_at

SCHEDULES = ["linear", "wsd", "cosine", "constant"]


def config(**knobs: Any) -> TrainConfig:
    values = {"learning_rate": 1.0, "min_lr": 0.1, "warmup_iters": 4, "max_iters": 104}
    return TrainConfig(**{**values, **knobs})


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(("step", "expected"), [(0, 0.2), (1, 0.4), (3, 0.8), (4, 1.0)])
def test_four_steps_of_warm_up_are_fifths_of_the_peak(
    schedule: str, step: int, expected: float
) -> None:
    assert schedule_at(step, config(schedule=schedule)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (29, 0.1 + 0.9 * (1 + math.cos(math.pi / 4)) / 2),
        (54, 0.55),  # half way down
        (104, 0.1),
        (1000, 0.1),
    ],
)
def test_the_cosine_falls_along_half_a_cosine(step: int, expected: float) -> None:
    assert schedule_at(step, config(schedule="cosine")) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("step", "expected"),
    # The last 70 of 100 steps fall from 1 to 0.1, by 0.9 / 70 each.
    [(29, 1.0), (30, 1.0), (31, 1 - 0.9 / 70), (65, 0.55), (99, 0.1 + 0.9 / 70), (100, 0.1)],
)
def test_linear_stays_at_the_peak_and_falls_straight_over_the_last_seven_tenths(
    step: int, expected: float
) -> None:
    assert schedule_at(step, config(max_iters=100)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("step", "expected"),
    # The last 20 of 100: one minus a root, so that a quarter of the way is half of the fall.
    [(79, 1.0), (80, 1.0), (85, 0.1 + 0.9 / 2), (96, 0.1 + 0.9 * (1 - math.sqrt(0.8))), (100, 0.1)],
)
def test_wsd_falls_along_one_minus_a_root_over_the_last_fifth(step: int, expected: float) -> None:
    assert schedule_at(step, config(max_iters=100, schedule="wsd")) == pytest.approx(expected)


def test_constant_stays_at_the_peak() -> None:
    for step in (4, 50, 103, 1000):
        assert schedule_at(step, config(schedule="constant")) == 1.0


@pytest.mark.parametrize("schedule", ["linear", "wsd"])
def test_the_length_of_the_fall_can_be_chosen(schedule: str) -> None:
    c = config(max_iters=100, schedule=schedule, cooldown=0.5, min_lr=0.0)
    assert schedule_at(50, c) == 1.0
    middle = 0.5 if schedule == "linear" else 1 - math.sqrt(0.5)
    assert schedule_at(75, c) == pytest.approx(middle)
    none = config(max_iters=100, schedule=schedule, cooldown=0.0)
    assert schedule_at(99, none) == 1.0
    # A fall as long as the run begins where the warm-up ends.
    whole = config(schedule=schedule, cooldown=1.0)
    assert schedule_at(4, whole) == 1.0
    assert schedule_at(5, whole) < 1.0


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_an_end_that_is_not_known_yet_is_far_away(schedule: str) -> None:
    c = config(schedule=schedule)
    assert [schedule_at(step, c, math.inf) for step in (0, 3, 4, 10**9)] == pytest.approx(
        [0.2, 0.8, 1.0, 1.0]
    )


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_an_end_that_is_given_stands_above_the_settings(schedule: str) -> None:
    short, long = config(schedule=schedule, max_iters=50), config(schedule=schedule)
    for step in range(60):
        assert schedule_at(step, long, 50) == schedule_at(step, short)


def test_without_warm_up_the_first_step_has_the_peak_rate() -> None:
    assert schedule_at(0, config(warmup_iters=0)) == 1.0


def test_the_first_step_moves_though_it_is_warm_up() -> None:
    assert schedule_at(0, config(warmup_iters=1000)) > 0


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_warm_up_as_long_as_the_run_only_rises(schedule: str) -> None:
    c = config(warmup_iters=10, max_iters=10, schedule=schedule)
    rates = [schedule_at(step, c) for step in range(10)]
    assert rates == sorted(rates)
    assert rates[-1] == pytest.approx(10 / 11)


def test_a_min_lr_above_the_peak_is_no_climb() -> None:
    for schedule in SCHEDULES:
        assert schedule_at(104, config(min_lr=5.0, schedule=schedule)) == 1.0


@given(
    schedule=st.sampled_from(SCHEDULES),
    warmup=st.integers(0, 300),
    end=st.integers(1, 300),
    cooldown=st.none() | st.floats(0, 1),
    learning_rate=st.floats(0, 10),
    min_lr=st.floats(0, 10),
)
def test_no_rate_is_outside_of_0_to_1_and_none_rises_after_the_warm_up(
    schedule: str, warmup: int, end: int, cooldown: float | None, learning_rate: float,
    min_lr: float,
) -> None:  # fmt: skip
    c = config(
        schedule=schedule, warmup_iters=warmup, max_iters=end, cooldown=cooldown,
        learning_rate=learning_rate, min_lr=min_lr,
    )  # fmt: skip
    rates = [schedule_at(step, c) for step in range(end + 2)]
    assert all(0 <= rate <= 1 for rate in rates)
    assert rates[:warmup] == sorted(rates[:warmup])
    after = rates[warmup:]
    assert all(b <= a + 1e-12 for a, b in itertools.pairwise(after))
    low = min_lr / max(min_lr, learning_rate) if min_lr else 0.0
    if after and schedule != "constant" and warmup < end:
        assert rates[end] == pytest.approx(low)


@given(
    schedule=st.sampled_from(SCHEDULES),
    warmup=st.integers(0, 50),
    cooldown=st.floats(0.1, 1),
)
def test_no_rate_jumps(schedule: str, warmup: int, cooldown: float) -> None:
    """In a run of 1,000 steps two in a row differ by little; the root of wsd begins steeply."""
    c = config(schedule=schedule, warmup_iters=warmup, max_iters=1000, cooldown=cooldown)
    rates = [schedule_at(step, c) for step in range(warmup, 1001)]
    most = max(abs(a - b) for a, b in itertools.pairwise(rates))
    assert most <= (math.sqrt(1 / 99) if schedule == "wsd" else 1 / 99)
