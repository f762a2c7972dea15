"""How long a run will take, by a clock that the test winds."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import yocto.training.pace as pace_module
from yocto.training.pace import MOST, STEPS, Pace, Stopwatch

CPU = torch.device("cpu")


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pace_module, "time", clock)
    return clock


def lap(watch: Stopwatch, clock: Clock, seconds: float) -> float | None:
    clock.now += seconds
    return watch.lap(clock.now - seconds, CPU)


def test_steps_are_timed_for_a_second_and_a_half_but_not_the_first_one(clock: Clock) -> None:
    watch = Stopwatch()
    assert lap(watch, clock, 60.0) is None  # the first
    for _ in range(5):
        assert lap(watch, clock, 0.25) is None
    assert lap(watch, clock, 0.25) == pytest.approx(0.25)


def test_slow_steps_are_timed_four_times_at_least(clock: Clock) -> None:
    watch = Stopwatch()
    laps = [lap(watch, clock, 10.0) for _ in range(STEPS + 1)]
    assert laps == [None] * STEPS + [10.0]


def test_fast_steps_are_timed_a_hundred_times_at_most(clock: Clock) -> None:
    watch = Stopwatch()
    laps = [lap(watch, clock, 1 / 1024) for _ in range(MOST + 1)]
    assert laps == [None] * MOST + [1 / 1024]


def test_a_step_that_something_else_held_up_does_not_count(clock: Clock) -> None:
    watch = Stopwatch()
    seconds = [1.0, 0.5, 9.0, 0.5, 0.5]
    assert [lap(watch, clock, s) for s in seconds][-1] == 0.5


# 100 steps of 0.5 s, evaluations every 40 of 5 batches of 0.1 s, the last one of 50 more.
PACE = Pace(step=0.5, batch=0.1, eval_interval=40, eval_batches=5, whole_batches=50)


def test_evaluations_count_and_so_does_the_last_one_of_the_whole_split() -> None:
    assert PACE.seconds(100) == pytest.approx(50 + 3 * 0.5 + 5)
    assert PACE.seconds(80) == pytest.approx(40 + 2 * 0.5 + 5)
    assert PACE.seconds(1) == pytest.approx(0.5 + 0.5 + 5)


@given(
    step=st.floats(1e-4, 10), batch=st.floats(1e-5, 5), interval=st.integers(1, 1000),
    few=st.integers(1, 100), whole=st.integers(1, 1000), minutes=st.floats(0.01, 600),
)  # fmt: skip
def test_as_many_steps_as_fit_are_taken_and_not_one_more_evaluation(
    step: float, batch: float, interval: int, few: int, whole: int, minutes: float
) -> None:
    pace, seconds = Pace(step, batch, interval, few, whole), 60 * minutes
    steps = pace.steps(seconds)
    assert steps >= 1
    assert steps == 1 or pace.seconds(steps) <= seconds * (1 + 1e-9)
    # What is left over holds no more than the evaluation that more steps would bring.
    each = step + few * batch / interval
    assert pace.seconds(steps + 1) + few * batch + each >= seconds


def test_there_is_time_for_one_step_at_least() -> None:
    assert PACE.steps(0.001) == 1
    assert PACE.steps(-5.0) == 1
