"""The time left."""

from __future__ import annotations

import pytest

from yocto.cli.pace import Pace


def test_nothing_is_promised_before_a_step_is_done() -> None:
    pace = Pace(0.0, 5)
    pace.mark(10.0, 5)
    assert pace.left(100) is None


def test_what_is_left_takes_as_long_as_what_is_done() -> None:
    pace = Pace(0.0, 50)
    pace.mark(10.0, 60)
    assert pace.left(100) == pytest.approx(40)
    assert pace.left(60) == 0
    assert pace.left(10) == 0


def test_a_slow_start_is_forgotten() -> None:
    pace = Pace(0.0, 0)
    pace.mark(60.0, 1)  # compiled for a minute
    for i in range(1, 121):
        pace.mark(60.0 + i, 1 + 10 * i)
    assert pace.left(1201 + 100) == pytest.approx(10)


def test_a_pause_is_no_division_by_nothing() -> None:
    pace = Pace(0.0, 0)
    pace.mark(1.0, 10)
    pace.mark(100.0, 10)
    assert pace.left(20) == pytest.approx(100)


def test_a_long_run_takes_no_more_memory() -> None:
    pace = Pace(0.0, 0)
    for i in range(1, 10_000):
        pace.mark(float(i), i)
    assert len(pace._times) <= 256
    assert pace.left(10_999) == pytest.approx(1000)
