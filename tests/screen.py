"""A terminal of few words: text, line ends, carriage return, one line up, erase the line."""

from __future__ import annotations

import io

import regex

_PARTS = regex.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\r|\n|[^\x1b\r\n]+")


class Screen(io.StringIO):
    """A file that shows what a terminal of endless height would; colours are kept in `colours`."""

    encoding = "utf-8"

    def __init__(self) -> None:
        super().__init__()
        self.rows, self.row, self.column = [""], 0, 0
        self.colours: list[str] = []

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        for part in _PARTS.finditer(text):
            self._take(part[0], part[1], part[2])
        return len(text)

    def _take(self, part: str, number: str | None, letter: str | None) -> None:
        if letter == "A":
            self.row -= int(number or 1)
            assert self.row >= 0, "above the first line"
        elif letter == "K":
            assert number == "2"
            self.rows[self.row] = ""
        elif letter == "m":
            self.colours.append(number or "")
        elif letter:
            raise AssertionError(f"unknown: {part!r}")
        elif part == "\r":
            self.column = 0
        elif part == "\n":
            self.row, self.column = self.row + 1, 0
            self.rows += [""] * (self.row + 1 - len(self.rows))
        else:
            line = self.rows[self.row].ljust(self.column)
            after = self.column + len(part)
            self.rows[self.row] = line[: self.column] + part + line[after:]
            self.column = after

    def wrap(self, width: int) -> None:
        """What a terminal does to its lines when it becomes so narrow."""
        rows = [r[i : i + width] for r in self.rows for i in range(0, max(1, len(r)), width)]
        self.row += len(rows) - len(self.rows)
        self.rows = rows

    @property
    def lines(self) -> list[str]:
        """What stands there, without the empty lines at the end."""
        return "\n".join(row.rstrip() for row in self.rows).rstrip("\n").split("\n")
