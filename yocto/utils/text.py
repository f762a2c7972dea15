"""Text for a terminal."""

from __future__ import annotations

_CONTROL = {c: None for c in (*range(0x20), *range(0x7F, 0xA0)) if chr(c) not in "\t\n"}


def without_control(text: str) -> str:
    """Text without control characters, but for tab and line break: a terminal must not obey what a
    model writes."""
    return text.translate(_CONTROL)


def size_text(count: int) -> str:
    """A number of bytes in words, in powers of 1,000: "1.1 MB"."""
    if count < 1000:
        return f"{count} byte" + ("s" if count != 1 else "")
    size, units = count / 1000, ["kB", "MB", "GB", "TB"]
    while size >= 999.5 and len(units) > 1:
        size /= 1000
        del units[0]
    return f"{size:.0f} {units[0]}" if size >= 9.95 else f"{size:.1f} {units[0]}"
