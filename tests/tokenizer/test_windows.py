"""Long texts as pieces, window by window."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pieces import BYTES, EDGES, PARTS, hard_bytes, kernel_pieces, pieces_of, plain_pieces

import yocto.tokenizer.windows as windows
from yocto.errors import TokenizerError
from yocto.tokenizer.patterns import NAMED_PATTERNS
from yocto.tokenizer.windows import KernelWindows, RegexWindows, make_windows

every_pattern = pytest.mark.parametrize("pattern", NAMED_PATTERNS)
OWN = [r"\w+", r"\s", r"(?s:.+)", r"x*", r"[^\s]+|\s+", r"\d{2}|$"]


@pytest.fixture(params=[1, 30, 64, 1000])
def small_windows(request, monkeypatch):
    """Windows of a few bytes each."""
    monkeypatch.setattr(windows, "WINDOW", request.param)


@every_pattern
def test_small_windows_give_the_pieces_of_the_whole_text(pattern, small_windows):
    cut = make_windows(pattern)  # one, which uses its arrays again
    for data in hard_bytes(0, 150):
        assert pieces_of(cut, data) == plain_pieces(pattern, data)
    data = b"".join(hard_bytes(1, 300))
    assert pieces_of(cut, data) == plain_pieces(pattern, data)


@every_pattern
@settings(deadline=None)
@given(data=BYTES, size=st.integers(1, 300))
def test_windows_of_any_size_give_the_pieces_of_the_whole_text(pattern, data, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "WINDOW", size)
        assert kernel_pieces(pattern, data) == plain_pieces(pattern, data)


@every_pattern
@pytest.mark.parametrize(
    "data",
    [b"a" * 5000, b" " * 5000, b"\n" * 5000, b"." * 5000, b"'" * 5000, b"1" * 5000, b"\xff" * 5000,
     "é".encode() * 2500, "\u0301".encode() * 2500, "\u3000".encode() * 1500, b"a'" * 2500,
     b". " * 2500, b" 1" * 10 + b"a" * 5000 + b" 2" * 10],
)  # fmt: skip
def test_a_text_without_a_place_to_cut_is_one_window(pattern, data, small_windows):
    assert kernel_pieces(pattern, data) == plain_pieces(pattern, data)


@every_pattern
def test_windows_end_where_the_text_can_be_cut_and_are_no_longer_than_they_may_be(
    pattern, monkeypatch
):
    monkeypatch.setattr(windows, "WINDOW", 100)
    data = ("one two, three 456.\n" * 200).encode()
    sizes = [int(w.starts[w.number]) for w in KernelWindows(pattern)(data)]
    assert sum(sizes) == len(data)
    assert min(sizes[:-1]) > 80 and max(sizes) <= 100


@every_pattern
def test_at_least_128_bytes_lie_beyond_each_window(pattern, small_windows):
    for data in (b"one two " * 200, b"one", b"a" * 500):
        for window in KernelWindows(pattern)(data):
            assert len(window.text) >= window.start + window.starts[window.number] + 128


@every_pattern
def test_a_text_of_many_windows_of_the_usual_size_is_cut_as_a_whole(pattern):
    rng = random.Random(0)
    parts = [*EDGES, *(part.encode() for part in PARTS), b" word", b" and", b"\n", b", "]
    data = b"".join(rng.choices(parts, k=220_000))
    assert len(data) > 2 * windows.WINDOW
    assert kernel_pieces(pattern, data) == plain_pieces(pattern, data)


@pytest.mark.parametrize("pattern", [*NAMED_PATTERNS, *OWN])
def test_views_and_byte_arrays_are_cut_like_bytes(pattern, small_windows):
    data = " It's 2024,\tdéjà 中文 \xff".encode("latin-1", "replace") * 30
    expected = plain_pieces(pattern, data[3:-5])
    assert kernel_pieces(pattern, memoryview(data)[3:-5]) == expected
    assert kernel_pieces(pattern, bytearray(data[3:-5])) == expected


@pytest.mark.parametrize("pattern", [*NAMED_PATTERNS, *OWN])
def test_no_bytes_are_no_pieces(pattern):
    assert kernel_pieces(pattern, b"") == []


@pytest.mark.parametrize("pattern", [*NAMED_PATTERNS, OWN[0]])
def test_a_window_whose_places_fit_into_no_32_bits_is_an_error(pattern, monkeypatch):
    monkeypatch.setattr(windows, "WINDOW", 10)
    monkeypatch.setattr(windows, "_MOST", 100)
    assert kernel_pieces(pattern, b"a" * 100) == [b"a" * 100]
    with pytest.raises(TokenizerError, match="101 bytes without a place where it could be cut"):
        kernel_pieces(pattern, b"a" * 101)


# ----------------------------------------------------------------------------- a regex of one's own


@pytest.mark.parametrize("pattern", OWN)
@pytest.mark.parametrize("batch", [1, 7, 1 << 16])
def test_a_regex_of_the_users_own_cuts_as_on_the_plain_way(pattern, batch, monkeypatch):
    monkeypatch.setattr(windows, "_BATCH", batch)
    assert isinstance(make_windows(pattern), RegexWindows)
    for data in hard_bytes(2, 100):
        assert kernel_pieces(pattern, data) == plain_pieces(pattern, data)


def test_128_bytes_lie_beyond_the_pieces_of_a_regex():
    for window in RegexWindows(r"\w+")(b"one two"):
        assert len(window.text) == 7 + 128


def test_a_broken_regex_is_an_error():
    with pytest.raises(TokenizerError, match="no valid regex"):
        make_windows("(")
