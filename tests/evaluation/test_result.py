"""Intervals of shares, and perplexities that no float has room for."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yocto.evaluation.result import perplexity_of, wilson_interval


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_the_share_and_solves_wilsons_equation(counts):
    right, rows = counts
    low, high = wilson_interval(right, rows)
    share = right / rows
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1
    assert high - low > 0
    for end in (low, high):  # the share lies 1.96 deviations of such a share away from it
        z2 = 1.959963984540054**2
        assert (share - end) ** 2 == pytest.approx(z2 * end * (1 - end) / rows, abs=1e-9)


def test_a_loss_beyond_all_floats_is_cut():
    assert perplexity_of(2.0) == pytest.approx(math.exp(2.0))
    assert perplexity_of(1e6) == math.exp(700.0)
