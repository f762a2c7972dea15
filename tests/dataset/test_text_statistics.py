"""Statistics of a text, against plain Python over the whole of it."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from yocto.config import END_OF_TEXT
from yocto.dataset.text_statistics import TextStatistics

# Texts rich in what is counted: line breaks of all kinds, separators whole and in parts.
pieces = st.sampled_from(
    [
        "\n",
        "\r\n",
        "\r",
        " ",
        "a",
        "é",
        "日",
        "🙂",
        END_OF_TEXT,
        f"\n{END_OF_TEXT}\n",
        "<|endof",
        "|>",
    ]
)
texts = st.lists(pieces, max_size=30).map("".join)


def counted(text: str, cuts: list[int], kept: int = 0) -> TextStatistics:
    made = TextStatistics(kept=kept)
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    for start, end in pairwise(edges):
        made.add(text[start:end])
    made.finish()
    return made


def documents_of(text: str) -> int:
    parts = re.split(rf"(?m)^{re.escape(END_OF_TEXT)}(?:\r?\n|\Z)", text)
    return sum(bool(part.strip()) for part in parts)


@given(texts, st.lists(st.integers(0, 1000), max_size=6))
@example(f"a\r\n{END_OF_TEXT}\r\nb\r\n", [3, 17])
@example(f"a\n{END_OF_TEXT}\r", [])
def test_the_counts_are_those_of_the_whole_however_it_is_cut(text, cuts):
    made = counted(text, cuts, kept=5)
    assert made.characters == len(text)
    assert made.bytes == len(text.encode("utf-8"))
    assert made.lines == text.count("\n") + (not text.endswith("\n") and text != "")
    assert made.crlf == text.count("\r\n")
    assert made.cr == text.count("\r") - text.count("\r\n")
    assert made.documents == documents_of(text)
    assert made.beginning == text[:5]
    assert made.different == len(set(text))


@given(texts, st.integers(0, 6))
def test_the_most_frequent_characters_are_those_of_a_counter(text, top):
    oracle = sorted(Counter(text).items(), key=lambda item: (-item[1], item[0]))[:top]
    assert counted(text, []).most_frequent(top) == oracle


def test_a_long_line_is_not_held():
    made = TextStatistics()
    for _ in range(100):
        made.add("x" * 1000)
    assert len(made._held) < 100
    made.finish()
    assert (made.lines, made.documents) == (1, 1)


def test_white_space_after_a_long_blank_is_still_blank():
    made = counted(" " * 500 + "\n" + END_OF_TEXT + "\n" + " " * 500 + "x", [100, 200, 600])
    assert made.documents == 1
