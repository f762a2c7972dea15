"""What a text file holds, counted block by block: memory stays small, however long it is."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from yocto.config import END_OF_TEXT

_CODES = 0x110000  # one more than the largest code point


@dataclass
class TextStatistics:
    """Counts over a text that comes in blocks.

    separator: the line that ends a document. bytes: of UTF-8. lines: a last one without a line
    break counts too. crlf and cr: line breaks that are \\r\\n, and lone \\r; the rest is \\n.
    documents: parts between separator lines that hold more than white space. beginning: the first
    `kept` characters.

    >>> statistics = TextStatistics()
    >>> for block in ("One\\r", "\\nTwo"):
    ...     statistics.add(block)
    >>> statistics.finish()
    >>> statistics.lines, statistics.crlf, statistics.documents, statistics.most_frequent(1)
    (2, 1, 1, [('\\n', 1)])
    """

    separator: str = END_OF_TEXT
    kept: int = 0
    bytes: int = 0
    characters: int = 0
    lines: int = 0
    crlf: int = 0
    cr: int = 0
    documents: int = 0
    beginning: str = ""
    _counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(_CODES, np.int64))
    _last: str = ""  # the last character
    _held: str = ""  # the beginning of the last line, which may yet become a separator
    _blank: bool = True  # whether the document has only had white space

    def add(self, text: str) -> None:
        """Take the next block."""
        if not text:
            return
        codes = np.frombuffer(text.encode("utf-32-le"), "<u4")
        self._counts += np.bincount(codes, minlength=_CODES)
        self.bytes += len(codes) + sum(int((codes >= c).sum()) for c in (0x80, 0x800, 0x10000))
        self.characters += len(text)
        self.lines += text.count("\n")
        self.crlf += text.count("\r\n") + (self._last == "\r" and text[0] == "\n")
        if len(self.beginning) < self.kept:
            self.beginning += text[: self.kept - len(self.beginning)]
        self._last = text[-1]
        self._find_documents(text)

    def finish(self) -> None:
        """Count the last line and the last document."""
        self.lines += self._last not in ("", "\n")
        self.cr = int(self._counts[ord("\r")]) - self.crlf
        if self._held != self.separator:
            self._blank = self._blank and not self._held.strip()
        self._end_document()

    def _find_documents(self, text: str) -> None:
        text = self._held + text
        end = text.rfind("\n") + 1
        lines, rest = text[:end], text[end:]
        *ended, last = re.split(rf"(?m)^{re.escape(self.separator)}\r?\n", lines)
        for document in ended:
            self._blank = self._blank and not document.strip()
            self._end_document()
        # Of a long line its beginning is enough to tell that it is no separator.
        longest = len(self.separator) + 2
        self._held, dropped = rest[:longest], rest[longest:]
        self._blank = self._blank and not last.strip() and not dropped.strip()

    def _end_document(self) -> None:
        self.documents += not self._blank
        self._blank = True

    @property
    def different(self) -> int:
        """How many different characters there are."""
        return int(np.count_nonzero(self._counts))

    def most_frequent(self, top: int) -> list[tuple[str, int]]:
        """The characters that occur most often, with their counts."""
        used = np.flatnonzero(self._counts)
        order = np.argsort(-self._counts[used], kind="stable")[:top]
        return [(chr(code), int(self._counts[code])) for code in used[order]]
