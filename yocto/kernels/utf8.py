"""Characters in UTF-8 bytes, and the class of each.

The classes are those of utils/unicode_classes.py, by code point; bytes that are no UTF-8 have one
more class, and so has the end of the text.
"""

# mypy: ignore-errors
from __future__ import annotations

from yocto.kernels.bits import byte_at
from yocto.kernels.compiler import inlined

INVALID = 8  # a byte that is no part of a character, or the end of the text


@inlined
def char_at(text, i, end, classes):
    """The class of the character at i, and its length in bytes, as class << 3 | length."""
    if i >= end:
        return INVALID << 3
    b = byte_at(text, i)
    if b < 0x80:
        return byte_at(classes, b) << 3 | 1
    return wide_at(text, i, end, classes)


@inlined
def wide_at(text, i, end, classes):
    """The same for a byte that is not ASCII. Overlong forms, surrogates and numbers above U+10FFFF
    are no UTF-8 (Unicode 16.0, table 3-7)."""
    b = byte_at(text, i)
    if b >= 0xC2 and b <= 0xDF and i + 1 < end and byte_at(text, i + 1) & 0xC0 == 0x80:
        return byte_at(classes, (b & 0x1F) << 6 | byte_at(text, i + 1) & 0x3F) << 3 | 2
    if (
        b & 0xF0 == 0xE0
        and i + 2 < end
        and byte_at(text, i + 1) & 0xC0 == 0x80
        and byte_at(text, i + 2) & 0xC0 == 0x80
    ):
        point = (b & 0x0F) << 12 | (byte_at(text, i + 1) & 0x3F) << 6 | byte_at(text, i + 2) & 0x3F
        if point >= 0x800 and (point < 0xD800 or point > 0xDFFF):
            return byte_at(classes, point) << 3 | 3
    if (
        b & 0xF8 == 0xF0 and i + 3 < end and byte_at(text, i + 1) & 0xC0 == 0x80
        and byte_at(text, i + 2) & 0xC0 == 0x80 and byte_at(text, i + 3) & 0xC0 == 0x80
    ):  # fmt: skip
        point = (
            (b & 0x07) << 18
            | (byte_at(text, i + 1) & 0x3F) << 12
            | (byte_at(text, i + 2) & 0x3F) << 6
        )
        point |= byte_at(text, i + 3) & 0x3F
        if point >= 0x10000 and point <= 0x10FFFF:
            return byte_at(classes, point) << 3 | 4
    return INVALID << 3 | 1
