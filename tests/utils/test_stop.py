"""Stop strings in text that comes in pieces."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from yocto.utils.stop import StopFilter


def stop_at(pieces, stops):
    """The filter as a generator."""
    stop_filter = StopFilter(stops)
    for piece in pieces:
        if text := stop_filter.push(piece):
            yield text
        if stop_filter.stopped:
            return
    if text := stop_filter.finish():
        yield text


def oracle(text: str, stops: list[str]) -> str:
    """The text before the stop string that is complete first; the longest, of several at once."""
    stops = [stop for stop in stops if stop]
    for end in range(len(text) + 1):
        found = [stop for stop in stops if text[:end].endswith(stop)]
        if found:
            return text[: end - max(map(len, found))]
    return text


PIECES = st.lists(st.text("ab\n", max_size=4), max_size=12)
STOPS = st.lists(st.text("ab\n", max_size=4), max_size=3)


@given(PIECES, STOPS)
@example(["ab", "c"], ["abc", "b"])
@example(["abc"], ["abc", "b"])
@example(["a", "a", "b"], ["ab"])
@example(["aab"], ["ab", "aab"])
def test_text_comes_up_to_the_stop_whatever_the_pieces(pieces, stops):
    assert "".join(stop_at(pieces, stops)) == oracle("".join(pieces), stops)


@given(PIECES, STOPS)
def test_no_piece_is_empty(pieces, stops):
    assert all(stop_at(pieces, stops))


@given(PIECES)
def test_without_stops_the_pieces_come_through_as_they_are(pieces):
    assert list(stop_at(pieces, [])) == [piece for piece in pieces if piece]
    assert list(stop_at(pieces, [""])) == [piece for piece in pieces if piece]


def test_only_what_may_begin_a_stop_is_held_back():
    seen = []

    def pieces():
        for piece in ["hello", " Us", "age", " User", ":", " more"]:
            yield piece
            seen.append(piece)

    out = []
    for piece in stop_at(pieces(), ["User:"]):
        out.append((piece, len(seen)))
    assert out == [("hello", 0), (" ", 1), ("Usage", 2), (" ", 3)]


def test_nothing_is_asked_for_after_the_stop():
    def pieces():
        yield "text STOP"
        pytest.fail("asked for more")

    assert list(stop_at(pieces(), ["STOP"])) == ["text "]


def test_the_start_of_a_stop_that_never_ends_comes_through_at_the_end():
    assert list(stop_at(["hello Us"], ["User:"])) == ["hello ", "Us"]
