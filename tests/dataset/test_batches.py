"""Batches of windows."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from yocto.dataset.batches import RandomBatches, check_validation_split, eval_batches
from yocto.errors import DataError


def random_batches(n, block_size, batch_size, seed=1):
    tokens = np.arange(n, dtype=np.uint16)
    return RandomBatches(tokens, block_size, batch_size, torch.Generator().manual_seed(seed))


def test_targets_are_the_windows_one_token_on():
    idx, targets = random_batches(100, 8, 5).next()
    assert idx.shape == targets.shape == (5, 8)
    assert idx.dtype == targets.dtype == torch.int64
    assert idx.is_contiguous() and targets.is_contiguous()
    starts = idx[:, :1]
    assert torch.equal(idx, starts + torch.arange(8))
    assert torch.equal(targets, idx + 1)


def test_large_ids_keep_their_value():
    tokens = np.full(20, (1 << 32) - 1, np.uint32)
    idx, _ = RandomBatches(tokens, 4, 2, torch.Generator()).next()
    assert idx.unique().tolist() == [(1 << 32) - 1]
    idx, _ = next(eval_batches(tokens, 4, 2))
    assert idx.unique().tolist() == [(1 << 32) - 1]


def test_every_start_is_possible_the_first_and_the_last_too():
    batches = random_batches(12, 4, 400)
    starts = batches.next()[0][:, 0]
    assert starts.unique().tolist() == list(range(8))  # the last window is 7…10, its target 11
    counts = torch.bincount(starts)
    assert counts.min() > 25  # 50 on average: equally likely


def test_the_same_generator_state_gives_the_same_batches():
    batches = random_batches(1000, 8, 4)
    batches.next()
    state = batches.generator.get_state()
    following = [batches.next() for _ in range(3)]
    resumed = random_batches(1000, 8, 4, seed=999)
    resumed.generator.set_state(state)
    for (idx, targets), (again, targets_again) in zip(
        following, [resumed.next() for _ in range(3)], strict=True
    ):
        assert torch.equal(idx, again) and torch.equal(targets, targets_again)


def test_other_seeds_give_other_batches_and_the_global_generator_plays_no_part():
    first = random_batches(1000, 8, 4).next()[0]
    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert torch.equal(random_batches(1000, 8, 4).next()[0], first)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(random_batches(1000, 8, 4, seed=2).next()[0], first)


def test_a_memory_map_is_not_read_whole(tmp_path):
    np.arange(100, dtype="<u2").tofile(tmp_path / "train.bin")
    tokens = np.memmap(tmp_path / "train.bin", "<u2", mode="r")
    batches = RandomBatches(tokens, 8, 4, torch.Generator())
    assert batches.tokens is tokens
    assert batches.next()[0].max() < 100


def test_exactly_one_window_is_enough():
    idx, targets = random_batches(5, 4, 2).next()
    assert idx.tolist() == [[0, 1, 2, 3]] * 2
    assert targets.tolist() == [[1, 2, 3, 4]] * 2


@pytest.mark.parametrize("n", [0, 1, 2, 8])
def test_a_text_shorter_than_a_window_is_refused_with_both_numbers(n):
    with pytest.raises(
        DataError, match=rf"has {n} tokens?, but block_size 8 takes at least 9"
    ) as caught:
        random_batches(n, 8, 2)
    hint = f"Use more text, or --block-size {n - 1}." if n > 1 else "Use more text."
    assert caught.value.hint == hint
    if n > 1:
        random_batches(n, n - 1, 2).next()  # what the hint says works


# ------------------------------------------------------------------------------------- evaluation


@settings(deadline=None)
@given(n=st.integers(0, 60), block_size=st.integers(1, 9), batch_size=st.integers(1, 5))
def test_a_whole_evaluation_takes_every_target_exactly_once(n, block_size, batch_size):
    tokens = np.arange(n, dtype=np.uint16)
    seen = []
    for idx, targets in eval_batches(tokens, block_size, batch_size):
        assert idx.shape == targets.shape
        assert idx.shape[0] <= batch_size and idx.shape[1] <= block_size
        assert idx.dtype == targets.dtype == torch.int64
        assert torch.equal(targets, idx + 1)
        seen += targets.flatten().tolist()
    assert seen == list(range(1, n))


def test_the_last_window_may_be_shorter_and_comes_alone():
    shapes = [tuple(idx.shape) for idx, _ in eval_batches(np.arange(24, dtype=np.uint16), 4, 2)]
    assert shapes == [(2, 4), (2, 4), (1, 4), (1, 3)]


@pytest.mark.parametrize("max_batches", [1, 2, 3, 7, 24, 25])
def test_max_batches_are_that_many_spread_evenly_over_the_split(max_batches):
    tokens = np.arange(1 + 25 * 8, dtype=np.uint16)  # 25 batches of 2 windows of 4
    found = list(eval_batches(tokens, 4, 2, max_batches))
    assert len(found) == max_batches
    starts = [int(idx[0, 0]) // 8 for idx, _ in found]
    gaps = np.diff([*starts, 25])
    assert starts[0] == 0
    assert gaps.min() >= 1 and gaps.max() - gaps.min() <= 1
    for idx, targets in found:
        assert idx.shape == (2, 4)
        assert torch.equal(targets, idx + 1)


def test_more_batches_than_there_are_give_the_whole_split():
    tokens = np.arange(24, dtype=np.uint16)
    whole = [targets.tolist() for _, targets in eval_batches(tokens, 4, 2)]
    assert [targets.tolist() for _, targets in eval_batches(tokens, 4, 2, 100)] == whole


def test_an_evaluation_takes_the_same_windows_each_time():
    tokens = np.random.default_rng(1).integers(0, 99, 500).astype(np.uint16)
    once, twice = ([idx.tolist() for idx, _ in eval_batches(tokens, 8, 4, 5)] for _ in range(2))
    assert once == twice


@pytest.mark.parametrize("n", [0, 1, 8])
def test_a_validation_split_shorter_than_a_window_is_refused(n):
    with pytest.raises(DataError, match=rf"validation split has {n} tokens?,") as caught:
        check_validation_split(np.arange(n, dtype=np.uint16), 8)
    assert "--val-ratio" in caught.value.hint


def test_a_validation_split_of_one_window_is_enough():
    tokens = np.arange(9, dtype=np.uint16)
    check_validation_split(tokens, 8)
    assert len(list(eval_batches(tokens, 8, 4))) == 1
