"""When a run saves, when it ends early, and how long it is: what is around the steps."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import Recorder, make_trainer, tiny_corpus, train_config

import yocto.training.pace as pace_module
import yocto.training.trainer as trainer_module
from yocto.checkpoint import Checkpoint, Run
from yocto.config import TrainConfig
from yocto.errors import RunError
from yocto.training.outcome import Hooks
from yocto.training.pace import Pace
from yocto.training.trainer import Trainer


@pytest.fixture(autouse=True)
def _known_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """To measure how fast the machine is takes longer than a tiny run."""
    monkeypatch.setattr(trainer_module, "matmul_rate", lambda device, dtype: 1e10)


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps that are written, as they are."""
    steps, save = [], Run.save

    def noting(self: Run, step: int, *rest: Any) -> Path:
        steps.append(step)
        return save(self, step, *rest)

    monkeypatch.setattr(Run, "save", noting)
    return steps


def resumed(path: Path, config: TrainConfig, **more: Any) -> Trainer:
    step = Run(path).pointer("latest")
    assert step is not None
    checkpoint = Checkpoint.open(step)
    trainer = make_trainer(path, config, **more)
    checkpoint.load_weights(trainer.model)
    trainer.load_state(checkpoint.load_trainer())
    return trainer


def evaluations(path: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if "val_loss" in line]


# ------------------------------------------------------------------------------------- when to save


def test_a_checkpoint_comes_every_so_many_steps_and_before_each_evaluation(
    tmp_path: Path, saved: list[int]
) -> None:
    config = train_config(max_iters=10, save_interval=3, eval_interval=5)
    make_trainer(tmp_path, config).fit()
    assert saved == [3, 5, 6, 9, 10]


def test_a_step_that_is_due_twice_is_saved_once(tmp_path: Path, saved: list[int]) -> None:
    make_trainer(tmp_path, train_config(max_iters=8, save_interval=4, eval_interval=4)).fit()
    assert saved == [4, 8]


