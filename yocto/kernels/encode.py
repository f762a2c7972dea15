"""Pieces to ids: a table of the words seen so far, and the merging of those not yet in it.

Text repeats its words, so nearly every piece is found in the table. A piece of up to 15 bytes is
its own key and its ids lie in the same row, half a cache line: one memory access. Keys of 512
pieces are made first and their rows asked for, so that the processor fetches many rows at a time.
(Shorter rows for the shortest words are no gain: which table a word is in can't be guessed.)

There are two kernels of one source, for ids of 16 and of 32 bits (encode_16.py and encode_32.py): a
row holds 7 or 4 of them.
"""

# mypy: ignore-errors
from __future__ import annotations

import numpy as np
from numba import types

from yocto.kernels.bits import (
    ALL,
    ONE,
    TEXT,
    ZERO,
    address,
    byte_at,
    copy_bytes,
    int_at,
    load64,
    prefetch,
    put64,
    put_int,
    put_short,
    put_word,
    word_at,
)
from yocto.kernels.compiler import inlined, kernel, mark_cached
from yocto.kernels.words import INLINE, equal_bytes, hash_bytes, key_of, mixed

BATCH = 512  # pieces whose rows are asked for together
_SCANNED = 64  # bytes of a piece up to which looking at all its pairs is quicker than a heap

# What `counters` hold: rows in use, bytes of long pieces, ids outside rows, and whether a word did
# not fit and the tables should grow.
SHORT, LONG, KEYS, IDS, FULL, COUNTERS = range(6)

_NONE = ALL  # the value of a pair that is never merged
_PAIR = np.uint64(0x9E3779B97F4A7C15)
_LOW = np.uint64(0xFFFFFFFF)
_32, _48, _56 = np.uint64(32), np.uint64(48), np.uint64(56)


@inlined
def _pair_value(pairs, shift, left, right):
    """rank << 32 | merged id of a pair; _NONE if it has no rank. Rows: key, value."""
    key = np.uint64(left) << _32 | np.uint64(right)
    size = 1 << (64 - shift)
    slot = np.int64((key * _PAIR) >> np.uint64(shift))
    while True:
        found = word_at(pairs, 2 * slot)
        if found == key:
            return word_at(pairs, 2 * slot + 1)
        if found == ALL:
            return _NONE
        slot = (slot + 1) & (size - 1)


@inlined
def _scan(text, start, length, byte_ids, pairs, shift, values, out):
    """Merge a short piece into `out`: the pair of lowest rank, of equals the leftmost, until there
    is none. Returns how many ids are left. values: room for `length` numbers."""
    for i in range(length):
        put_int(out, i, int_at(byte_ids, byte_at(text, start + i)))
    for i in range(length - 1):
        put_word(values, i, _pair_value(pairs, shift, int_at(out, i), int_at(out, i + 1)))
    n = length
    while n > 1:
        best, at = _NONE, 0
        for i in range(n - 1):
            value = word_at(values, i)
            if value < best:
                best, at = value, i
        if best == _NONE:
            break
        put_int(out, at, np.int64(best & _LOW))
        n -= 1
        for i in range(at + 1, n):
            put_int(out, i, int_at(out, i + 1))
        for i in range(at, n - 1):
            put_word(values, i, word_at(values, i + 1))
        if at > 0:
            value = _pair_value(pairs, shift, int_at(out, at - 1), int_at(out, at))
            put_word(values, at - 1, value)
        if at < n - 1:
            value = _pair_value(pairs, shift, int_at(out, at), int_at(out, at + 1))
            put_word(values, at, value)
    return n


@inlined
def _push(heap, size, item):
    """Add to a binary heap whose smallest item comes first."""
    i = size
    while i > 0:
        parent = (i - 1) >> 1
        above = word_at(heap, parent)
        if above <= item:
            break
        put_word(heap, i, above)
        i = parent
    put_word(heap, i, item)


@inlined
def _pop(heap, size):
    """Take the first item out of a heap of `size` items, which has one less then."""
    item = word_at(heap, size - 1)
    i = 0
    while True:
        child = 2 * i + 1
        if child >= size - 1:
            break
        if child + 1 < size - 1 and word_at(heap, child + 1) < word_at(heap, child):
            child += 1
        if item <= word_at(heap, child):
            break
        put_word(heap, i, word_at(heap, child))
        i = child
    put_word(heap, i, item)


