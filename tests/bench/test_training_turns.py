"""What a worker does in its turns: with a learner that only counts, and a clock that is a list."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from yocto.bench import timing, training_turns
from yocto.bench.recipes import SHORT, settings_of
from yocto.bench.timing import clocked, repeated
from yocto.bench.training_job import TrainingJob
from yocto.bench.training_turns import learn, multiply, train_on
from yocto.bench.worker import read_job


class Counting:
    """A learner whose loss is its number of steps; it takes ten seconds to tell it."""

    parameters, tokens = 9, 100

    def __init__(self, max_iters: int) -> None:
        self.config = settings_of({**SHORT, "max_iters": max_iters}, 1)
        self.done = 0

    def step(self) -> None:
        self.done += 1
        Clock.now += 1

    def loss(self) -> float:
        Clock.now += 10
        return float(self.done)


class Clock:
    now = 0.0


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second passes with each step; the processor works for half of it."""
    Clock.now = 0.0
    monkeypatch.setattr(timing.time, "perf_counter", lambda: Clock.now)
    monkeypatch.setattr(timing.time, "process_time", lambda: Clock.now / 2)


def asked(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    monkeypatch.setattr(training_turns.sys, "stdin", io.StringIO("again\n" * times))


def job(turns: int) -> Any:
    return TrainingJob("learn", "yocto", 1, None, "", 65, settings_of(SHORT, 1).to_dict(), turns)


def run(max_iters: int, turns: int) -> list[dict[str, Any]]:
    learner: Any = Counting(max_iters)
    asked_job = TrainingJob(
        "learn", "yocto", 1, None, "", 65, learner.config.to_dict(), turns
    )  # fmt: skip
    return list(learn(asked_job, learner))


def test_a_run_is_cut_into_equal_turns_and_evaluated_at_each_tenth(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked(monkeypatch, 1000)
    ready, *turns = run(2000, 40)
    assert ready == {"parameters": 9}
    assert [turn["step"] for turn in turns] == list(range(50, 2001, 50))
    assert all(turn["tokens"] == 5000 for turn in turns)
    # Evaluations are not on the clock.
    assert all(turn["seconds"] == turn["cpu_seconds"] == 25 for turn in turns)
    told = [turn["loss"] for turn in turns if turn["loss"] is not None]
    assert told == list(range(200, 2001, 200))


@pytest.mark.parametrize("max_iters", [1, 7, 41, 220, 1201])
def test_whatever_its_length_a_run_ends_in_its_last_turn_with_an_evaluation(
    monkeypatch: pytest.MonkeyPatch, max_iters: int
) -> None:
    asked(monkeypatch, 1000)
    _, *turns = run(max_iters, 40)
    assert len(turns) == 40
    assert turns[-1]["step"] == max_iters
    assert sum(turn["tokens"] for turn in turns) == 100 * max_iters
    told = [turn["loss"] for turn in turns if turn["loss"] is not None]
    assert told[-1] == max_iters
    assert len(told) == min(10, max_iters)
    sizes = [turn["tokens"] for turn in turns]
    assert max(sizes) - min(sizes) <= 100


def test_a_worker_stops_when_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    asked(monkeypatch, 3)
    assert len(run(2000, 40)) == 1 + 3


def test_speed_is_that_of_at_least_a_second_after_two_steps_that_do_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked(monkeypatch, 2)
    learner: Any = Counting(10)
    monkeypatch.setattr(training_turns, "AT_LEAST", 2.5)
    monkeypatch.setattr(training_turns, "flops_per_token", lambda learner: 4.0)
    answers: Iterator[dict[str, Any]] = train_on(job(1), learner)
    assert next(answers) == {"parameters": 9, "flops_per_token": 4.0}
    assert learner.done == 2
    assert list(answers) == [{"tokens_per_second": 200.0}] * 2
    assert learner.done == 2 + 3 + 3


def test_a_matrix_product_counts_two_operations_for_each_of_its_terms(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked(monkeypatch, 1)
    monkeypatch.setattr(training_turns, "SIZE", 4)
    monkeypatch.setattr(training_turns, "AT_LEAST", 2.0)
    real = training_turns.torch.mm

    def mm(*matrices: Any, **options: Any) -> Any:
        Clock.now += 0.5
        return real(*matrices, **options)

    monkeypatch.setattr(training_turns.torch, "mm", mm)
    ready, answer = multiply(job(1))
    assert ready == {}
    assert answer == {"flops_per_second": 4 * 2 * 4**3 / 1.0}


def test_what_is_repeated_happens_at_least_once() -> None:
    def slow() -> None:
        Clock.now += 100

    assert repeated(slow, 1.0) == 1


def test_speeds_go_by_the_processors_time_on_one_thread_and_by_the_clock_on_several() -> None:
    def call() -> int:
        Clock.now += 100
        return 7

    assert clocked(call, 1) == (7, 50.0, 50.0)
    assert clocked(call, 2) == (7, 100.0, 50.0)


def test_a_job_comes_back_from_its_line(tmp_path: Path) -> None:
    asked_job = job(40)
    again = read_job(asked_job.line())
    assert again == asked_job
    assert isinstance(again, TrainingJob)
    assert again.config == settings_of(SHORT, 1)
    assert json.loads(asked_job.line())["task"] == "learn"
