r"""Cutting a text into pieces as the patterns of cl100k, Llama 3, Qwen2 and o200k do, character by
character and without a regex engine.

What the regexes try in turn becomes what the first characters of a piece decide; no step backwards
is longer than the white space or the word at hand. Bytes that are no UTF-8 are pieces of their own,
before which a text ends.
"""

# mypy: ignore-errors
from __future__ import annotations

from numba import types

from yocto.kernels.bits import TEXT, address, byte_at
from yocto.kernels.compiler import inlined, kernel, mark_cached
from yocto.kernels.utf8 import INVALID, char_at, wide_at
from yocto.utils.unicode_classes import LETTER, LOWER, MARK, NEWLINE, NUMBER, SPACE, UPPER

_BLANK, _SLASH, _APOSTROPHE = ord(" "), ord("/"), ord("'")


@inlined
def _contraction(text, i, end):
    """The length of (?i:'s|'t|'re|'ve|'m|'ll|'d) at i; 0 if there is none there."""
    if i + 1 >= end or byte_at(text, i) != _APOSTROPHE:
        return 0
    c = byte_at(text, i + 1) | 0x20
    if c == ord("s") or c == ord("d") or c == ord("m") or c == ord("t"):
        return 2
    if i + 2 < end:
        d = byte_at(text, i + 2) | 0x20
        if (c == ord("l") and d == ord("l")) or (
            (c == ord("v") or c == ord("r")) and d == ord("e")
        ):
            return 3
        if (
            byte_at(text, i + 1) == 0xC5 and byte_at(text, i + 2) == 0xBF
        ):  # ſ, which is an s when case is ignored
            return 3
    return 0


@inlined
def _letters(text, i, end, classes):
    r"""Where \p{L}* ends."""
    while i < end:
        b = byte_at(text, i)
        if b < 0x80:  # a step that waits for no table: the processor reads ahead
            if byte_at(classes, b) < UPPER:
                return i
            i += 1
        else:
            found = wide_at(text, i, end, classes)
            if found < UPPER << 3 or found >= INVALID << 3:
                return i
            i += found & 7
    return i


@inlined
def _numbers(text, i, end, classes, most):
    r"""Where \p{N}{0,most} ends."""
    for _ in range(most):
        found = char_at(text, i, end, classes)
        if found >> 3 != NUMBER:
            return i
        i += found & 7
    return i


@inlined
def _others(text, i, end, classes):
    r"""Where [^\s\p{L}\p{N}]* ends."""
    while True:
        found = char_at(text, i, end, classes)
        if found >= NUMBER << 3:
            return i
        i += found & 7


@inlined
def _newlines(text, i, end, slashes):
    r"""Where [\r\n]* ends, or with slashes [\r\n/]*."""
    while i < end and (
        byte_at(text, i) == 10 or byte_at(text, i) == 13 or (slashes and byte_at(text, i) == _SLASH)
    ):
        i += 1
    return i


@inlined
def _invalid(text, i, end, classes):
    """Where a run of bytes that are no UTF-8 ends."""
    while i < end and char_at(text, i, end, classes) >> 3 == INVALID:
        i += 1
    return i


@inlined
def _white(text, i, end, classes, whole_at_end):
    r"""Where the white space at i is cut: after its last line break, else before its last character
    where more text follows, for that one may belong to the next piece.

    whole_at_end: at the end of the text it is one piece, line breaks or not (\s++$).
    """
    first, last, after_break = i, i, 0
    while True:
        found = char_at(text, i, end, classes)
        kind = found >> 3
        if kind != SPACE and kind != NEWLINE:
            break
        last = i
        i += found & 7
        if kind == NEWLINE:
            after_break = i
    if kind == INVALID and whole_at_end:
        return i
    if after_break:
        return after_break
    if kind == INVALID or last == first:
        return i
    return last


