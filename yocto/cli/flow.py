"""Text that comes in pieces, in lines that break between words."""

from __future__ import annotations

import re
from collections.abc import Callable

from rich.cells import cell_len

_PARTS = re.compile(r"\n|[^\S\n]+|\S+")


class Flow:
    """Writes pieces at once; a word that then turns out too long for its line moves to the next.

    write: takes what the terminal is to show. width: asked for the columns, as a window may change.
    column: where the cursor stands.
    """

    def __init__(
        self, write: Callable[[str], object], width: Callable[[], int], column: int
    ) -> None:
        self._write, self._width, self._column = write, width, column
        self._word = ""  # what of a word stands at the end of the line

    def push(self, text: str) -> None:
        """Show a piece. It holds no control characters but tabs and line breaks."""
        # Not the last column: where the cursor stands behind it differs between terminals.
        limit = max(10, self._width() - 1)
        self._write("".join(self._placed(part, limit) for part in _PARTS.findall(text)))

    def _placed(self, part: str, limit: int) -> str:
        if part == "\n":
            self._column, self._word = 0, ""
            return part
        if part.isspace():
            return self._space(part.replace("\t", "    "), limit)
        width, before = cell_len(part), cell_len(self._word)
        if self._column + width <= limit:
            self._column, self._word = self._column + width, self._word + part
            return part
        if before + width > limit or self._column == before:  # no line has room for it
            return "".join(self._sign(sign, limit) for sign in part)
        back = f"\x1b[{before}D\x1b[K" if before else ""
        self._word += part
        self._column = before + width
        return f"{back}\n{self._word}"

    def _space(self, part: str, limit: int) -> str:
        self._word = ""
        if self._column + len(part) > limit:
            self._column = 0
            return "\n"
        self._column += len(part)
        return part

    def _sign(self, sign: str, limit: int) -> str:
        width, broken = cell_len(sign), ""
        if self._column + width > limit:
            self._column, self._word, broken = 0, "", "\n"
        self._column, self._word = self._column + width, self._word + sign
        return broken + sign
