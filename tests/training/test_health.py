"""When a run is ended, and what is said then."""

from __future__ import annotations

import math
from typing import Any

import pytest
from tiny import train_config

from yocto.errors import RunError
from yocto.training.health import Health

GUESSING = math.log(26)


def make_health(saved_step: int | None = 40, **knobs: Any) -> Health:
    return Health(train_config(**{"warmup_iters": 20, **knobs}), 26, saved_step)


def ended(health: Health, *losses: float, norm: float = 0.5, step: int = 200) -> RunError:
    with pytest.raises(RunError) as caught:
        for i, loss in enumerate(losses):
            health.check_line(loss, norm, step + 10 * i)
    return caught.value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_ends_the_run_at_once(value: float) -> None:
    health = make_health()
    health.check_number("the loss", 1e30, 7)
    with pytest.raises(RunError, match=f"the validation loss is {value} at step 7: ") as caught:
        health.check_number("the validation loss", value, 7)
    assert "Step 40 is saved and whole" in caught.value.hint
    assert "the loss is nan" in ended(health, math.nan).message


def test_three_lines_in_a_row_well_above_guessing_are_an_explosion() -> None:
    health = make_health()
    health.check_line(2.5, 0.5, 180)
    health.check_line(1.75, 0.5, 190)
    error = ended(health, 4.5, 5.0, 6.25)
    assert "the loss has exploded from 1.75 to 6.25 at step 220" in error.message


def test_two_bad_lines_and_a_good_one_are_a_mishap() -> None:
    health = make_health()
    for _ in range(5):
        for loss in (4.5, 4.5, GUESSING + 0.99):
            health.check_line(loss, 0.5, 100)
        health.refuse_exploded(100)


def test_a_start_a_little_above_guessing_is_no_explosion() -> None:
    health = make_health()
    for step in range(10, 200, 10):
        health.check_line(GUESSING + 0.9, 0.5, step)
    assert "exploded from" not in ended(make_health(), 9.0, 9.0, 9.0).message  # from nothing


def test_after_one_bad_line_nothing_is_saved_and_after_a_good_one_it_is() -> None:
    health = make_health()
    health.check_line(2.0, 0.5, 100)
    health.refuse_exploded(100)
    health.check_line(5.0, 0.5, 110)
    with pytest.raises(RunError, match=r"exploded from 2\.00 to 5\.00 at step 110"):
        health.refuse_exploded(110)
    health.check_line(2.5, 0.5, 120)
    health.refuse_exploded(120)


@pytest.mark.parametrize(
    ("knobs", "norm", "step", "cause"),
    [
        ({}, 0.5, 15, "too high for a start of 20 warm-up steps"),
        ({"warmup_iters": 0}, 0.5, 60, "too high for a start of 0 warm-up steps"),
        ({"grad_clip": 0.0}, 0.5, 200, "no clipping holds large gradients back"),
        ({"dtype": "float16"}, 0.5, 200, "float16 has overflowed"),
        ({}, 123.0, 200, "the gradient's norm had grown to 123"),
        ({}, math.inf, 200, "is probably too high"),
        ({}, 0.5, 200, "the learning rate (0.008) is probably too high"),
    ],
)
def test_the_probable_cause_is_named(knobs: dict, norm: float, step: int, cause: str) -> None:
    assert cause in ended(make_health(**knobs), 9.0, 9.0, 9.0, norm=norm, step=step - 20).message


def test_the_advice_can_be_typed() -> None:
    hint = ended(make_health(learning_rate=0.03), math.nan).hint
    assert hint == "Step 40 is saved and whole: add --resume auto --learning-rate 0.01"
    hint = ended(make_health(saved_step=None, learning_rate=0.03), math.nan).hint
    assert hint == "Start again with --learning-rate 0.01; no checkpoint is there to go on from."
    assert "--grad-clip 1" in ended(make_health(grad_clip=0.0), math.nan).hint
    assert "--dtype bfloat16" in ended(make_health(dtype="float16"), math.nan).hint


def test_a_checkpoint_that_an_evaluation_finds_spoilt_is_not_gone_back_to() -> None:
    health = make_health()
    health.look_at_evaluation(2.0, 30, 40)
    assert health.good_step == 40
    health.look_at_evaluation(13.5, 30, 40)
    assert "Step 30 is saved and whole" in ended(health, math.nan).hint
    # A good line tells that the validation text alone is strange to the model.
    health.check_line(2.0, 0.5, 210)
    assert "Step 40 is saved and whole" in ended(health, math.nan).hint


def test_a_validation_loss_that_is_no_number_spoils_the_checkpoint_it_was_taken_of() -> None:
    health = make_health()
    health.saved_step = 40
    with pytest.raises(RunError, match="the validation loss is nan at step 40") as told:
        health.look_at_evaluation(math.nan, 30, 40)
    assert health.good_step == 30
    assert told.value.hint.startswith("Step 30 is saved and whole: add --resume auto")
    health = make_health()
    health.saved_step = 40
    with pytest.raises(RunError) as told:
        health.look_at_evaluation(math.nan, None, 40)
    assert health.good_step is None
    assert "no checkpoint is there to go on from" in told.value.hint


def test_gradients_that_stay_no_numbers_end_a_run_in_float16_too() -> None:
    health = make_health(dtype="float16")
    for step in range(10, 100, 10):
        health.check_line(2.0, math.nan, step)
    with pytest.raises(RunError, match="no gradient is a number any more at step 100"):
        health.check_line(2.0, math.nan, 100)


def test_the_advice_lowers_muons_rate_too_where_it_has_one_of_its_own() -> None:
    health = make_health(learning_rate=0.003, muon_lr=0.03)
    with pytest.raises(RunError) as told:
        health.check_number("the loss", math.nan, 400)
    assert "--learning-rate 0.001 --muon-lr 0.01" in told.value.hint
