"""Times, medians and ratios."""

from __future__ import annotations

import gc

import pytest

from yocto.bench.timing import MOST, cold_and_warm, speed_ratio, timed, turns


def test_a_pass_is_timed_without_the_garbage_collector_which_is_on_again_after_it() -> None:
    states: list[bool] = []
    assert timed(lambda: states.append(gc.isenabled())) >= 0
    with pytest.raises(ZeroDivisionError):
        timed(lambda: 1 / 0)
    assert states == [False]
    assert gc.isenabled()


def test_cold_is_the_first_pass_of_what_was_just_loaded_and_warm_are_later_ones() -> None:
    loads, passes = [], []

    def load():
        loads.append(True)
        return lambda: passes.append(True)

    cold, warm = cold_and_warm(load)
    assert (len(loads), len(passes)) == (1, 1 + MOST)
    assert cold >= 0
    assert warm >= 0


def test_a_ratio_is_taken_within_each_round() -> None:
    # A machine that is slow in one round is slow for both.
    assert speed_ratio([1.0, 10.0, 1.0], [2.0, 20.0, 2.0]) == 0.5
    assert speed_ratio([3.0], [1.0]) == 3.0


def test_each_side_begins_as_often_as_another() -> None:
    rounds = [turns(3, number) for number in range(6)]
    assert all(sorted(order) == [0, 1, 2] for order in rounds)
    assert sorted(order[0] for order in rounds) == [0, 0, 1, 1, 2, 2]
    assert turns(0, 5) == []