class Clock:
    """Time that passes by twenty seconds a step."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer

    def perf_counter(self) -> float:
        return 20.0 * self.trainer.step

    monotonic = perf_counter


@pytest.mark.parametrize(
    ("minutes", "steps"),
    # More than a minute since the checkpoint before: four steps of 20 s.
    [(1.0, [4, 8, 10, 14, 18, 20]), (0.0, [10, 20]), (10.0, [10, 20])],
)
def test_a_checkpoint_comes_after_so_many_minutes(
    tmp_path: Path, saved: list[int], minutes: float, steps: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    config = train_config(max_iters=20, eval_interval=10, save_minutes=minutes)
    trainer = make_trainer(tmp_path, config)
    monkeypatch.setattr(trainer_module, "time", Clock(trainer))
    trainer._saved_at = 0.0
    trainer.fit()
    assert saved == steps


def test_of_many_checkpoints_the_latest_ones_and_the_best_are_there(tmp_path: Path) -> None:
    config = train_config(max_iters=20, save_interval=2, eval_interval=8, keep_last=3)
    trainer = make_trainer(tmp_path, config)
    script = iter([1.0, 2.0, 3.0])
    trainer.evaluate = lambda n: next(script) if n else 9.0  # type: ignore[method-assign]
    there = []
    trainer.hooks = Hooks(sample=lambda model: there.append(steps_in(tmp_path)) or "")
    trainer.fit()
    assert there == [[4, 6, 8], [8, 12, 14, 16], [8, 16, 18, 20]]


def steps_in(path: Path) -> list[int]:
    return sorted(int(folder.name.removeprefix("step-")) for folder in path.glob("step-*"))


def test_weights_of_an_exploded_line_are_not_saved(tmp_path: Path, saved: list[int]) -> None:
    config = train_config(max_iters=100, eval_interval=5, save_interval=5, learning_rate=0.0)
    trainer = make_trainer(tmp_path, config)
    step = trainer.engine.step

    def exploding(*args: Any) -> Any:
        loss, norm = step(*args)
        return (loss + 10 if trainer.step >= 15 else loss), norm

    trainer.engine.step = exploding  # type: ignore[method-assign]
    # At 15 the run is whole; the line of step 20 is above guessing, and the save there refuses it.
    with pytest.raises(RunError, match=r"exploded from 3\.\d+ to \d+\.\d+ at step 20") as caught:
        trainer.fit()
    assert saved == [5, 10, 15]
    assert "Step 15 is saved and whole: add --resume auto" in caught.value.hint


def test_a_run_that_diverges_goes_back_before_the_weights_were_spoilt(tmp_path: Path) -> None:
    config = train_config(max_iters=100, eval_interval=5, learning_rate=0.0)
    trainer = make_trainer(tmp_path, config)
    step, evaluate = trainer.engine.step, trainer.evaluate

    def exploding(*args: Any) -> Any:
        loss, norm = step(*args)
        return (loss + 10 if trainer.step >= 15 else loss), norm

    def found(batches: int | None) -> float | None:
        return 13.5 if trainer.step == 15 else evaluate(batches)

    trainer.engine.step, trainer.evaluate = exploding, found  # type: ignore[method-assign]
    with pytest.raises(RunError, match="at step 20") as caught:
        trainer.fit()
    # At 5 all was as good as at 10: the first is the best.
    assert "Step 5 is saved and whole: add --resume auto" in caught.value.hint
    assert (tmp_path / "latest").read_text() == "step-000005\n"
    assert resumed(tmp_path, config).step == 5


# ----------------------------------------------------------------------------------------- patience


def test_a_run_that_gets_no_better_ends_early_on_the_whole_split(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, train_config(max_iters=100, eval_interval=4, patience=2))
    script = iter([3.0, 2.0, 2.5, 2.25])
    trainer.evaluate = lambda n: next(script) if n else 9.0  # type: ignore[method-assign]
    fitted = trainer.fit()
    assert (fitted.step, fitted.early, fitted.best_step) == (16, True, 8)
    assert fitted.last is not None and fitted.last.val_loss == 9.0
    assert [line.get("whole_split") for line in evaluations(tmp_path)] == [None, None, None, True]


def test_patience_begins_anew_with_each_better_one(tmp_path: Path) -> None:
    config = train_config(max_iters=24, eval_interval=4, patience=2)
    trainer = make_trainer(tmp_path, config)
    script = iter([3.0, 3.5, 2.0, 2.5, 1.0, 1.5])
    trainer.evaluate = lambda n: next(script) if n else 9.0  # type: ignore[method-assign]
    fitted = trainer.fit()
    assert (fitted.step, fitted.early) == (24, False)


# Rates so high that it learns nothing: the evaluations go up and down.
RESTLESS = train_config(
    max_iters=200, eval_interval=2, patience=4, learning_rate=0.05, schedule="constant",
    weight_decay=0.0, dropout=0.1,
)  # fmt: skip


def test_a_run_that_ended_early_ends_there_again_however_it_was_interrupted(tmp_path: Path) -> None:
    whole = make_trainer(tmp_path / "whole", RESTLESS)
    fitted = whole.fit()
    assert fitted.early and 8 < fitted.step < 200

    again = resumed(tmp_path / "whole", RESTLESS).fit()  # once more, after its end
    assert (again.step, again.early, again.last) == (fitted.step, True, fitted.last)

    class Crash(Exception):
        pass

    for moment in (fitted.step - 3, fitted.step - 2, fitted.step):
        path = tmp_path / f"crashed-{moment}"
        trainer = make_trainer(path, RESTLESS)
        evaluate = trainer._evaluate

        def crashing(at_end: bool, trainer=trainer, moment=moment, evaluate=evaluate) -> Any:
            if trainer.step >= moment:
                raise Crash
            return evaluate(at_end)

        trainer._evaluate = crashing  # type: ignore[method-assign]
        with pytest.raises(Crash):
            trainer.fit()
        end = resumed(path, RESTLESS).fit()
        assert (end.step, end.early, end.last) == (fitted.step, True, fitted.last)
        assert (end.best_step, end.best_val_loss) == (fitted.best_step, fitted.best_val_loss)


def test_more_patience_goes_on_with_a_run_that_ended_early(tmp_path: Path) -> None:
    fitted = make_trainer(tmp_path, RESTLESS).fit()
    more = dataclasses.replace(RESTLESS, patience=None, max_iters=fitted.step + 6)
    again = resumed(tmp_path, more).fit()
    assert (again.step, again.early) == (fitted.step + 6, False)


# ------------------------------------------------------------------------------------ overfit-batch


def test_one_batch_is_learnt_by_heart_and_evaluated_on(tmp_path: Path) -> None:
    config = train_config(
        overfit_batch=True, max_iters=150, eval_interval=50, learning_rate=0.01, weight_decay=0.0
    )
    trainer = make_trainer(tmp_path, config)
    first, second = trainer.batches.next(), trainer.batches.next()
    assert torch.equal(first[0], second[0])
    fitted = trainer.fit()
    assert fitted.last is not None and fitted.last.val_loss < 0.1
    assert fitted.last.val_loss == pytest.approx(trainer.engine.loss(*first).item(), rel=0.2)


@pytest.mark.parametrize("order", ["random", "sequential"])
def test_a_run_of_one_batch_is_resumed_with_that_batch(tmp_path: Path, order: str) -> None:
    config = train_config(overfit_batch=True, max_iters=8, dropout=0.2, order=order)
    whole = make_trainer(tmp_path / "whole", config)
    whole.fit()
    half = make_trainer(tmp_path / "half", config)
    for _ in range(4):
        half.train_step()
    half.save()
    rest = resumed(tmp_path / "half", config)
    rest.fit()
    for p, q in zip(whole.model.parameters(), rest.model.parameters(), strict=True):
        assert torch.equal(p, q)


# ------------------------------------------------------------------------------------------ minutes


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six laps are enough to know how long a step lasts."""
    monkeypatch.setattr(pace_module, "MOST", 6)


