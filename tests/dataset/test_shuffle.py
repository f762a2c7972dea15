"""The order of range(n) that is computed place by place."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yocto.dataset.shuffle import shuffled


def order(n, seed=1, epoch=0):
    return shuffled(np.arange(n, dtype=np.uint64), n, seed, epoch).tolist()


@settings(deadline=None)
@given(
    n=st.integers(1, 3000), seed=st.integers(0, 2**63 - 1), epoch=st.integers(0, 2**62)
)  # fmt: skip
def test_each_number_comes_exactly_once(n, seed, epoch):
    assert sorted(order(n, seed, epoch)) == list(range(n))


@pytest.mark.parametrize("n", [*range(1, 70), 255, 256, 257, 65535, 65536, 65537])
def test_each_number_comes_exactly_once_at_the_edges_of_a_square(n):
    assert sorted(order(n)) == list(range(n))


@given(data=st.data(), n=st.integers(1, 2**62))
def test_a_place_is_the_same_whichever_others_are_asked_for(data, n):
    places = data.draw(st.lists(st.integers(0, n - 1), max_size=20))
    together = shuffled(np.array(places, np.uint64), n, 5, 6).tolist()
    alone = [shuffled(np.array([place], np.uint64), n, 5, 6).item() for place in places]
    assert together == alone
    assert all(0 <= found < n for found in together)
    assert len(set(together)) == len(set(places))


def test_the_places_that_are_asked_for_stay_as_they_are():
    places = np.arange(10, dtype=np.uint64)
    shuffled(places, 10, 1, 1)
    assert places.tolist() == list(range(10))


def test_every_seed_and_every_epoch_has_an_order_of_its_own():
    found = {tuple(order(1000, seed, epoch)) for seed in range(10) for epoch in range(10)}
    assert len(found) == 100


@pytest.mark.parametrize(("n", "orders"), [(1, 1), (2, 2), (3, 6), (4, 24)])
def test_a_few_numbers_come_in_every_order_about_equally_often(n, orders):
    found = [tuple(order(n, epoch=epoch)) for epoch in range(100 * orders)]
    counts = [found.count(one) for one in set(found)]
    assert len(counts) == orders
    assert min(counts) > 60 and max(counts) < 150


@pytest.mark.parametrize("n", [1000, 1024, 20_011])
def test_the_order_looks_shuffled(n):
    places = np.arange(n)
    neighbours, runs, fixed, following, moved = [], [], [], [], []
    for epoch in range(100):
        found = np.array(order(n, epoch=epoch))
        beside = np.abs(np.diff(found)) == 1
        neighbours.append(beside.sum())
        runs.append((beside[1:] & beside[:-1]).sum())
        fixed.append((found == places).sum())
        following.append(np.corrcoef(found[1:], found[:-1])[0, 1])
        moved.append(np.corrcoef(found, places)[0, 1])
    # In a fair shuffle 2 neighbours stay neighbours, and 1 number stays where it was, on average.
    assert 1.4 < np.mean(neighbours) < 2.6 and max(neighbours) < 12
    assert sum(runs) < 6  # of three neighbours, in all the epochs together
    assert 0.6 < np.mean(fixed) < 1.5
    for correlations in (following, moved):
        assert abs(np.mean(correlations)) < 0.5 / n**0.5
        assert np.std(correlations) < 1.5 / n**0.5


def test_the_next_epoch_does_not_resemble_the_one_before():
    one, two = np.array(order(5000, epoch=0)), np.array(order(5000, epoch=1))
    assert (one == two).sum() < 8
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.08


def test_the_order_never_changes_since_saved_runs_go_on_in_it():
    assert order(12, seed=1337, epoch=0) == [11, 2, 5, 1, 6, 3, 4, 10, 7, 8, 9, 0]
    places = np.array([0, 1, 10**11 - 1], np.uint64)
    assert shuffled(places, 10**11, 1337, 3).tolist() == [36857685122, 72493410518, 24630589729]
