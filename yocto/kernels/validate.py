"""Whether bytes are UTF-8, at the speed of memory where they are ASCII."""

# mypy: ignore-errors
from __future__ import annotations

import numpy as np
from numba import types

from yocto.kernels.bits import TEXT, address, byte_at, load64
from yocto.kernels.compiler import kernel, mark_cached

_HIGH = np.uint64(0x8080_8080_8080_8080)  # set in bytes above ASCII


@kernel(types.boolean, TEXT)
def _valid(array):
    """Whether all bytes are UTF-8 as Unicode 16.0, table 3-7, has it."""
    text, size = address(array), array.size
    i = 0
    while i < size:
        while i + 8 <= size and load64(text, i) & _HIGH == 0:
            i += 8
        if i == size:
            break
        b = byte_at(text, i)
        if b < 0x80:
            i += 1
            continue
        if b < 0xE0:
            length = 2
            fits = b >= 0xC2
        elif b < 0xF0:
            length = 3
            fits = True
        else:
            length = 4
            fits = b <= 0xF4
        if not fits or i + length > size:
            return False
        second = byte_at(text, i + 1)
        # The second byte's range rules out overlong forms, surrogates and what is above U+10FFFF.
        low = 0xA0 if b == 0xE0 else 0x90 if b == 0xF0 else 0x80
        high = 0x9F if b == 0xED else 0x8F if b == 0xF4 else 0xBF
        if second < low or second > high:
            return False
        for k in range(2, length):
            if byte_at(text, i + k) & 0xC0 != 0x80:
                return False
        i += length
    return array.size >= 0  # a last use of the array, so that its memory lives until here


def valid_utf8(data: bytes) -> bool:
    """Whether bytes are UTF-8 from the first to the last."""
    return bool(_valid(np.frombuffer(data, np.uint8)))


mark_cached("validate")
