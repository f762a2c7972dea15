"""Cutting a text into pieces as GPT-2's pattern does, 64 bytes at a time, without a regex engine.

Of each block of 64 bytes, masks tell which bytes are letters, numbers, white space and so on, one
bit a byte; where pieces start follows from a few shifts and ANDs of these masks. Blocks with bytes
above ASCII decode those characters one by one: all bytes of a character get its class. (Finding
structure by masks of whole blocks: Langdale and Lemire 2019, arXiv:1902.08318.)
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
    bit_count,
    block_masks,
    byte_at,
    trailing_zeros,
)
from yocto.kernels.compiler import inlined, kernel, mark_cached
from yocto.kernels.utf8 import INVALID, char_at, wide_at
from yocto.utils.unicode_classes import LETTER, NEWLINE, NUMBER, SPACE, UPPER

_APOSTROPHE = ord("'")


@inlined
def _spread(place, length):
    """The bits of a character: those in this block, and how many are left for the next one."""
    bits = ((ONE << np.uint64(length)) - ONE) << np.uint64(place)
    return bits, max(0, place + length - 64)


@inlined
def contraction(text, i, end):
    """The length of 's, 'd, 'm, 't, 'll, 've or 're at the apostrophe at i; 0 if there is none."""
    if i + 1 >= end:
        return 0
    c = byte_at(text, i + 1)
    if c == ord("s") or c == ord("d") or c == ord("m") or c == ord("t"):
        return 2
    if i + 2 < end:
        d = byte_at(text, i + 2)
        if (c == ord("l") and d == ord("l")) or (
            (c == ord("v") or c == ord("r")) and d == ord("e")
        ):
            return 3
    return 0


@kernel(types.int64, TEXT, types.int64, types.int64, TEXT, types.int32[::1])
def split_gpt2(text_array, start, end, class_array, starts):
    r"""Where the pieces of text[start:end] start, counted from `start`; returns how many.

    The text beyond `end` is not looked at, but 128 bytes of it must be there. starts: room for
    end - start + 64 places; the one after the last piece holds end - start.

    The pattern: '(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
    """
    n = 0
    text, classes = address(text_array), address(class_array)
    size = end - start
    # What the block before left behind: its highest bits, and a character that reaches over.
    was_l = was_n = was_o = was_s = was_blank = was_bad = ZERO
    over, over_class = 0, 0
    pending, cleared = ZERO, ZERO  # starts in the next block that a contraction sets and removes
    # The masks of the block at hand are finished when those of the next one are known.
    letters = numbers = spaces = blanks = quotes = wide = bad = wide_last = ZERO
    for at in range(0, size + 64, 64):
        # --- the masks of the block at `at`; all ones for white space beyond the end, so that white
        # space before it is one piece.
        next_wide_last = ZERO
        next_bad = ZERO
        if at < size:
            letter, number, space, blank, quote, high = block_masks(text, start + at)
            inside = ALL
            if size - at < 64:
                inside = (ONE << np.uint64(size - at)) - ONE
                letter, number, blank, quote, high = (
                    letter & inside,
                    number & inside,
                    blank & inside,
                    quote & inside,
                    high & inside,
                )
                space |= ~inside
            if high != ZERO:
                tail = (ONE << np.uint64(over)) - ONE  # of the character that began before
                if over_class >= UPPER:
                    letter |= tail
                elif over_class == NUMBER:
                    number |= tail
                elif over_class == SPACE:
                    space |= tail
                todo = high & ~tail
                over = 0
                while todo != ZERO:
                    place = trailing_zeros(todo)
                    found = wide_at(text, start + at + place, end, classes)
                    kind, length = found >> 3, found & 7
                    bits, over = _spread(place, length)
                    over_class = kind
                    todo &= ~bits
                    if kind >= UPPER and kind <= LETTER:
                        letter |= bits
                    elif kind == NUMBER:
                        number |= bits
                    elif kind == SPACE:
                        space |= bits
                        after = char_at(text, start + at + place + length, end, classes) >> 3
                        if after != SPACE and after != NEWLINE and after != INVALID:
                            next_wide_last |= bits & (~bits + ONE)
                    elif kind == INVALID:
                        next_bad |= bits
            else:
                over = 0
        else:
            letter = number = blank = quote = high = ZERO
            inside = ZERO
            space = ALL
        if at > 0:
            # --- the starts in the block before it.
            others = ~(letters | numbers | spaces | bad)
            before_blank = blanks << ONE | was_blank
            s_letters = letters & ~(letters << ONE | was_l)
            s_others = others & ~(others << ONE | was_o)
            words = s_letters | numbers & ~(numbers << ONE | was_n) | s_others
            ends = (spaces | bad) >> ONE | (space | next_bad) << np.uint64(63)
            found_starts = (
                words & ~before_blank
                | spaces & ~(spaces << ONE | was_s)
                | spaces & ~wide & ~ends
                | wide_last
                | bad & ~(bad << ONE | was_bad)
            )
            found_starts = (found_starts | pending) & ~cleared
            pending = cleared = ZERO
            todo = quotes & s_others & ~before_blank
            while todo != ZERO:
                place = trailing_zeros(todo)
                todo &= todo - ONE
                length = contraction(text, start + at - 64 + place, end)
                if length:
                    if place + 1 < 64:
                        found_starts &= ~(ONE << np.uint64(place + 1))
                    else:
                        cleared |= ONE
                    if place + length < 64:
                        found_starts |= ONE << np.uint64(place + length)
                    else:
                        pending |= ONE << np.uint64(place + length - 64)
            if size - (at - 64) < 64:
                found_starts &= (ONE << np.uint64(size - (at - 64))) - ONE
            was_l, was_n = letters >> np.uint64(63), numbers >> np.uint64(63)
            was_o, was_s = others >> np.uint64(63), spaces >> np.uint64(63)
            was_blank, was_bad = blanks >> np.uint64(63), bad >> np.uint64(63)
            # --- their places. Sixteen are written at once, whether there are so many or not: a
            # branch that is guessed wrong costs more.
            count = bit_count(found_starts)
            base = at - 64
            for k in range(16):
                starts[n + k] = base + trailing_zeros(found_starts)
                found_starts &= found_starts - ONE
            if count > 16:
                for k in range(16, count):
                    starts[n + k] = base + trailing_zeros(found_starts)
                    found_starts &= found_starts - ONE
            n += count
        letters, numbers, spaces, blanks, quotes = letter, number, space, blank, quote
        wide, bad, wide_last = high, next_bad, next_wide_last
    starts[n] = size
    return n


mark_cached("split_gpt2")
