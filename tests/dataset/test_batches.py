"""Batches of windows."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from yocto.dataset.batches import (
    IGNORED,
    RandomBatches,
    SequentialBatches,
    check_validation_split,
    eval_batches,
)
from yocto.dataset.tokens import TokenShards
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
    state = batches.state()
    following = [batches.next() for _ in range(3)]
    resumed = random_batches(1000, 8, 4, seed=999)
    resumed.load_state(state)
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


def test_the_windows_start_where_the_generator_says():
    tokens = np.random.default_rng(1).integers(0, 60_000, 500).astype(np.uint16)
    batches = RandomBatches(tokens, 8, 4, torch.Generator().manual_seed(1337), 60_000)
    generator = torch.Generator().manual_seed(1337)
    for _ in range(5):
        starts = torch.randint(500 - 8, (4,), generator=generator).tolist()
        idx, targets = batches.next()
        assert idx.tolist() == [tokens[s : s + 8].tolist() for s in starts]
        assert targets.tolist() == [tokens[s + 1 : s + 9].tolist() for s in starts]


# ------------------------------------------------------------------------------------- sequential


def sequential(n, block_size, batch_size, seed=1):
    return SequentialBatches(np.arange(n, dtype=np.uint16), block_size, batch_size, seed)


def rows(batches, count):
    """So many windows, as pairs of lists."""
    found = []
    while len(found) < count:
        idx, targets = batches.next()
        assert idx.dtype == targets.dtype == torch.int64
        assert idx.shape == targets.shape == (batches.batch_size, batches.block_size)
        assert idx.is_contiguous() and targets.is_contiguous()
        found += zip(idx.tolist(), targets.tolist(), strict=True)
    assert len(found) == count
    return found


@settings(deadline=None)
@given(
    n=st.integers(2, 80),
    block_size=st.integers(1, 9),
    batch_size=st.integers(1, 7),
    seed=st.integers(0, 2**63 - 1),
)
def test_each_epoch_takes_every_token_but_the_first_exactly_once(n, block_size, batch_size, seed):
    block_size = min(block_size, n - 1)
    batches = sequential(n, block_size, batch_size, seed)
    windows = -(-(n - 1) // block_size)
    found = rows(batches, windows * batch_size)  # so many epochs as a batch has rows
    for epoch in range(batch_size):
        seen = []
        for idx, targets in found[epoch * windows : (epoch + 1) * windows]:
            there = [t for t in targets if t != IGNORED]
            assert targets == there + [IGNORED] * (block_size - len(there))
            assert idx[: len(there)] == [t - 1 for t in there]
            seen += there
        assert sorted(seen) == list(range(1, n))
    assert batches.state() == {"epoch": batch_size, "index": 0}


def test_the_last_window_is_filled_up_and_its_missing_targets_are_ignored():
    batches = sequential(1 + 2 * 8 + 3, 8, 1)
    short = [pair for pair in rows(batches, 3) if IGNORED in pair[1]]
    assert short == [([16, 17, 18, 19, 0, 0, 0, 0], [17, 18, 19] + [IGNORED] * 5)]
    assert batches.epoch_tokens == 24
    whole = rows(sequential(1 + 2 * 8, 8, 1), 2)
    assert all(IGNORED not in targets for _, targets in whole)


def test_a_batch_that_reaches_the_end_goes_on_with_the_next_epoch():
    one_by_one = rows(sequential(90, 8, 1), 12 * 5)
    assert rows(sequential(90, 8, 5), 12 * 5) == one_by_one
    assert rows(sequential(90, 8, 60), 60) == one_by_one  # several epochs in a batch


def test_each_epoch_and_each_seed_has_an_order_of_its_own():
    first = rows(sequential(801, 8, 1), 300)
    epochs = [first[:100], first[100:200], first[200:]]
    assert all(a != b for a, b in itertools.pairwise(epochs))
    assert sorted(epochs[0]) == sorted(epochs[1]) == sorted(epochs[2])
    assert rows(sequential(801, 8, 1, seed=2), 100) != epochs[0]
    assert rows(sequential(801, 8, 1), 100) == epochs[0]


@pytest.mark.parametrize("drawn", [0, 1, 5, 6, 11, 30])
@pytest.mark.parametrize("batch_size", [1, 2, 4])
def test_a_position_counts_windows_so_that_any_batch_size_goes_on_at_the_next_one(
    drawn, batch_size
):
    undisturbed = rows(sequential(90, 8, 2), 2 * drawn + 40)
    stopped = sequential(90, 8, 2)
    rows(stopped, 2 * drawn)
    resumed = sequential(90, 8, batch_size)
    resumed.next()
    resumed.load_state(stopped.state())
    assert rows(resumed, 40) == undisturbed[2 * drawn :]


@pytest.mark.parametrize(
    "state",
    [
        None, 7, "epoch", [], {}, {"epoch": 0}, torch.zeros(3),
        {"epoch": -1, "index": 0}, {"epoch": 0, "index": -1}, {"epoch": 0, "index": 12},
        {"epoch": 0.0, "index": 0}, {"epoch": 0, "index": True}, {"epoch": 1 << 62, "index": 0},
        {"epoch": torch.zeros(()), "index": 0}, {"epoch": 10**400, "index": 0},
    ],
)  # fmt: skip
def test_what_is_no_position_is_refused(state):
    batches = sequential(90, 8, 2)  # 12 windows
    batches.next()
    before = batches.state()
    with pytest.raises((ValueError, TypeError, LookupError, RuntimeError)):
        batches.load_state(state)
    assert batches.state() == before


def test_a_position_of_one_order_is_none_in_the_other():
    with pytest.raises((ValueError, TypeError, LookupError, RuntimeError)):
        random_batches(90, 8, 2).load_state(sequential(90, 8, 2).state())
    with pytest.raises((ValueError, TypeError, LookupError, RuntimeError)):
        sequential(90, 8, 2).load_state(random_batches(90, 8, 2).state())


def test_a_split_of_a_hundred_billion_tokens_takes_no_time_to_start():
    class Endless:
        dtype = np.dtype("uint16")

        def __len__(self):
            return 10**11

        def __getitem__(self, places):
            start, stop, _ = places.indices(len(self))
            return (np.arange(start, stop) % 50_000).astype(np.uint16)

    batches = SequentialBatches(Endless(), 1024, 4, seed=1)
    batches.load_state({"epoch": 3, "index": batches.windows - 2})
    idx, targets = batches.next()
    assert torch.equal((idx + 1) % 50_000, targets.where(targets != IGNORED, (idx + 1) % 50_000))
    assert batches.state() == {"epoch": 4, "index": 2}


def test_sequential_batches_refuse_a_text_shorter_than_a_window_too():
    with pytest.raises(DataError, match="has 8 tokens, but block_size 8 takes at least 9"):
        sequential(8, 8, 1)


# ----------------------------------------------------------------------------------------- shards


def all_batches(tokens, block_size, batch_size):
    """What each maker of batches makes of the tokens."""
    draws = RandomBatches(tokens, block_size, batch_size, torch.Generator().manual_seed(3), 99)
    turns = SequentialBatches(tokens, block_size, batch_size, 3, 99)
    made = [maker.next() for maker in (draws, turns) for _ in range(9)]
    made += eval_batches(tokens, block_size, batch_size, vocab_size=99)
    made += eval_batches(tokens, block_size, batch_size, 2, 99)
    return [(idx.tolist(), targets.tolist()) for idx, targets in made]


@settings(deadline=None, max_examples=50)
@given(
    sizes=st.lists(st.integers(0, 12), min_size=1, max_size=8).filter(lambda s: sum(s) > 1),
    block_size=st.integers(1, 20),
    batch_size=st.integers(1, 4),
)
def test_shards_give_the_batches_of_one_array(sizes, block_size, batch_size):
    whole = np.random.default_rng(1).integers(0, 99, sum(sizes)).astype(np.uint16)
    shards = TokenShards(np.split(whole, np.cumsum(sizes)[:-1]))
    block_size = min(block_size, len(whole) - 1)
    expected = all_batches(whole, block_size, batch_size)
    assert all_batches(shards, block_size, batch_size) == expected


@pytest.mark.parametrize("parts", [1, 3])
def test_an_id_that_the_vocabulary_lacks_is_refused_whoever_meets_it(parts):
    whole = np.arange(40, dtype=np.uint16) % 7
    whole[20] = 300
    tokens = TokenShards(np.array_split(whole, parts)) if parts > 1 else whole
    generator = torch.Generator().manual_seed(1)
    for split, draw in (
        ("training", lambda n: RandomBatches(tokens, 4, 50, generator, n).next()),
        ("training", lambda n: SequentialBatches(tokens, 4, 10, 1, n).next()),
        ("validation", lambda n: list(eval_batches(tokens, 4, 2, None, n))),
    ):
        with pytest.raises(DataError, match=f"{split} split is damaged: it holds id 300") as caught:
            draw(300)
        assert "yocto encode" in caught.value.hint
        draw(301)
        draw(None)
    short = whole[:22]  # the id lies in the last, shorter window
    with pytest.raises(DataError, match="id 300"):
        list(eval_batches(short, 19, 2, None, 300))


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
