"""Sparklines: the right length whatever the values, higher where these are."""

from __future__ import annotations

import math
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from yocto.cli.sparkline import ASCII, BLOCKS, Curve, sparkline

finite = st.floats(allow_nan=False, allow_infinity=False)


def test_values_that_fall_are_a_line_that_falls() -> None:
    assert sparkline([8, 7, 6, 5, 4, 3, 2, 1], 8) == "██▇▅▄▃▂▁"
    assert sparkline([1, 2, 3], 8, ASCII) == "_=#"


@pytest.mark.parametrize("levels", [BLOCKS, ASCII])
@given(values=st.lists(st.floats(), max_size=60), width=st.integers(0, 40))
def test_a_line_has_a_character_for_each_value_or_fills_the_width(
    levels: str, values: list[float], width: int
) -> None:
    line = sparkline(values, width, levels)
    assert len(line) == min(len(values), width)
    assert set(line) <= {*levels, " "}


@given(st.lists(finite, min_size=1, max_size=40))
def test_a_higher_value_never_stands_lower(values: list[float]) -> None:
    line = sparkline(values, len(values))
    ordered = sorted(zip(values, line, strict=True))
    assert [BLOCKS.index(c) for _, c in ordered] == sorted(BLOCKS.index(c) for c in line)
    assert ordered[0][1] == BLOCKS[0]


@given(finite, st.integers(1, 20), st.integers(1, 20))
@example(sys.float_info.max, 5, 2)
@example(7.205759403792791e16, 5, 2)
def test_values_that_are_all_the_same_are_a_flat_line(value: float, n: int, width: int) -> None:
    assert set(sparkline([value] * n, width)) == {BLOCKS[0]}


def test_the_rounding_of_a_flat_line_is_not_shown() -> None:
    assert sparkline([1, 1 + 1e-15, 1], 3) == "▁▁▁"
    assert sparkline([1, 1 + 1e-9, 1], 3) == "▁█▁"


def test_the_first_steps_do_not_flatten_the_rest() -> None:
    line = sparkline([1000.0, 11.0] + [4 - i / 40 for i in range(38)], 40)
    assert len(set(line)) == 8
    assert line.endswith("▁")


def test_what_is_not_finite_is_a_gap() -> None:
    assert sparkline([2, math.nan, 1, math.inf], 4) == "█ ▁ "
    assert sparkline([math.nan, -math.inf], 4) == "  "
    assert sparkline([math.nan, 2, 1, 1], 2) == "█▁"  # the mean of what is there


def test_nothing_is_an_empty_line() -> None:
    assert sparkline([], 10) == ""
    assert sparkline([1.0, 2.0], 0) == ""


def test_each_character_is_the_mean_of_its_share() -> None:
    assert sparkline([0, 2, 5, 5, 2, 0], 3) == "▁█▁"


@given(st.integers(1, 3000))
def test_a_curve_keeps_the_shape_of_a_long_run_in_few_points(n: int) -> None:
    curve = Curve()
    for i in range(n):
        curve.add(float(i))
    assert min(n, 256) <= len(curve.points) <= 512
    assert curve.points == sorted(curve.points)
    assert curve.points[0] <= 4
    assert curve.points[-1] >= n - 8
    assert (curve.latest, curve.lowest) == (n - 1, 0)


def test_a_curve_passes_over_what_is_not_finite() -> None:
    curve = Curve()
    for value in (math.nan, 3.0, math.inf, 2.0):
        curve.add(value)
    assert curve.points == [3.0, 2.0]
    assert (curve.latest, curve.lowest) == (2.0, 2.0)