def test_minutes_fix_the_number_of_steps_once_and_tell_it(tmp_path: Path, quick: None) -> None:
    told: list[tuple[TrainConfig, Pace]] = []
    config = train_config(minutes=0.02, eval_interval=1000)
    hooks = Hooks(planned=lambda config, pace: told.append((config, pace)))
    trainer = make_trainer(tmp_path, config, hooks=hooks)
    assert trainer.max_iters == math.inf
    fitted = trainer.fit()
    ((planned, pace),) = told
    assert (planned.minutes, planned.max_iters) == (None, fitted.step)
    assert isinstance(planned.max_iters, int)
    # The seven steps took their part of the 1.2 seconds.
    assert 7 < fitted.step <= 7 + pace.steps(1.2 - 6 * min(trainer._stopwatch.laps))
    assert isinstance(trainer.progress, Recorder)
    assert trainer.progress.watches[0].totals == [fitted.step]
    latest = Run(tmp_path).pointer("latest")
    assert latest is not None
    stored = Checkpoint.open(latest).train
    assert (stored["minutes"], stored["max_iters"]) == (None, fitted.step)


def test_the_schedule_ends_where_the_minutes_do(tmp_path: Path, quick: None) -> None:
    config = train_config(minutes=0.02, eval_interval=1000, learning_rate=0.01, min_lr=0.001)
    trainer = make_trainer(tmp_path, config)
    trainer.fit()
    rates = [g["lr"] for o in trainer.engine.optimizers for g in o.param_groups]
    last = trainer.config.max_iters
    fall = 0.7 * last
    expected = 0.001 + (0.01 - 0.001) / fall
    assert rates[1] == pytest.approx(expected, rel=1e-6)


def test_a_run_whose_length_is_known_tells_its_pace_too(tmp_path: Path, quick: None) -> None:
    told: list[tuple[TrainConfig, Pace]] = []
    hooks = Hooks(planned=lambda config, pace: told.append((config, pace)))
    make_trainer(tmp_path, train_config(max_iters=20), hooks=hooks).fit()
    ((config, pace),) = told
    assert config.max_iters == 20
    assert (pace.eval_interval, pace.eval_batches, pace.whole_batches) == (4, 3, 3)


def test_a_rehearsal_saves_nothing(tmp_path: Path, quick: None) -> None:
    trainer = make_trainer(tmp_path, train_config())
    pace = trainer.rehearse()
    assert pace.step > 0 and pace.batch > 0
    assert list(tmp_path.iterdir()) == []


def test_a_rehearsal_of_a_run_that_goes_on_leaves_its_metrics_alone(
    tmp_path: Path, quick: None
) -> None:
    make_trainer(tmp_path, train_config(max_iters=10)).fit()
    before = (tmp_path / "metrics.jsonl").read_bytes()
    resumed(tmp_path, train_config(max_iters=30)).rehearse()
    assert (tmp_path / "metrics.jsonl").read_bytes() == before
    assert steps_in(tmp_path) == [8, 10]


def test_the_pace_counts_what_an_evaluation_takes(tmp_path: Path, quick: None) -> None:
    trainer = make_trainer(tmp_path, train_config(eval_iters=2), tiny_corpus(val=800))
    pace = trainer.rehearse()
    # 799 targets are 99 windows of 8, in 25 batches of 4; the 7 that are left take no time.
    assert (pace.eval_batches, pace.whole_batches) == (2, 25)
