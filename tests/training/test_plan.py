"""What a run will take, in numbers and words."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from tiny import tiny_gpt, train_config

from yocto.errors import RunError
from yocto.training.plan import Plan, memory_told, training_memory

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


# ------------------------------------------------------------------------------- out of memory


def out_of_memory(error: Exception, **knobs) -> RunError:
    caught = pytest.raises(RunError, match="out of memory while training")
    with caught as found, memory_told(lambda: train_config(**knobs)):
        raise error
    return found.value


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        MemoryError(),
    ],
    ids=["CPU", "GPU", "Python"],
)
def test_out_of_memory_tells_what_to_lower_and_how_the_step_stays_the_same(
    error: Exception,
) -> None:
    hint = out_of_memory(error, batch_size=12, gradient_accumulation_steps=3).hint
    assert "--batch-size 6 --gradient-accumulation-steps 6 (the same step)" in hint
    for way in ("--activation-checkpointing", "--block-size", "--n-embd", "--resume auto"):
        assert way in hint


def test_out_of_memory_with_one_sequence_and_recomputation_leaves_the_size() -> None:
    hint = out_of_memory(MemoryError(), batch_size=1, activation_checkpointing=True).hint
    assert "--batch-size" not in hint
    assert "--activation-checkpointing" not in hint
    assert "--n-layer" in hint


def test_the_halves_of_an_odd_batch_are_nearly_the_same_step() -> None:
    hint = out_of_memory(MemoryError(), batch_size=5, gradient_accumulation_steps=2).hint
    assert "--batch-size 2 --gradient-accumulation-steps 4 (nearly the same step)" in hint


def test_other_errors_pass_through() -> None:
    for error in (RuntimeError("shapes do not match"), ValueError("no")):
        with pytest.raises(type(error), match=str(error)), memory_told(train_config):
            raise error
