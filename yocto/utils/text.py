"""Text for a terminal."""

from __future__ import annotations

_CONTROL = {c: None for c in (*range(0x20), *range(0x7F, 0xA0)) if chr(c) not in "\t\n"}


def without_control(text: str) -> str:
    """Text without control characters, but for tab and line break: a terminal must not obey what a
    model writes."""
    return text.translate(_CONTROL)
