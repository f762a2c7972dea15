"""Windows of conversations: each whole, each once an epoch, in an order to go on with."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from yocto.dataset.batches import IGNORED
from yocto.dataset.packed import Conversations, PackedBatches, pack, packed_batches

FILLER = 9


def conversations(sizes: list[int]) -> Conversations:
    """The i-th is 9, i, i, …; its second half is learnt."""
    return Conversations.of(
        ([FILLER] + [100 + i] * (n - 1), [k >= n // 2 and k > 0 for k in range(n)])
        for i, n in enumerate(sizes)
    )


SIZES = st.lists(st.integers(2, 13), min_size=1, max_size=40)


@given(SIZES, st.randoms())
def test_every_conversation_is_in_one_window_which_has_room_for_it(
    sizes: list[int], random: Any
) -> None:
    places = conversations(sizes).places()
    order = random.sample(range(len(sizes)), len(sizes))
    windows = pack(places, order, 12)
    assert sorted(n for window in windows for n in window) == list(range(len(sizes)))
    assert all(places[window].sum() <= 12 for window in windows)


def test_windows_are_filled_well() -> None:
    places = np.array([7, 5, 6, 6, 9, 3, 12])
    assert sorted(map(sorted, pack(places, range(7), 12))) == [[0, 1], [2, 3], [4, 5], [6]]


def test_a_window_holds_inputs_and_the_targets_that_are_learnt_only() -> None:
    found = Conversations.of([
        ([9, 1, 2, 3], [False, False, True, True]), ([9, 5, 6], [False, True, True]),
    ])  # fmt: skip
    idx, targets = found.fill([[1, 0], [0]], 6, FILLER)
    assert idx.tolist() == [[9, 5, 9, 1, 2, 9], [9, 1, 2, 9, 9, 9]]
    no = IGNORED
    assert targets.tolist() == [[5, 6, no, 2, 3, no], [no, 2, 3, no, no, no]]
    assert idx.dtype == targets.dtype == torch.int64
    assert found.targets == 4


@given(SIZES, st.randoms())
def test_a_part_has_those_that_are_wanted_in_their_order(sizes: list[int], random: Any) -> None:
    whole = conversations(sizes)
    wanted = np.array([random.random() < 0.5 for _ in sizes])

    def each(found: Conversations) -> list[tuple[list[int], list[bool]]]:
        spans = itertools.pairwise(found.starts)
        return [(found.ids[i:j].tolist(), found.learnt[i:j].tolist()) for i, j in spans]

    kept = [one for one, is_wanted in zip(each(whole), wanted, strict=True) if is_wanted]
    assert each(whole.part(wanted)) == kept
    assert whole.part(wanted).sha256 == Conversations.of(kept).sha256


@given(SIZES, st.integers(1, 5), st.integers(0, 3))
def test_each_epoch_has_each_target_once(sizes: list[int], batch_size: int, seed: int) -> None:
    source = conversations(sizes)
    batches = PackedBatches(source, 12, batch_size, seed, FILLER)
    for _ in range(2):
        left, said = batches.windows[batches.index :], []
        for _ in range(len(left)):
            batches.batch_size = 1
            _, targets = batches.next()
            said += targets[targets != IGNORED].tolist()
        expected = source.ids[source.learnt].tolist()
        assert sorted(said) == sorted(expected)
    assert batches.epoch == 2 and batches.index == 0


@given(SIZES, st.integers(1, 7), st.integers(1, 7), st.integers(0, 20))
def test_the_same_windows_follow_a_state_whatever_the_batch_size(
    sizes: list[int], before: int, after: int, taken: int
) -> None:
    first = PackedBatches(conversations(sizes), 12, before, 3, FILLER)
    for _ in range(taken):
        first.next()
    second = PackedBatches(conversations(sizes), 12, after, 3, FILLER)
    second.load_state(first.state())
    one = torch.cat([first.next()[1] for _ in range(after)])
    other = torch.cat([second.next()[1] for _ in range(before)])
    assert torch.equal(one, other)


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    source = conversations([4, 5, 6, 7] * 5)
    batches = PackedBatches(source, 12, 2, 3, FILLER)
    first = batches.windows
    batches.load_state({"epoch": 1, "index": 0})
    assert batches.windows != first
    assert PackedBatches(source, 12, 2, 4, FILLER).windows != first
    assert PackedBatches(source, 12, 2, 3, FILLER).windows == first


@pytest.mark.parametrize("state", [
    {"epoch": 0, "index": 99}, {"epoch": -1, "index": 0}, {"epoch": 0.0, "index": 0},
    {"epoch": 0, "index": -1}, {"epoch": 0}, [], None,
])  # fmt: skip
def test_a_position_that_is_none_is_refused(state: Any) -> None:
    batches = PackedBatches(conversations([4, 5, 6]), 12, 2, 3, FILLER)
    with pytest.raises((ValueError, LookupError, TypeError)):
        batches.load_state(state)


@given(SIZES, st.integers(1, 5))
def test_an_evaluation_sees_all_once_or_a_share_of_it(sizes: list[int], batch_size: int) -> None:
    source = conversations(sizes)
    whole = list(packed_batches(source, 12, batch_size, FILLER))
    said = [t for _, targets in whole for t in targets[targets != IGNORED].tolist()]
    assert sorted(said) == sorted(source.ids[source.learnt].tolist())
    few = list(packed_batches(source, 12, batch_size, FILLER, 2))
    assert len(few) == min(2, len(whole))
    assert torch.equal(few[0][0], whole[0][0])


def test_other_conversations_have_another_identity() -> None:
    assert conversations([4, 5]).sha256 == conversations([4, 5]).sha256
    assert conversations([4, 5]).sha256 != conversations([5, 4]).sha256
    assert len(conversations([4]).sha256) == 64
    long, longer = ([([9] * n, [True] * n)] for n in ((1 << 20) + 5, (1 << 20) + 6))
    assert Conversations.of(long).sha256 != Conversations.of(longer).sha256
