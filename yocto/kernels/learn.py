"""Learning BPE merges over unique pieces and their counts.

The symbols of all pieces lie in one array, a token's number where it starts. For each pair of
neighbours that counts, its number and its places are kept. All places of a pair arise at once, when
the newer of its two tokens is made; after that they only become fewer. So the lists of places never
change (a place that is no longer one is skipped), and a heap whose entries are checked when they
come up is exact.

Only pairs that occur at least `floor` times are kept. When none is left that occurs so often, the
floor is lowered and the symbols are scanned anew. So the millions of pairs that are too rare ever
to be merged cost nothing. The one way in which a pair becomes more frequent, a merge that makes a
token that was there already, is followed by a scan too.

Which pair comes first of those that are equally frequent: the smaller left number, then the smaller
right one, as in Hugging Face's BpeTrainer.
"""

# mypy: ignore-errors
from __future__ import annotations

import numpy as np
from numba import types

from yocto.kernels.bits import (
    ALL,
    address,
    byte_at,
    copy_bytes,
    int_at,
    put_int,
    put_word,
    word_at,
)
from yocto.kernels.compiler import inlined, kernel, mark_cached

# What `state` holds. PAIRS: rows of the table in use; POOL: places in use; HEAP: entries; TOKENS,
# MERGES: made so far; BYTES: of the tokens' contents; FLOOR: see above; NEEDED: places and bytes
# for which there is no room.
PAIRS, POOL, HEAP, TOKENS, MERGES, BYTES, FLOOR, NEEDED, NEEDED_BYTES, STATE = range(10)

# Why learn() returns: all is done or a slice of it, or the symbols have to be scanned anew, first
# with a lower floor or with more room.
FINISHED, SLICE, LOWER, SCAN, ROOM = range(5)

BOUNDARY = -1  # the symbol between two pieces
_INSIDE = -2  # a place within a token

_K1, _MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
_32, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)
_INTS, _LONGS, _WORDS = types.int32[::1], types.int64[::1], types.uint64[::1]


@inlined
def _hash(key):
    h = key * _K1
    h = (h ^ (h >> _32)) * _MIX
    return np.int64((h ^ (h >> _32)) >> np.uint64(1))


@inlined
def _row(table, mask, key):
    """The row of a pair, or the empty one where it belongs. Rows: key, count, place << 32 | number
    of places."""
    row = _hash(key) & mask
    while True:
        found = word_at(table, 3 * row)
        if found == key or found == ALL:  # noqa: SIM109
            return row
        row = (row + 1) & mask


@inlined
def _before(heap, count, key, other):
    """Whether an entry (count, key) comes before another one, which lies in the heap."""
    found = word_at(heap, 2 * other)
    return count > found or (count == found and key < word_at(heap, 2 * other + 1))


@inlined
def _push(heap, size, count, key):
    i = size
    while i > 0:
        parent = (i - 1) >> 1
        if not _before(heap, count, key, parent):
            break
        put_word(heap, 2 * i, word_at(heap, 2 * parent))
        put_word(heap, 2 * i + 1, word_at(heap, 2 * parent + 1))
        i = parent
    put_word(heap, 2 * i, count)
    put_word(heap, 2 * i + 1, key)


@inlined
def _sink(heap, size, count, key):
    """Put an entry in the first one's stead, and where it belongs."""
    i = 0
    while True:
        child = 2 * i + 1
        if child >= size:
            break
        if child + 1 < size:
            right = child + 1
            if _before(heap, word_at(heap, 2 * right), word_at(heap, 2 * right + 1), child):
                child = right
        if _before(heap, count, key, child):
            break
        put_word(heap, 2 * i, word_at(heap, 2 * child))
        put_word(heap, 2 * i + 1, word_at(heap, 2 * child + 1))
        i = child
    put_word(heap, 2 * i, count)
    put_word(heap, 2 * i + 1, key)


