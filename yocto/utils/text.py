"""Text for a terminal."""

from __future__ import annotations

_CONTROL = {c: None for c in (*range(0x20), *range(0x7F, 0xA0)) if chr(c) not in "\t\n"}


def without_control(text: str) -> str:
    """Text without control characters, but for tab and line break: a terminal must not obey what a
    model writes."""
    return text.translate(_CONTROL)


def escaped(data: bytes) -> str:
    """Bytes as one line in which all can be seen: \\n and the like, \\xNN for bytes that are no
    UTF-8, \\uNNNN for characters that would show as nothing or turn the line around, and \\\\ for a
    backslash. Spaces stay.

    >>> print(escaped(b"caf\\xc3\\xa9 \\xff\\n"))
    café \\xff\\n
    """
    return "".join(map(_escaped, data.decode("utf-8", "surrogateescape")))


def _escaped(character: str) -> str:
    code = ord(character)
    if character == "\\":
        return "\\\\"
    if character.isprintable():
        return character
    if code < 0x80:
        return character.encode("unicode_escape").decode("ascii")
    if 0xDC80 <= code <= 0xDCFF:  # what surrogateescape makes of a byte
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
