"""What all readers give: documents, or parts of long ones, and where reading can go on."""

from __future__ import annotations

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
    start = data[:256].lstrip()
    if start and start[0] < 0x80 and start[0] not in b"\x1c\x1d\x1e\x1f":
        return False  # an ASCII character that is no white space to Unicode either
    return not data or data.decode("utf-8").isspace()