@kernel(types.int64, _INTS, _INTS, _LONGS, _INTS, _LONGS)
def sketch_pairs(symbols, pieces, counts, lengths, sums):
    """Add up the counts of pairs in `sums` by a hash: no pair occurs more often than its sum says.

    Returns how many pairs of neighbours there are. sums: zeros, a power of two of them.
    """
    mask = sums.size - 1
    places = 0
    i = 1
    left = symbols[0]
    while i < symbols.size:
        right = symbols[i]
        if right == BOUNDARY:
            left = right
            i += 1
            continue
        if left != BOUNDARY:
            key = np.uint64(left) << _32 | np.uint64(right)
            sums[_hash(key) & mask] += counts[pieces[i]]
            places += 1
        left = right
        i += lengths[right]
    return places


@kernel(types.boolean, _INTS, _INTS, _LONGS, _INTS, _LONGS, _WORDS, _INTS, _WORDS, _LONGS)
def scan_pairs(symbols, pieces, counts, lengths, sums, table_array, pool, heap_array, state):
    """Fill the table, the places and the heap with all pairs that occur state[FLOOR] times or more.

    sums: what sketch_pairs made; a pair that it rules out gets no row. table: rows as in _row, all
    ones. Returns False when one of the three has too little room.
    """
    table, heap = address(table_array), address(heap_array)
    mask, sums_mask = table_array.size // 3 - 1, sums.size - 1
    floor = state[FLOOR]
    state[PAIRS] = state[POOL] = state[HEAP] = 0
    for filling in range(2):
        i = 1
        left, at = symbols[0], 0
        while i < symbols.size:
            right = symbols[i]
            if right == BOUNDARY:
                left = right
                i += 1
                continue
            if left != BOUNDARY:
                key = np.uint64(left) << _32 | np.uint64(right)
                if sums[_hash(key) & sums_mask] >= floor:
                    row = _row(table, mask, key)
                    if filling:
                        where = word_at(table, 3 * row + 2)
                        if word_at(table, 3 * row + 1) >= np.uint64(floor):
                            pool[np.int64(where >> _32) + np.int64(where & _LOW)] = at
                            put_word(table, 3 * row + 2, where + np.uint64(1))
                    else:
                        if word_at(table, 3 * row) == ALL:
                            state[PAIRS] += 1
                            if 2 * state[PAIRS] > mask:
                                return False
                            put_word(table, 3 * row, key)
                            put_word(table, 3 * row + 1, np.uint64(0))
                            put_word(table, 3 * row + 2, np.uint64(0))
                        amount = np.uint64(counts[pieces[i]])
                        put_word(table, 3 * row + 1, word_at(table, 3 * row + 1) + amount)
                        put_word(table, 3 * row + 2, word_at(table, 3 * row + 2) + np.uint64(1))
            left, at = right, i
            i += lengths[right]
        if not filling:
            for row in range(mask + 1):
                key, count = word_at(table, 3 * row), word_at(table, 3 * row + 1)
                if key == ALL or count < np.uint64(floor):
                    continue
                number = np.int64(word_at(table, 3 * row + 2))
                if state[POOL] + number > pool.size or 2 * (state[HEAP] + 1) > heap_array.size:
                    return False
                put_word(table, 3 * row + 2, np.uint64(state[POOL]) << _32)
                state[POOL] += number
                _push(heap, state[HEAP], count, key)
                state[HEAP] += 1
    return True


@inlined
def _add(code, contents, start, length):
    """The hash of a token to which bytes are added at its end."""
    for k in range(length):
        code = (code ^ np.uint64(byte_at(contents, start + k) + 1)) * _K1
        code ^= code >> _32
    return code


@inlined
def _name(names, mask, contents, lengths, spots, code, left, right):
    """The row of `names` with the token whose content is that of left and right, or the empty one
    where it belongs."""
    cut = int_at(lengths, left)
    length = cut + int_at(lengths, right)
    row = np.int64(code) & mask
    while True:
        found = word_at(names, 2 * row)
        if found == ALL:
            return row
        token = np.int64(word_at(names, 2 * row + 1))
        if found == code and int_at(lengths, token) == length:
            k = 0
            while k < length:
                at = int_at(spots, left) + k if k < cut else int_at(spots, right) + k - cut
                if byte_at(contents, at) != byte_at(contents, int_at(spots, token) + k):
                    break
                k += 1
            if k == length:
                return row
        row = (row + 1) & mask


