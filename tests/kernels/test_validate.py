"""Whether bytes are UTF-8, against Python's decoder."""

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yocto.kernels.validate import valid_utf8

# The first and last byte of each range that Unicode's table tells apart, and their neighbours.
EDGES = [
    0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED,
    0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF7, 0xF8, 0xFF,
]  # fmt: skip


def decodes(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def test_all_short_sequences_of_edges_are_judged_as_python_does():
    for length in range(4):
        for values in itertools.product(EDGES, repeat=length):
            assert valid_utf8(bytes(values)) == decodes(bytes(values)), values


def test_four_bytes_at_the_edges_are_judged_as_python_does():
    starts = [0xE0, 0xED, 0xEF, *range(0xF0, 0xF6)]
    for values in itertools.product(starts, EDGES, EDGES, [0x41, 0x7F, 0x80, 0xBF, 0xC0]):
        assert valid_utf8(bytes(values)) == decodes(bytes(values)), values


def test_every_character_is_valid_and_every_surrogate_is_not():
    characters = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    assert valid_utf8("".join(characters).encode())
    for code in range(0xD800, 0xE000):
        assert not valid_utf8(chr(code).encode("utf-8", "surrogatepass"))


@settings(max_examples=500)
@given(st.lists(st.one_of(st.binary(max_size=4), st.text(max_size=6).map(str.encode)), max_size=10))
def test_any_bytes_are_judged_as_python_does(parts):
    data = b"".join(parts)
    assert valid_utf8(data) == decodes(data)


@pytest.mark.parametrize("character", ["a", "é", "中", "🙂"])
def test_a_damaged_byte_is_found_wherever_it_lies(character):
    rng = random.Random(1)
    whole = (character * 40).encode()
    for size in range(1, len(whole)):  # where words of eight bytes end
        assert valid_utf8(whole[:size]) == decodes(whole[:size])
        data = bytearray(whole)
        data[size] = rng.choice(EDGES)
        assert valid_utf8(bytes(data)) == decodes(bytes(data))


def test_nothing_behind_the_end_is_read():
    # A character that the end cuts through, with its last byte right behind that.
    memory = np.frombuffer("abcdefg🙂".encode(), np.uint8)
    assert valid_utf8(memory[:-1].tobytes()) is False
    assert valid_utf8(memory.tobytes()) is True
