"""Text in pieces: lines break between words, wherever the pieces are cut."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from yocto.cli.flow import Flow


def shown(pieces: list[str], width: int, column: int = 0) -> list[str]:
    """The lines that a terminal would show; the first begins at a column."""
    rows = ["." * column]

    def write(text: str) -> None:
        for part in re.findall(r"\x1b\[(\d+)D\x1b\[K|(\n)|([^\x1b\n])", text):
            if part[0]:
                cells = int(part[0])
                while cells > 0:
                    cells -= cell_len(rows[-1][-1])
                    rows[-1] = rows[-1][:-1]
                assert cells == 0
            elif part[1]:
                rows.append("")
            else:
                rows[-1] += part[2]
                assert cell_len(rows[-1]) < width

    flow = Flow(write, lambda: width, column)
    for piece in pieces:
        flow.push(piece)
    return rows


def test_a_word_that_does_not_fit_moves_to_the_next_line_whole() -> None:
    assert shown(["one two th", "r", "ee four"], 12) == ["one two ", "three four"]
    assert shown(["one two"], 12, column=7) == [".......one ", "two"]


def test_a_word_longer_than_a_line_is_cut() -> None:
    assert shown(["ab", "c" * 25, " d"], 12) == ["ab" + "c" * 9, "c" * 11, "c" * 5 + " d"]


def test_line_breaks_and_tabs_are_kept() -> None:
    assert shown(["a\n", "\nb\tc"], 20) == ["a", "", "b    c"]


@pytest.mark.parametrize("width", [12, 20, 40])
@given(st.text(st.sampled_from("ab  \n日🙂é"), max_size=80), st.data())
def test_nothing_is_lost_and_no_line_is_too_long(
    width: int, text: str, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    rows = shown(pieces, width)
    assert "".join("".join(rows).split()) == "".join(text.split())
    limit = width - 1
    words = text.split()
    if all(cell_len(word) <= limit for word in words):
        assert "\n".join(rows).split() == words  # none is cut in two
