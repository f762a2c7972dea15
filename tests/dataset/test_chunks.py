"""What all readers share."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yocto.dataset.chunks import is_blank, listed, name_it

BLANK = [c for c in map(chr, range(sys.maxunicode + 1)) if c.isspace()]


@given(
    st.text(st.sampled_from([*BLANK, "a", "é", "\u200b", "\0"]), max_size=6), st.integers(0, 600)
)
def test_a_text_is_blank_where_python_says_so(text, size):
    for whole in (text, BLANK[size % len(BLANK)] * size + text, text * size):
        assert is_blank(whole.encode()) == (whole.strip() == "")


@pytest.mark.parametrize("size", range(250, 262))
def test_a_character_across_the_end_of_what_is_looked_at_first_counts(size):
    for character, blank in (("🙂", False), ("\u2003", True), ("a", False)):
        assert is_blank((" " * size + character).encode()) is blank
        assert is_blank((" " * size + character + " " * 50).encode()) is blank


def test_names_are_listed_however_many_and_long():
    assert listed(["a", "b"]) == "'a', 'b'"
    assert listed([]) == "none"
    assert listed(["x"] * 15).endswith("'x' and 3 more")
    assert len(listed(["x" * 10_000] * 10_000)) < 1000


def test_a_name_is_quoted_for_the_shell_and_an_odd_one_left_out():
    assert name_it("--k", ["a b"], "KEY") == "--k 'a b'"
    assert name_it("--k", ["a\nb"], "KEY") == "--k KEY"
    assert name_it("--k", ["a" * 100], "KEY") == "--k KEY"
    assert name_it("--k", [], "KEY") == "--k KEY"
    assert name_it("--k", [""], "KEY") == "--k KEY"
