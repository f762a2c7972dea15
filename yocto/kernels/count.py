"""Counting the unique pieces of a text, which is all that learning merges has to know of it.

The tables are those of encode.py with a count in each row, instead of ids.
"""

# mypy: ignore-errors
from __future__ import annotations

import numpy as np
from numba import types

from yocto.kernels.bits import (
    ONE,
    TEXT,
    ZERO,
    address,
    copy_bytes,
    prefetch,
    put_word,
    word_at,
)
from yocto.kernels.compiler import kernel, mark_cached
from yocto.kernels.words import INLINE, equal_bytes, hash_bytes, key_of, mixed

BATCH = 512  # pieces whose rows are asked for together

# What `counters` hold: rows in use, and bytes of long pieces.
SHORT, LONG, KEYS, COUNTERS = range(4)

_WORDS = types.uint64[::1]


@kernel(
    types.int64, TEXT, types.int64, types.int32[::1], types.int64, types.int64, types.int64[::1],
    _WORDS, _WORDS, types.uint8[::1], types.int64[::1],
)  # fmt: skip
def count_pieces(
    text_array, start, starts, done, count, amounts, short_array, long_array, keys_array, counters
):
    """Count the pieces `done` to `count` of the text that lie at start + starts[i].

    Returns how many are counted: fewer than `count` when a table is full and has to grow first.
    text: 16 bytes beyond the last piece must be there. amounts: how often each piece is to be
    counted; once if it is empty. short: rows of the two halves of a key (the second is 0 where
    there is none), and a count. long: rows of a hash (0: none), the place of the bytes in `keys`,
    the length, and a count.
    """
    text, short, long = address(text_array), address(short_array), address(long_array)
    keys = address(keys_array)
    rows, long_rows = short_array.size // 4, long_array.size // 4
    scratch = np.empty(3 * BATCH, np.uint64)
    batch = address(scratch)
    slots = batch + 16 * BATCH
    weighted = amounts.size > 0
    amount = ONE
    for first in range(done, count, BATCH):
        last = min(first + BATCH, count)
        # All that could be new in this batch has room.
        if 2 * (counters[SHORT] + BATCH) > rows or 2 * (counters[LONG] + BATCH) > long_rows:
            break
        if counters[KEYS] + starts[last] - starts[first] > keys_array.size:
            break
        for i in range(first, last):
            at = start + starts[i]
            length = start + starts[i + 1] - at
            if length <= INLINE:
                low, high = key_of(text, at, length)
                slot = np.int64(mixed(low, high)) & (rows - 1)
                prefetch(short, 32 * slot)
                put_word(batch, 2 * (i - first), low)
                put_word(batch, 2 * (i - first) + 1, high)
                put_word(slots, i - first, np.uint64(slot))
            else:
                put_word(batch, 2 * (i - first) + 1, ZERO)
        for i in range(first, last):
            low, high = word_at(batch, 2 * (i - first)), word_at(batch, 2 * (i - first) + 1)
            if weighted:
                amount = np.uint64(amounts[i])
            if high != ZERO:
                row = 4 * np.int64(word_at(slots, i - first))
                while True:
                    found = word_at(short, row + 1)
                    if found == high and word_at(short, row) == low:
                        put_word(short, row + 2, word_at(short, row + 2) + amount)
                        break
                    if found == ZERO:
                        counters[SHORT] += 1
                        put_word(short, row, low)
                        put_word(short, row + 1, high)
                        put_word(short, row + 2, amount)
                        break
                    row = (row + 4) & (4 * rows - 1)
            else:
                at = start + starts[i]
                length = start + starts[i + 1] - at
                code = hash_bytes(text, at, length)
                row = 4 * (np.int64(code) & (long_rows - 1))
                while True:
                    found = word_at(long, row)
                    if found == code and np.int64(word_at(long, row + 2)) == length:
                        place = np.int64(word_at(long, row + 1))
                        if equal_bytes(text + at, keys + place, length):
                            put_word(long, row + 3, word_at(long, row + 3) + amount)
                            break
                    if found == ZERO:
                        counters[LONG] += 1
                        put_word(long, row, code)
                        put_word(long, row + 1, np.uint64(counters[KEYS]))
                        put_word(long, row + 2, np.uint64(length))
                        put_word(long, row + 3, amount)
                        copy_bytes(keys + counters[KEYS], text + at, length)
                        counters[KEYS] += length
                        break
                    row = (row + 4) & (4 * long_rows - 1)
        done = last
    scratch[0] = ZERO  # a last use: Numba frees an array of which only the address is in use
    return done


mark_cached("count")
