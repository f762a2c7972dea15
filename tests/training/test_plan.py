"""What a run will take, in numbers and words."""

from __future__ import annotations

import dataclasses

import pytest
from tiny import tiny_gpt, train_config

from yocto.training.plan import (
    Plan,
    evaluation_share,
    iterations_for,
    training_memory,
)

PLAN = Plan(
    device="cpu, 2 threads", parameters=1_234_567, train_tokens=10_000, val_tokens=900,
    epoch_tokens=10_000, iterations=100, tokens_per_iteration=250, memory=45_600_000, seconds=200.0,
)  # fmt: skip


def test_the_plan_tells_every_size_and_cost() -> None:
    text = "\n".join(PLAN.lines())
    for part in (
        "cpu, 2 threads", "1,234,567", "10,000 to train on", "900 to validate",
        "100 of 250 tokens", "2.5 times", "46 MB", "3 min 20 s",
    ):  # fmt: skip
        assert part in text


def test_a_plan_without_tokens_does_not_divide_by_zero() -> None:
    assert dataclasses.replace(PLAN, train_tokens=0, epoch_tokens=0).lines()


def test_the_plan_counts_epochs_by_what_one_takes() -> None:
    # The windows of an epoch may take more targets than there are tokens: the last one is filled.
    longer = dataclasses.replace(PLAN, epoch_tokens=12_500)
    assert "(2.0 times the training text)" in "\n".join(longer.costs())


def test_evaluations_take_their_share_of_the_time() -> None:
    # Every 10 steps, 3 batches without their backward pass: 3/3 of a step.
    config = train_config(eval_interval=10, eval_iters=3)
    assert evaluation_share(config) == pytest.approx(0.1)
    assert iterations_for(22.1, 0.2, config) == 100
    # With four times the work in a step an evaluation weighs a quarter.
    accumulating = train_config(eval_interval=10, eval_iters=3, gradient_accumulation_steps=4)
    assert evaluation_share(accumulating) == pytest.approx(0.025)


def test_there_is_time_for_one_step_at_least() -> None:
    assert iterations_for(0.001, 10.0, train_config()) == 1
    assert iterations_for(-5.0, 10.0, train_config()) == 1


def test_memory_grows_with_the_weights_and_with_the_batch() -> None:
    model, deeper = tiny_gpt(n_layer=1), tiny_gpt(n_layer=2)
    one, two, four = (training_memory(model, train_config(batch_size=b)) for b in (1, 2, 4))
    assert four - two == 2 * (two - one) > 0
    # weights, gradients and two means, four bytes each
    weights = deeper.num_parameters() - model.num_parameters()
    assert training_memory(deeper, train_config(batch_size=1)) - one > 16 * weights


def test_keeping_documents_apart_takes_memory_that_grows_with_the_square_of_the_window() -> None:
    def mask(block_size: int) -> int:
        model = tiny_gpt(block_size=block_size)
        config = train_config(block_size=block_size)
        apart = dataclasses.replace(config, respect_documents=True)
        return training_memory(model, apart) - training_memory(model, config)

    assert mask(8) == 6 * 4 * 8 * 8
    assert mask(16) == 4 * mask(8)