@kernel(
    types.int64, TEXT, types.int64, types.int64, TEXT, types.int32[::1], types.int64, types.boolean
)
def split_gpt4(text_array, start, end, class_array, starts, digits, whole_at_end):
    r"""Where the pieces of text[start:end] start, counted from `start`; returns how many.

    starts: room for end - start + 1 places; the one after the last piece holds end - start.
    digits: how many make a piece at most. whole_at_end: see _white.

    The pattern: '(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}
    | ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s
    """
    n = 0
    text, classes = address(text_array), address(class_array)
    i = start
    while i < end:
        starts[n] = i - start
        n += 1
        found = char_at(text, i, end, classes)
        kind, after = found >> 3, i + (found & 7)
        if kind >= UPPER and kind <= LETTER:
            i = _letters(text, after, end, classes)
        elif kind == NUMBER:
            i = _numbers(text, after, end, classes, digits - 1)
        elif kind == INVALID:
            i = _invalid(text, after, end, classes)
        else:
            length = _contraction(text, i, end)
            second = char_at(text, after, end, classes)
            if length:
                i += length
            elif kind != NEWLINE and second >= UPPER << 3 and second < INVALID << 3:
                i = _letters(text, after + (second & 7), end, classes)
            elif kind <= MARK or (byte_at(text, i) == _BLANK and second < NUMBER << 3):
                i = _newlines(text, _others(text, after, end, classes), end, False)
            else:
                i = _white(text, i, end, classes, whole_at_end)
    starts[n] = end - start
    return n


@inlined
def _word(text, i, end, classes):
    r"""Where [Lu Lt Lm Lo M]*[Ll Lm Lo M]+ ends that starts at i, as a positive number; where there
    is none, minus where [Lu Lt Lm Lo M]* ends."""
    both = -1  # the end of the last character that either class takes
    kind = INVALID
    while i < end:
        b = byte_at(text, i)
        kind = byte_at(classes, b)
        length = 1
        if b >= 0x80:
            found = wide_at(text, i, end, classes)
            kind, length = found >> 3, found & 7
        if kind != UPPER and kind != LETTER and kind != MARK:
            break
        i += length
        if kind != UPPER:
            both = i
        kind = INVALID
    if kind != LOWER:  # the second part needs one character, which the first gives back
        return both if both >= 0 else -i
    while i < end:
        b = byte_at(text, i)
        if b < 0x80:
            if byte_at(classes, b) != LOWER:
                return i
            i += 1
        else:
            found = wide_at(text, i, end, classes)
            kind = found >> 3
            if kind != LOWER and kind != LETTER and kind != MARK:
                return i
            i += found & 7
    return i


@inlined
def _any_word(text, i, end, classes):
    """Where the word at i ends, in capitals alone or not; i itself where there is none."""
    found = _word(text, i, end, classes)
    return found if found >= 0 else -found


@kernel(types.int64, TEXT, types.int64, types.int64, TEXT, types.int32[::1])
def split_gpt4o(text_array, start, end, class_array, starts):
    r"""Where the pieces of text[start:end] start, counted from `start`; returns how many.

    starts: room for end - start + 1 places; the one after the last piece holds end - start.

    The pattern, with U for \p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M} and l for \p{Ll}\p{Lm}\p{Lo}\p{M}:
    [^\r\n\p{L}\p{N}]?[U]*[l]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?
    |[^\r\n\p{L}\p{N}]?[U]+[l]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
    |\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
    """
    n = 0
    text, classes = address(text_array), address(class_array)
    i = start
    while i < end:
        starts[n] = i - start
        n += 1
        found = char_at(text, i, end, classes)
        kind, after = found >> 3, i + (found & 7)
        if kind == NUMBER:
            i = _numbers(text, after, end, classes, 2)
            continue
        if kind == INVALID:
            i = _invalid(text, after, end, classes)
            continue
        word = i  # where the word ends, if there is one
        if kind >= UPPER:
            word = _any_word(text, i, end, classes)
        elif kind == MARK:  # a character before a word, or else a word's first one
            word = _word(text, after, end, classes)
            if word < 0:
                word = _word(text, i, end, classes)
        elif kind != NEWLINE:
            word = _any_word(text, after, end, classes)
            if word == after:
                word = i
        if word > i:
            i = word + _contraction(text, word, end)
        elif kind <= MARK or (
            byte_at(text, i) == _BLANK and char_at(text, after, end, classes) < NUMBER << 3
        ):
            i = _newlines(text, _others(text, after, end, classes), end, True)
        else:
            i = _white(text, i, end, classes, False)
    starts[n] = end - start
    return n


mark_cached("split_scan")
