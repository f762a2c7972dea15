"""A text cut into parts that give the ids of the whole: for engines that share work out by text."""

from __future__ import annotations

import re

# Between a letter and a space that a letter follows, every named pattern ends a piece. With any
# other regex the ids may differ, and the check before the measurement tells.
_PLACE = re.compile(r"(?<=[a-z])(?= [a-z])")


def cut(text: str, size: int) -> list[str]:
    """Parts of at least `size` characters, the last one perhaps shorter; joined, they are the text.
    One part where the text has no place to cut."""
    parts, start = [], 0
    while found := _PLACE.search(text, start + max(1, size)):
        parts.append(text[start : found.start()])
        start = found.start()
    return [*parts, text[start:]] if start < len(text) else parts