@inlined
def _less(table, mask, left, right, amount):
    """A pair occurs `amount` times less often; one that is not kept, or is being merged, does not
    matter."""
    row = _row(table, mask, np.uint64(left) << _32 | np.uint64(right))
    if word_at(table, 3 * row) != ALL:
        count = word_at(table, 3 * row + 1)
        if count >= amount:
            put_word(table, 3 * row + 1, count - amount)


@inlined
def _made_slot(slots, stamp, neighbour, made):
    """The number, among the pairs that this merge makes, of the one with this neighbour; `made` if
    it is the first time."""
    if int_at(slots, 2 * neighbour) != stamp:
        put_int(slots, 2 * neighbour, stamp)
        put_int(slots, 2 * neighbour + 1, made)
    return int_at(slots, 2 * neighbour + 1)


@kernel(
    types.int64, _INTS, _INTS, _INTS, _LONGS, _WORDS, _INTS, _WORDS, _LONGS,
    _INTS, _INTS, _WORDS, types.uint8[::1], _WORDS, _INTS, _INTS,
    types.int64, types.int64, types.int64, types.int64,
)  # fmt: skip
def learn(
    symbols, backs, pieces, counts, table_array, pool, heap_array, state,
    lengths_array, spots_array, codes, contents_array, names_array, slots_array, merges,
    forbidden, tokens_wanted, merges_wanted, slice_size,
):  # fmt: skip
    """Merge pairs, the most frequent first.

    Returns one of the reasons above. symbols: where a token starts its number, BOUNDARY between
    pieces. backs: where a token ends its length. pieces: the piece at each place; counts: how often
    each one occurs. lengths, spots, codes: of each token its length, the place of its content in
    `contents`, and the hash of that; tokens from the number `forbidden` on may not be made. names:
    rows of hash and number, by content. slots: zeros, 4 for each token. merges: left, right and
    made token of each merge. slice_size: places to look at before it returns.
    """
    table, heap = address(table_array), address(heap_array)
    contents, names = address(contents_array), address(names_array)
    lengths, spots = address(lengths_array), address(spots_array)
    left_slots = address(slots_array)
    right_slots = left_slots + 4 * (slots_array.size // 2)
    mask, names_mask = table_array.size // 3 - 1, names_array.size // 2 - 1
    floor = np.uint64(state[FLOOR])
    # The pairs that one merge makes: key, count, places; and for each place the pair and itself.
    made_pairs = np.empty(3 * 256, np.int64)
    records = np.empty(2 * 1024, np.int32)
    seen = 0
    while True:
        if state[TOKENS] >= tokens_wanted or state[MERGES] >= merges_wanted:
            return FINISHED
        if seen >= slice_size:
            return SLICE
        if state[HEAP] == 0:
            return LOWER
        # --- the most frequent pair
        count, key = word_at(heap, 0), word_at(heap, 1)
        row = _row(table, mask, key)
        now = word_at(table, 3 * row + 1)
        if now != count:  # it has become rarer since it was put there
            if now >= floor:
                _sink(heap, state[HEAP], now, key)
            else:
                state[HEAP] -= 1
                last = state[HEAP]
                _sink(heap, last, word_at(heap, 2 * last), word_at(heap, 2 * last + 1))
            continue
        where = word_at(table, 3 * row + 2)
        first, number = np.int64(where >> _32), np.int64(where & _LOW)
        left, right = np.int64(key >> _32), np.int64(key & _LOW)
        length = np.int64(lengths_array[left]) + lengths_array[right]
        new_pairs = min(2 * number, 2 * state[TOKENS] + 1)
        if (
            state[POOL] + 2 * number > pool.size
            or 2 * (state[PAIRS] + new_pairs) > mask
            or 2 * (state[HEAP] + new_pairs) > heap_array.size
            or state[BYTES] + length > contents_array.size
        ):
            state[NEEDED] = 2 * number
            state[NEEDED_BYTES] = length
            return ROOM
        seen += number
        put_word(table, 3 * row + 1, np.uint64(0))
        # --- the token that it makes
        code = _add(codes[left], contents, spots_array[right], lengths_array[right])
        name = _name(names, names_mask, contents, lengths, spots, code, left, right)
        known = word_at(names, 2 * name) != ALL
        if known:
            token = np.int64(word_at(names, 2 * name + 1))
            if token >= forbidden:
                continue
        else:
            token = state[TOKENS]
            state[TOKENS] += 1
            spot = state[BYTES]
            copy_bytes(contents + spot, contents + spots_array[left], lengths_array[left])
            copy_bytes(
                contents + spot + lengths_array[left], contents + spots_array[right],
                lengths_array[right],
            )  # fmt: skip
            state[BYTES] += length
            spots_array[token], lengths_array[token], codes[token] = spot, length, code
            put_word(names, 2 * name, code)
            put_word(names, 2 * name + 1, np.uint64(token))
        m = 3 * state[MERGES]
        merges[m], merges[m + 1], merges[m + 2] = left, right, token
        state[MERGES] += 1
        stamp = state[MERGES]
        if made_pairs.size < 3 * new_pairs:
            made_pairs = np.empty(6 * new_pairs, np.int64)
        if records.size < 4 * number:
            records = np.empty(8 * number, np.int32)
        # --- its places
        made = recorded = 0
        for k in range(first, first + number):
            at = np.int64(pool[k])
            if symbols[at] != left:
                continue
            second = at + lengths_array[left]
            if symbols[second] != right:
                continue
            end = at + length
            amount = counts[pieces[at]]
            before = at - backs[at - 1]
            x, y = np.int64(symbols[before]), np.int64(symbols[end])
            symbols[at], symbols[second] = token, _INSIDE
            backs[end - 1] = length
            if known:
                continue
            if x != BOUNDARY:
                if x == token:
                    made_pairs[3 * _made_slot(right_slots, stamp, left, made) + 1] -= amount
                    slot = _made_slot(right_slots, stamp, token, made)
                else:
                    _less(table, mask, x, left, np.uint64(amount))
                    slot = _made_slot(left_slots, stamp, x, made)
                if slot == made:
                    made_pairs[3 * slot] = x << 32 | token
                    made_pairs[3 * slot + 1] = made_pairs[3 * slot + 2] = 0
                    made += 1
                made_pairs[3 * slot + 1] += amount
                made_pairs[3 * slot + 2] += 1
                records[2 * recorded], records[2 * recorded + 1] = slot, before
                recorded += 1
            if y != BOUNDARY:
                _less(table, mask, right, y, np.uint64(amount))
                slot = _made_slot(right_slots, stamp, y, made)
                if slot == made:
                    made_pairs[3 * slot] = token << 32 | y
                    made_pairs[3 * slot + 1] = made_pairs[3 * slot + 2] = 0
                    made += 1
                made_pairs[3 * slot + 1] += amount
                made_pairs[3 * slot + 2] += 1
                records[2 * recorded], records[2 * recorded + 1] = slot, at
                recorded += 1
        if known:
            return SCAN
        # --- the pairs that it makes
        for slot in range(made):
            key, amount = np.uint64(made_pairs[3 * slot]), np.uint64(made_pairs[3 * slot + 1])
            number = made_pairs[3 * slot + 2]
            made_pairs[3 * slot + 2] = -1
            if amount >= floor:
                row = _row(table, mask, key)
                put_word(table, 3 * row, key)
                put_word(table, 3 * row + 1, amount)
                put_word(table, 3 * row + 2, np.uint64(state[POOL]) << _32 | np.uint64(number))
                made_pairs[3 * slot + 2] = state[POOL]
                state[POOL] += number
                state[PAIRS] += 1
                _push(heap, state[HEAP], amount, key)
                state[HEAP] += 1
        for k in range(recorded):
            slot = records[2 * k]
            place = made_pairs[3 * slot + 2]
            if place >= 0:
                pool[place] = records[2 * k + 1]
                made_pairs[3 * slot + 2] = place + 1


mark_cached("learn")
