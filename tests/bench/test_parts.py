"""Texts cut where a piece ends anyway."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yocto.bench.parts import cut
from yocto.tokenizer.patterns import NAMED_PATTERNS, make_splitter

SIGNS = st.sampled_from([*"ab Zé.\n'9", "  ", "'s ", " we", "the sea "])


@pytest.mark.parametrize("pattern", NAMED_PATTERNS)
def test_parts_have_the_pieces_of_the_whole(pattern: str) -> None:
    split = make_splitter(pattern)

    @given(st.lists(SIGNS, max_size=60).map("".join), st.integers(0, 8))
    def check(text: str, size: int) -> None:
        parts = cut(text, size)
        assert "".join(parts) == text
        assert all(len(part) >= size for part in parts[:-1])
        assert [piece for part in parts for piece in split(part)] == split(text)

    check()


def test_a_text_without_a_place_to_cut_is_one_part() -> None:
    assert cut("x" * 100, 10) == ["x" * 100]
    assert cut("", 10) == []
    assert cut("one two three", 2) == ["one", " two", " three"]