@inlined
def _heap_merge(text, start, length, byte_ids, pairs, shift, values, heap, links, out):
    """The same for a long piece, in O(n log n): see merge_by_heap in tokenizer/bpe.py.

    values and heap: room for `length` and 2 `length` numbers; links: 2 `length` int32.
    An item of the heap is rank << 32 | place; it is stale when another pair is at its place.
    """
    for i in range(length):
        put_int(out, i, int_at(byte_ids, byte_at(text, start + i)))
        put_int(links, 2 * i, i + 1)
        put_int(links, 2 * i + 1, i - 1)
    items = 0
    for i in range(length):
        value = _NONE
        if i + 1 < length:
            value = _pair_value(pairs, shift, int_at(out, i), int_at(out, i + 1))
        put_word(values, i, value)
        if value != _NONE:
            _push(heap, items, value >> _32 << _32 | np.uint64(i))
            items += 1
    while items > 0:
        item = word_at(heap, 0)
        _pop(heap, items)
        items -= 1
        at = np.int64(item & _LOW)
        value = word_at(values, at)
        if value == _NONE or value >> _32 != item >> _32:
            continue
        right = int_at(links, 2 * at)
        after = int_at(links, 2 * right)
        put_int(out, at, np.int64(value & _LOW))
        put_int(out, right, -1)
        put_word(values, right, _NONE)
        put_int(links, 2 * at, after)
        value = _NONE
        if after < length:
            put_int(links, 2 * after + 1, at)
            value = _pair_value(pairs, shift, int_at(out, at), int_at(out, after))
        put_word(values, at, value)
        if value != _NONE:
            _push(heap, items, value >> _32 << _32 | np.uint64(at))
            items += 1
        before = int_at(links, 2 * at + 1)
        if before >= 0:
            value = _pair_value(pairs, shift, int_at(out, before), int_at(out, at))
            put_word(values, before, value)
            if value != _NONE:
                _push(heap, items, value >> _32 << _32 | np.uint64(before))
                items += 1
    n = 0
    for i in range(length):
        if int_at(out, i) >= 0:
            put_int(out, n, int_at(out, i))
            n += 1
    return n


_WORDS, _BYTES = types.uint64[::1], types.uint8[::1]


