"""Windows: each token is scored once, from as much as is promised."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yocto.dataset.tokens import TokenShards
from yocto.evaluation.windows import preceded, suffix_rows, windows


@given(st.integers(0, 60), st.integers(1, 12), st.integers(1, 12), st.integers(1, 4))
def test_each_token_but_the_first_is_scored_once_with_the_context_that_is_promised(n, T, S, first):
    S = min(S, T)
    tokens = np.arange(n, dtype=np.uint16)
    scored = []
    for row in windows(tokens, T, S, first):
        assert 1 <= row.begin < len(row.ids) <= T + 1
        start = int(row.ids[0])
        assert start % S == 0
        assert row.ids.tolist() == list(range(start, start + len(row.ids)))
        for place in range(row.begin, len(row.ids)):
            assert place <= T
            # All before it, or what is left of a window when it has moved on by a stride.
            assert place >= min(start + place, T - S, T) or S == T
        scored += row.ids[row.begin :].tolist()
    assert scored == list(range(min(first, n), n))


@given(st.integers(2, 60), st.integers(1, 12), st.integers(1, 12))
def test_windows_lie_as_in_the_guide_of_hugging_face(n, T, S):
    S = min(S, T)
    tokens = np.arange(n, dtype=np.uint16)
    expected, before = [], 0
    for begin in range(0, n, S):  # the loop of that guide
        end = min(begin + T, n)
        expected.append((begin, end, end - before))
        before = end
        if end == n:
            break
    found = [
        (int(row.ids[0]), int(row.ids[-1]) + 1, len(row.ids) - row.begin)
        for row in windows(tokens, T, S)
    ]
    if S == T:  # a window predicts one token more there, and the next one need not
        assert found == [
            (b, min(b + T + 1, n), min(T, n - 1 - b)) for b, _, _ in expected if b < n - 1
        ]
    else:
        # The guide counts the first token, which its model then leaves out.
        first = [(*expected[0][:2], expected[0][2] - 1)]
        assert found == [e for e in first + expected[1:] if e[2]]


def test_a_text_of_one_token_or_none_has_no_window():
    assert [*windows(np.array([3]), 8, 8)] == []
    assert [*windows(np.array([], np.uint16), 8, 4)] == []


def test_start_ids_stand_before_a_text_in_one_file_or_several():
    tokens = np.array([5, 6, 7], np.uint16)
    for text in (tokens, TokenShards([tokens[:1], tokens[1:]])):
        assert preceded([1, 2], text)[:].tolist() == [1, 2, 5, 6, 7]
        assert preceded([], text) is text


@given(st.integers(1, 80), st.integers(1, 40), st.integers(1, 12))
def test_a_suffix_is_scored_once_each_token_from_at_least_half_a_block(count, before, T):
    ids = list(range(before + count))
    rows, trimmed = suffix_rows(ids, before, T)
    scored = [i for row in rows for i in row.ids[row.begin :].tolist()]
    assert scored == ids[before:]
    assert trimmed == (len(ids) > T + 1)
    for row in rows:
        assert 1 <= row.begin < len(row.ids) <= T + 1
        assert int(row.ids[0]) == 0 or row.begin >= min(T // 2, T + 1 - count, before) or T == 1
    if count <= T:
        assert len(rows) == 1
        assert len(rows[0].ids) == min(len(ids), T + 1)


def test_what_is_longer_than_the_context_goes_in_parts_of_half_a_block():
    rows, trimmed = suffix_rows(range(20), 1, 8)
    assert trimmed
    assert [len(row.ids) - row.begin for row in rows] == [4, 4, 4, 4, 3]
    assert [len(row.ids) for row in rows] == [5, 9, 9, 9, 9]
    with pytest.raises(AssertionError):
        [*windows(np.arange(9), 4, 5)]
