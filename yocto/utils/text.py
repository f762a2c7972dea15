"""Text for a terminal."""

from __future__ import annotations

_CONTROL = {c: None for c in (*range(0x20), *range(0x7F, 0xA0)) if chr(c) not in "\t\n"}


def without_control(text: str) -> str:
    """Text without control characters, but for tab and line break: a terminal must not obey what a
    model writes."""
    return text.translate(_CONTROL)


def one_line(text: str) -> str:
    """Text as one line that is safe to show: white space becomes single spaces, and characters that
    show as nothing or turn the line around are left out.

    >>> one_line("To be,\\n  or not\\x1b[2J")
    'To be, or not[2J'
    """
    return " ".join("".join(c for c in text if c.isprintable() or c.isspace()).split())


def count_text(count: float) -> str:
    """A count in few characters: "950", "12.3K", "4.3M", "1.2B"."""
    units = ["", "K", "M", "B", "T"]
    while count >= 999.5 and len(units) > 1:
        count /= 1000
        del units[0]
    return f"{count:.0f}{units[0]}" if count >= 99.5 or not units[0] else f"{count:.1f}{units[0]}"


def size_text(count: int) -> str:
    """A number of bytes in words, in powers of 1,000: "1.1 MB"."""
    if count < 1000:
        return f"{count} byte" + ("s" if count != 1 else "")
    size, units = count / 1000, ["kB", "MB", "GB", "TB"]
    while size >= 999.5 and len(units) > 1:
        size /= 1000
        del units[0]
    return f"{size:.0f} {units[0]}" if size >= 9.95 else f"{size:.1f} {units[0]}"


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


def duration(seconds: float) -> str:
    """A time in words: "8 s", "3 min 20 s", "2 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
