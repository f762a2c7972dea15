"""Hashing of pieces: a piece of up to 15 bytes is its own 16-byte key, held in two numbers."""

# mypy: ignore-errors
from __future__ import annotations

import numpy as np

from yocto.kernels.bits import ALL, ONE, ZERO, load64
from yocto.kernels.compiler import inlined

INLINE = 15  # bytes of a piece that is its own key: the sixteenth byte holds the length

_K1, _K2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_32 = np.uint64(32)


@inlined
def key_of(text, start, length):
    """The two halves of the key of a piece of 1 to 15 bytes; reads 16 bytes of text.

    The highest byte is the length. There is no branch: how long a word is can't be guessed.
    """
    low = load64(text, start) & ALL >> np.uint64(64 - 8 * min(length, 8))
    high = load64(text, start + 8) & (ONE << np.uint64(8 * max(length - 8, 0))) - ONE
    return low, high | np.uint64(length) << np.uint64(56)


@inlined
def mixed(low, high):
    """A hash of a key, good in all its bits."""
    h = (low * _K1) ^ (high * _K2)
    h = (h ^ (h >> _32)) * _MIX
    return h ^ (h >> _32)


@inlined
def hash_bytes(text, start, length):
    """A hash of a longer piece (16 bytes or more); never 0."""
    h = np.uint64(length) * _K2
    i = 0
    while i + 8 <= length:
        h = mixed(load64(text, start + i) ^ h, h)
        i += 8
    h = mixed(load64(text, start + length - 8) ^ h, h)  # the last 8, some of them again
    return h if h != ZERO else _K1


@inlined
def equal_bytes(a, b, length):
    """Whether two pieces of 16 bytes or more, at two addresses, are the same."""
    i = 0
    while i + 8 <= length:
        if load64(a, i) != load64(b, i):
            return False
        i += 8
    return load64(a, length - 8) == load64(b, length - 8)