def make_kernels(bits):
    """merge_pieces and put_words for ids of 16 or 32 bits."""
    narrow = bits == 16
    in_row = 7 if narrow else 4  # ids that a row holds, in its last 16 bytes
    number_shift = _48 if narrow else _56  # where in these their number is
    ids_mask = (ONE << number_shift) - ONE
    size = bits // 8
    ids_type = types.uint16[::1] if narrow else types.uint32[::1]
    put_id = put_short if narrow else put_int

    @inlined
    def merge(text, start, length, byte_ids, pairs, shift, values, made, out):
        """Merge one piece into `out`; returns how many ids. values, made: room for 64 numbers."""
        if length == 1:
            put_id(out, 0, int_at(byte_ids, byte_at(text, start)))
            return 1
        if length <= _SCANNED:
            n = _scan(text, start, length, byte_ids, pairs, shift, values, made)
            for i in range(n):
                put_id(out, i, int_at(made, i))
            return n
        # A merge takes one item out of the heap and adds two at most: never more than 2 n are in
        # it. Then come the links, 2 n of 32 bits, and the ids, n of them.
        space = np.empty(length + 2 * length + length + length, np.uint64)
        base = address(space)
        ids = base + 32 * length
        n = _heap_merge(
            text, start, length, byte_ids, pairs, shift,
            base, base + 8 * length, base + 24 * length, ids,
        )  # fmt: skip
        for i in range(n):
            put_id(out, i, int_at(ids, i))
        space[0] = ZERO  # a last use: Numba frees an array of which only the address is in use
        return n

    @kernel(
        types.int64, TEXT, types.int64, types.int32[::1], types.int64,
        types.int32[::1], _WORDS, types.int64, types.int64, _WORDS, _WORDS, _BYTES, ids_type,
        types.int64[::1], ids_type,
    )  # fmt: skip
    def merge_pieces(
        text_array, start, starts, count,
        byte_ids_array, pairs_array, shift, longest, short_array, long_array, keys_array, ids_array,
        counters, out_array,
    ):  # fmt: skip
        """Encode `count` pieces of the text that lie at start + starts[i]; returns how many ids.

        text: 16 bytes beyond the last piece must be there. starts[count] is where the last piece
        ends. byte_ids: the ids of the 256 bytes. pairs: rows of key and value (see _pair_value) in
        a hash table of 1 << (64 - shift) rows. longest: bytes of a piece that is worth remembering.
        short: rows of the two halves of a key (the second is 0 where there is none), then the ids,
        or where they are in `ids`, and above them their number. long: rows of a hash (0: none), the
        place of the bytes in `keys`, length << 32 | number of ids, and their place in `ids`. All
        tables change but are never moved: what does not fit is encoded all the same, and
        counters[FULL] set. out: room for an id per byte, and eight more.
        """
        text, out = address(text_array), address(out_array)
        byte_ids, pairs, short = address(byte_ids_array), address(pairs_array), address(short_array)
        long, keys, ids = address(long_array), address(keys_array), address(ids_array)
        long_rows = long_array.size // 4
        short_mask, short_end = short_array.size // 4 - 1, short + 8 * short_array.size
        scratch = np.empty(2 * BATCH + BATCH + 2 * _SCANNED, np.uint64)
        batch = address(scratch)
        slots = batch + 16 * BATCH
        values = slots + 8 * BATCH
        made = values + 8 * _SCANNED
        for first in range(0, count, BATCH):
            last = min(first + BATCH, count)
            for i in range(first, last):
                at = start + starts[i]
                length = start + starts[i + 1] - at
                if length <= INLINE:
                    low, high = key_of(text, at, length)
                    row = short + 32 * (np.int64(mixed(low, high)) & short_mask)
                    prefetch(row, 0)
                    put_word(batch, 2 * (i - first), low)
                    put_word(batch, 2 * (i - first) + 1, high)
                    put_word(slots, i - first, np.uint64(row))
                else:
                    put_word(slots, i - first, ZERO)
            for i in range(first, last):
                low, high = word_at(batch, 2 * (i - first)), word_at(batch, 2 * (i - first) + 1)
                row = np.int64(word_at(slots, i - first))
                if row != 0:
                    while True:
                        found = word_at(row, 1)
                        if found == high and word_at(row, 0) == low:
                            a, b = word_at(row, 2), word_at(row, 3)
                            number = np.int64(b >> number_shift)
                            if number <= in_row:
                                put64(out, 0, a)
                                put64(out, 8, b & ids_mask)
                            else:
                                copy_bytes(out, ids + size * np.int64(a), size * number)
                            out += size * number
                            break
                        if found == ZERO:
                            at = start + starts[i]
                            length = start + starts[i + 1] - at
                            number = merge(
                                text, at, length, byte_ids, pairs, shift, values, made, out
                            )
                            if (
                                4 * counters[SHORT] >= 3 * (short_mask + 1)
                                or counters[IDS] + number > ids_array.size
                            ):
                                counters[FULL] = 1
                            else:
                                counters[SHORT] += 1
                                put_word(row, 0, low)
                                put_word(row, 1, high)
                                if number <= in_row:
                                    for k in range(number, in_row + 1):
                                        put_id(out, k, 0)
                                    a, b = load64(out, 0), load64(out, 8) & ids_mask
                                else:
                                    a, b = np.uint64(counters[IDS]), ZERO
                                    copy_bytes(ids + size * counters[IDS], out, size * number)
                                    counters[IDS] += number
                                put_word(row, 2, a)
                                put_word(row, 3, b | np.uint64(number) << number_shift)
                            out += size * number
                            break
                        row += 32
                        if row == short_end:
                            row = short
                else:
                    at = start + starts[i]
                    length = start + starts[i + 1] - at
                    if length > longest:
                        number = merge(text, at, length, byte_ids, pairs, shift, values, made, out)
                        out += size * number
                        continue
                    code = hash_bytes(text, at, length)
                    row = 4 * (np.int64(code) & (long_rows - 1))
                    while True:
                        found = word_at(long, row)
                        if found == code:
                            shape = word_at(long, row + 2)
                            place = np.int64(word_at(long, row + 1))
                            same = np.int64(shape >> _32) == length
                            if same and equal_bytes(text + at, keys + place, length):
                                number = np.int64(shape & _LOW)
                                source = ids + size * np.int64(word_at(long, row + 3))
                                copy_bytes(out, source, size * number)
                                out += size * number
                                break
                        if found == ZERO:
                            number = merge(
                                text, at, length, byte_ids, pairs, shift, values, made, out
                            )
                            if (
                                4 * counters[LONG] >= 3 * long_rows
                                or counters[IDS] + number > ids_array.size
                                or counters[KEYS] + length > keys_array.size
                            ):
                                counters[FULL] = 1
                            else:
                                counters[LONG] += 1
                                put_word(long, row, code)
                                put_word(long, row + 1, np.uint64(counters[KEYS]))
                                shape = np.uint64(length) << _32 | np.uint64(number)
                                put_word(long, row + 2, shape)
                                put_word(long, row + 3, np.uint64(counters[IDS]))
                                copy_bytes(keys + counters[KEYS], text + at, length)
                                copy_bytes(ids + size * counters[IDS], out, size * number)
                                counters[KEYS] += length
                                counters[IDS] += number
                            out += size * number
                            break
                        row = (row + 4) & (4 * long_rows - 1)
        scratch[0] = ZERO  # a last use, as in merge
        return (out - address(out_array)) // size

    @kernel(
        types.void, TEXT, types.int32[::1], types.int32[::1], _WORDS, _WORDS, _BYTES, ids_type,
        types.int64[::1],
    )  # fmt: skip
    def put_words(text_array, starts, tokens, short, long, keys_array, ids, counters):
        """Put pieces that are one token each, and no two alike, into tables that have room."""
        text, keys = address(text_array), address(keys_array)
        rows, long_rows = short.size // 4, long.size // 4
        for i in range(tokens.size):
            at = np.int64(starts[i])
            length = starts[i + 1] - at
            if length <= INLINE:
                low, high = key_of(text, at, length)
                row = 4 * (np.int64(mixed(low, high)) & (rows - 1))
                while short[row + 1] != ZERO:
                    row = (row + 4) & (4 * rows - 1)
                short[row], short[row + 1] = low, high
                short[row + 2], short[row + 3] = np.uint64(tokens[i]), ONE << number_shift
                counters[SHORT] += 1
            else:
                code = hash_bytes(text, at, length)
                row = 4 * (np.int64(code) & (long_rows - 1))
                while long[row] != ZERO:
                    row = (row + 4) & (4 * long_rows - 1)
                long[row], long[row + 1] = code, np.uint64(counters[KEYS])
                long[row + 2] = np.uint64(length) << _32 | np.uint64(1)
                long[row + 3] = np.uint64(counters[IDS])
                copy_bytes(keys + counters[KEYS], text + at, length)
                ids[counters[IDS]] = tokens[i]
                counters[KEYS] += length
                counters[LONG] += 1
                counters[IDS] += 1

    return merge_pieces, put_words


