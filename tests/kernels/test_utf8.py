"""Bytes that are no UTF-8, in the kernels that cut text into pieces."""

import itertools
import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from pieces import BYTES, EDGES, hard_bytes, kernel_pieces, plain_pieces

from yocto.tokenizer.patterns import NAMED_PATTERNS
from yocto.tokenizer.windows import _kernel
from yocto.utils.unicode_classes import class_table

every_pattern = pytest.mark.parametrize("pattern", NAMED_PATTERNS)


@every_pattern
@settings(deadline=None, max_examples=300)
@given(data=BYTES)
def test_bytes_that_are_no_utf_8_are_pieces_of_their_own_and_end_the_text(pattern, data):
    assert kernel_pieces(pattern, data) == plain_pieces(pattern, data)


@every_pattern
def test_the_pieces_of_random_bytes_are_those_of_the_plain_way(pattern):
    for data in hard_bytes(0, 3000):
        assert kernel_pieces(pattern, data) == plain_pieces(pattern, data)
    data = random.Random(1).randbytes(100_000)
    assert kernel_pieces(pattern, data) == plain_pieces(pattern, data)


def sequences() -> bytes:
    """Every first byte with continuations at the edges of what is allowed, whole and cut short,
    with letters and white space between them: those show where one ends."""
    follow = [0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF]
    tails: list[tuple[int, ...]] = [()]
    for length in (1, 2, 3):
        tails += itertools.product(follow, repeat=length)
    leads = [0x80, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1]
    leads += [0xF3, 0xF4, 0xF5, 0xF7, 0xF8, 0xFF]
    return b"a ".join(bytes([lead, *tail]) for lead in leads for tail in tails)


@every_pattern
def test_what_is_utf_8_is_what_python_takes_for_it(pattern):
    data = sequences()
    assert kernel_pieces(pattern, data) == plain_pieces(pattern, data)


@every_pattern
@pytest.mark.parametrize("before", [b"", b"a", b" ", b"  ", b"\n", b"\n ", b"'", b"1", b"."])
@pytest.mark.parametrize("after", [b"", b"a", b" a", b"'s", b"s", b"\n", b"12", b"!"])
def test_a_text_ends_before_bad_bytes_and_another_begins_after_them(pattern, before, after):
    for edge in EDGES:
        for n in (0, 60, 61, 62, 63, 64):
            data = b"x" * n + before + edge + after
            assert kernel_pieces(pattern, data) == plain_pieces(pattern, data)


@every_pattern
@pytest.mark.parametrize("character", ["é", "中", "🙂", "\u3000", "\u0301", "३", "ſ"])
def test_a_kernel_looks_at_no_byte_beyond_the_end_and_writes_no_more_than_its_room(
    pattern, character
):
    split, classes = _kernel(pattern), np.frombuffer(class_table(), np.uint8)
    whole = character.encode()
    for n in range(130):
        for length in range(1, len(whole) + 1):
            # The text's next bytes would make the character whole, or the word or space longer.
            text = np.frombuffer(b"'" * 7 + b"a" * n + whole * 80, np.uint8)
            size = n + length
            starts = np.full(size + 64 + 50, -7, np.int32)
            count = split(text, 7, 7 + size, classes, starts)
            pieces = [text[7 + a : 7 + b].tobytes() for a, b in pairwise(starts[: count + 1])]
            assert pieces == plain_pieces(pattern, text[7 : 7 + size].tobytes())
            assert starts[count] == size
            assert (starts[size + 64 :] == -7).all()
