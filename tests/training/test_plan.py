"""What a run will take, in numbers and words; what is said where memory is short."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from tiny import Recorder, tiny_config, tiny_corpus, train_config

import yocto.training.plan as plan_module
from yocto.errors import DataError, RunError
from yocto.model.gpt import GPT
from yocto.training.corpus import TextLessons
from yocto.training.memory import training_memory
from yocto.training.pace import MOST, STEPS, Pace, Stopwatch
from yocto.training.plan import Plan, check_room, make_plan, memory_told

PLAN = Plan(
    device="cpu, 2 threads", parameters=1_234_567, embedding_parameters=234_567,
    train_tokens=10_000, val_tokens=900, epoch_tokens=10_000, tokens_per_iteration=250,
    memory=45_600_000, free_memory=2_000_000_000, iterations=100, seconds=200.0,
)  # fmt: skip


def test_the_plan_tells_every_size_and_cost() -> None:
    text = "\n".join(PLAN.lines())
    for part in (
        "cpu, 2 threads", "1,234,567", "234,567 in embeddings", "1,000,000 in blocks",
        "10,000 to train on", "900 to validate", "46 MB; 2.0 GB are free", "100 of 250 tokens",
        "2.5 times", "3 min 20 s",
    ):  # fmt: skip
        assert part in text


def test_a_plan_without_tokens_does_not_divide_by_zero() -> None:
    assert dataclasses.replace(PLAN, train_tokens=0, epoch_tokens=0).lines()


def test_the_plan_counts_epochs_by_what_one_takes() -> None:
    # The windows of an epoch may take more targets than there are tokens: the last one is filled.
    longer = dataclasses.replace(PLAN, epoch_tokens=12_500)
    assert "(2.0 times the training text)" in "\n".join(longer.costs())


@pytest.mark.parametrize("family", ["gpt2", "llama", "qwen3"])
def test_the_plan_counts_the_parameters_that_a_model_has(family: str) -> None:
    shape, config = tiny_config(family=family), train_config(gradient_accumulation_steps=3)
    plan = make_plan(shape, config, TextLessons(config, tiny_corpus(), 26))
    model = GPT(shape)
    blocks = sum(p.numel() for p in [*model.blocks.parameters(), *model.norm.parameters()])
    assert plan.parameters == model.num_parameters()
    assert plan.parameters - plan.embedding_parameters == blocks
    assert plan.tokens_per_iteration == 3 * 4 * 8


def test_a_text_shorter_than_a_window_is_told_before_a_model_is_made() -> None:
    with pytest.raises(DataError, match="validation split"):
        make_plan(
            tiny_config(), train_config(), TextLessons(train_config(), tiny_corpus(val=5), 26)
        )


# ---------------------------------------------------------------------------------------- memory

SHAPE = tiny_config(block_size=64, n_embd=64, n_layer=2)
RUN = train_config(batch_size=64)
TAKES = training_memory(SHAPE, RUN)


def plan_with(monkeypatch: pytest.MonkeyPatch, free: float | None) -> Plan:
    free = None if free is None else int(free)
    monkeypatch.setattr(plan_module, "available_memory", lambda device: free)
    return make_plan(SHAPE, RUN, TextLessons(RUN, tiny_corpus(val=200), 26))


def test_a_run_that_fits_is_let_through_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    for free in (None, TAKES):
        progress = Recorder()
        check_room(plan_with(monkeypatch, free), SHAPE, RUN, progress)
        assert progress.notices == []


def test_a_run_that_may_not_fit_is_let_through_with_a_notice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    progress = Recorder()
    check_room(plan_with(monkeypatch, TAKES / 1.1), SHAPE, RUN, progress)
    assert len(progress.notices) == 1
    assert "--batch-size 32" in progress.notices[0]


def test_a_run_that_does_not_fit_is_refused_with_the_mildest_change_that_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for size in (32, 16):
        smaller = train_config(batch_size=size, gradient_accumulation_steps=64 // size)
        free = training_memory(SHAPE, smaller)
        if free * 1.2 > TAKES:
            continue
        with pytest.raises(RunError, match="only") as told:
            check_room(plan_with(monkeypatch, free), SHAPE, RUN, Recorder())
        passes = f"--batch-size {size} --gradient-accumulation-steps {64 // size}"
        assert passes in (told.value.hint or "")


def test_a_model_too_large_for_any_batch_is_to_be_made_smaller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(RunError) as told:
        check_room(plan_with(monkeypatch, 50e6), SHAPE, RUN, Recorder())
    assert "--n-embd" in (told.value.hint or "")


def out_of_memory(run: Path, error: Exception) -> RunError:
    with pytest.raises(RunError) as told, memory_told(SHAPE, RUN, run):
        raise error
    return told.value


def test_running_out_of_memory_is_told_with_what_to_lower(tmp_path: Path) -> None:
    for error in (
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes"),
    ):
        told = out_of_memory(tmp_path, error)
        assert told.message.startswith("out of memory: training takes about")
        for part in ("--n-embd", "--batch-size 32 --gradient-accumulation-steps 2", "takes"):
            assert part in (told.hint or "")
        assert "--resume" not in (told.hint or "")


def test_only_a_run_that_has_saved_is_told_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "step-000004").mkdir()
    (tmp_path / "step-000004" / "config.json").touch()
    assert "--resume auto" in (out_of_memory(tmp_path, MemoryError()).hint or "")


def test_other_errors_are_not_taken_for_a_lack_of_memory(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="shapes"), memory_told(SHAPE, RUN, tmp_path):
        raise RuntimeError("shapes do not match")


# ------------------------------------------------------------------------------------------ time


def test_the_pace_counts_steps_evaluations_and_the_last_look_at_the_whole_split() -> None:
    pace = Pace(step=0.2, batch=0.1, eval_interval=10, eval_batches=3, whole_batches=7)
    assert pace.seconds(100) == pytest.approx(100 * 0.2 + 10 * 3 * 0.1 + 7 * 0.1)
    assert pace.seconds(101) == pytest.approx(pace.seconds(100) + 0.2 + 3 * 0.1)


def test_the_steps_that_fit_into_a_time_take_that_time() -> None:
    pace = Pace(step=0.2, batch=0.1, eval_interval=10, eval_batches=3, whole_batches=7)
    for seconds in (30.0, 100.0, 1000.0):
        steps = pace.steps(seconds)
        assert pace.seconds(steps) <= seconds + 1e-9
        assert pace.seconds(steps) == pytest.approx(seconds, abs=2 * (0.2 + 3 * 0.1))


def test_there_is_time_for_one_step_at_least() -> None:
    pace = Pace(step=10.0, batch=1.0, eval_interval=10, eval_batches=3, whole_batches=7)
    assert pace.steps(0.001) == pace.steps(-5.0) == 1


def laps(monkeypatch: pytest.MonkeyPatch, seconds: list[float]) -> list[float | None]:
    """What a stopwatch says after each step, when steps take so long."""
    clock = iter(seconds)  # each step begins at 0
    monkeypatch.setattr("yocto.training.pace.time.perf_counter", lambda: next(clock))
    stopwatch = Stopwatch()
    return [stopwatch.lap(0.0, torch.device("cpu")) for _ in seconds]


def test_the_first_step_does_not_count_and_a_slow_one_does_not_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = laps(monkeypatch, [50.0, 0.5, 0.5, 9.0, 0.5])
    assert told == [None] * STEPS + [pytest.approx(0.5)]


def test_quick_steps_are_timed_for_a_while_but_not_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = laps(monkeypatch, [0.1] * 30)
    assert 14 <= told.index(next(x for x in told if x is not None)) <= 17  # 1.5 s
    told = laps(monkeypatch, [0.001] * (MOST + 1))
    assert told[:-1] == [None] * MOST
    assert told[-1] == pytest.approx(0.001)