@kernel(types.void, _WORDS, _WORDS, _WORDS, types.int64)
def fill_pairs(keys, values, table, shift):
    """Put pairs into an empty table for _pair_value."""
    mask = table.size // 2 - 1
    for i in range(keys.size):
        slot = np.int64((keys[i] * _PAIR) >> np.uint64(shift))
        while table[2 * slot] != ALL:
            slot = (slot + 1) & mask
        table[2 * slot], table[2 * slot + 1] = keys[i], values[i]


@kernel(types.void, _WORDS, _WORDS, types.boolean)
def move_rows(old_array, new_array, is_long):
    """Put the rows of a table of words into a new one, which is empty and larger."""
    old, new = address(old_array), address(new_array)
    used = 0 if is_long else 1  # the number in a row that is 0 where there is none
    mask = new_array.size // 4 - 1
    for row in range(0, old_array.size, 4):
        low, high = word_at(old, row), word_at(old, row + 1)
        if word_at(old, row + used) == ZERO:
            continue
        slot = np.int64(low if is_long else mixed(low, high)) & mask
        while word_at(new, 4 * slot + used) != ZERO:
            slot = (slot + 1) & mask
        for k in range(4):
            put_word(new, 4 * slot + k, word_at(old, row + k))


mark_cached("encode")
