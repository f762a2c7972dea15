"""What all readers give: documents, or parts of long ones, and where reading can go on."""

from __future__ import annotations

import shlex
from typing import NamedTuple


class Chunk(NamedTuple):
    """A document's text, or a part of it.

    data: UTF-8, never half a character. ends: the document ends here. place: where its reader can
    begin again to give what follows, in units of its own.
    """

    data: bytes
    ends: bool
    place: int


def is_blank(data: bytes) -> bool:
    """Whether a text is white space alone."""
    head = data[:256].lstrip()
    if head and head[0] < 0x80 and head[0] not in b"\x1c\x1d\x1e\x1f":
        return False  # an ASCII character that is no white space to Unicode either
    # A character that the 256 bytes cut through counts for nothing here.
    if head.decode("utf-8", "ignore").strip():
        return False
    return not data or data.decode("utf-8").isspace()


def listed(names: list[str], most: int = 12) -> str:
    """Some of many names, for a message: such as files have, however long."""
    shown = ", ".join(repr(name if len(name) <= 60 else name[:60] + "…") for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "") or "none"


def name_it(flag: str, names: list[str], otherwise: str) -> str:
    """What to type to name one of them: a hint."""
    name = names[0] if names and names[0].isprintable() and len(names[0]) <= 60 else ""
    return f"{flag} {shlex.quote(name) if name else otherwise}"
