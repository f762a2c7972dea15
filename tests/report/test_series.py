"""Lines of metrics as series of points."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import evaluation, make_run, training

from yocto.report.series import curves_of, limits, ordinary, smoothed, thinned
from yocto.training.history import read_history

LINES = [
    training(10), evaluation(10, 3.0, tokens=320), training(20), evaluation(20, 2.0, tokens=640),
]  # fmt: skip


@pytest.mark.parametrize(
    ("x", "y", "train", "val", "best"),
    [
        ("steps", "loss", [(10, 0.4), (20, 0.2)], [(10, 3.0), (20, 2.0)], 2.0),
        ("tokens", "loss", [(320, 0.4), (640, 0.2)], [(320, 3.0), (640, 2.0)], 2.0),
        ("seconds", "loss", [(1, 0.4), (2, 0.2)], [(1, 3.0), (2, 2.0)], 2.0),
        ("steps", "bits-per-byte", [], [(10, 1.5), (20, 1.0)], 1.0),
        ("steps", "learning-rate", [(10, 0.01), (20, 0.01)], [], None),
        ("seconds", "grad-norm", [(1, 0.5), (2, 0.5)], [], None),
        ("tokens", "tokens-per-second", [(320, 320.0), (640, 320.0)], [], None),
    ],
)
def test_each_line_gives_the_points_that_it_has(tmp_path: Path, x, y, train, val, best) -> None:
    curves = curves_of(read_history(make_run(tmp_path / "a", LINES, 20)), "name", x, y)
    assert (curves.training, curves.validation, curves.best) == (train, val, best)
    assert (curves.name, curves.is_noisy) == ("name", y != "learning-rate")


def test_lines_of_older_runs_lack_keys_and_their_tokens_are_counted(tmp_path: Path) -> None:
    lines = [{"step": 10, "train_loss": 4.0}, {"step": 12, "val_loss": 3.0, "train_loss": None}]
    history = read_history(make_run(tmp_path / "a", lines))
    assert curves_of(history, "a", "tokens", "loss").training == [(10 * 4 * 8, 4.0)]
    assert curves_of(history, "a", "tokens", "loss").validation == [(12 * 4 * 8, 3.0)]
    assert curves_of(history, "a", "seconds", "loss").training == []
    assert curves_of(history, "a", "steps", "grad-norm").training == []


def points(*values: float) -> list[tuple[float, float]]:
    return list(enumerate(values))


def test_a_short_curve_is_left_as_it_is() -> None:
    curve = points(*(1 / (i + 3) for i in range(59)))
    assert smoothed(curve) == curve
    assert smoothed([]) == []


def test_a_single_leap_is_forgotten_and_a_line_stays_a_line() -> None:
    assert smoothed(points(*[1.0] * 90, 50.0, *[1.0] * 90)) == points(*[1.0] * 181)
    line = points(*(2.0 * i for i in range(240)))
    trend = [y for _, y in smoothed(line)]
    assert trend[:232] == pytest.approx([y for _, y in line[:232]])  # behind it neighbours end


@given(st.lists(st.floats(-1e6, 1e6), min_size=60, max_size=300))
def test_a_trend_lies_between_the_values_it_is_made_of(values) -> None:
    trend = smoothed(points(*values))
    assert [x for x, _ in trend] == list(range(len(values)))
    assert min(values) - 1e-3 <= min(y for _, y in trend)
    assert max(y for _, y in trend) <= max(values) + 1e-3


@given(st.integers(0, 10_000))
def test_a_long_curve_is_thinned_with_both_its_ends(n) -> None:
    curve = points(*range(n))
    thin = thinned(curve)
    assert len(thin) == min(n, 2000)
    assert thin == sorted(set(thin))
    assert thin[:1] + thin[-1:] == curve[:1] + curve[-1:]


def test_the_first_heights_set_no_limits_and_late_ones_do() -> None:
    falling = points(100.0, 50.0, *[2.0] * 30, 1.0)
    assert limits([falling]) == pytest.approx((0.95, 2.05))
    assert limits([falling, points(1.0, 2.0, 3.0, 9.0)]) == pytest.approx((0.6, 9.4))
    assert limits([falling], 0.0)[1] > 100
    assert limits([points(7.0, 5.0)]) == pytest.approx((4.9, 7.1))  # too short to leave out any


def test_limits_have_room_where_nothing_changes_and_are_none_without_points() -> None:
    low, high = limits([points(3.0, 3.0, 3.0)])
    assert low < 3.0 < high
    low, high = limits([points(0.0)])
    assert low < 0.0 < high
    assert limits([]) is None
    assert limits([[], []]) is None


def test_a_leap_is_not_ordinary() -> None:
    curve = points(*[1.0] * 60, 80.0, *[1.0] * 60)
    assert max(y for _, y in ordinary(curve)) == 1.0
    assert ordinary(points(1.0, 9.0)) == points(1.0, 9.0)
    assert ordinary([]) == []
