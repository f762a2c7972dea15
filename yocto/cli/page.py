"""Longer results: sections, facts, figures and passages, laid out for the terminal's width."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from yocto.utils.text import escaped

_LABEL = 12  # columns of a label, with the space behind it
_WIDEST = 100  # columns; longer lines are hard to read
NONE = "–"  # where there is no figure


class Page:
    """Lines that fit the terminal's width."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console()
        self.width = max(20, min(self.console.width, _WIDEST))
        self.lines: list[str] = []

    def title(self, text: str) -> None:
        """A line that begins a section."""
        self.lines += [""] if self.lines else []
        self.lines += self._wrapped(text, self.width)

    def fact(self, label: str, value: str) -> None:
        """A label, and a text beside it that may go over several lines."""
        head = label
        if len(label) >= _LABEL:
            self.lines += [f"  {part}" for part in self._wrapped(label, self.width - 2)]
            head = ""
        for line in self._wrapped(value, self.width - _LABEL - 2) or [""]:
            self.lines.append(f"  {head:<{_LABEL}}{line}".rstrip())
            head = ""

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Figures, right-aligned, and a text behind them that is cut where the line ends."""
        cells = [heads, *rows]
        widths = [max(len(row[i]) for row in cells) for i in range(len(heads) - 1)]
        for row in cells:
            figures = "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=False))
            self.lines.append(self._cut(f"  {figures}  {row[-1]}"))

    def passage(self, text: str) -> None:
        """Text as it is, but for what a terminal would obey; its line breaks stay."""
        for line in text.rstrip("\n").split("\n"):
            parts = self._wrapped(printable(line), self.width - 2)
            self.lines += [f"  {part}".rstrip() for part in parts]

    def _wrapped(self, text: str, width: int) -> list[str]:
        from rich.text import Text

        return [line.plain.rstrip() for line in Text(text).wrap(self.console, width)]

    def _cut(self, line: str) -> str:
        from rich.cells import cell_len, chop_cells

        if cell_len(line) <= self.width:
            return line.rstrip()
        return chop_cells(line, self.width - 1)[0] + "…"


def cut_left(text: str, width: int) -> str:
    """What a column has room for: of a path or a name the end counts."""
    from rich.cells import cell_len

    if cell_len(text) <= width:
        return text
    while cell_len(text) > width - 1:
        text = text[1:]
    return f"…{text}"


def printable(text: str) -> str:
    """Text for reading: what a terminal would obey is escaped, a backslash stays one."""
    return escaped(text.encode("utf-8", "backslashreplace")).replace("\\\\", "\\")
