"""Where a long text can be cut so that no split pattern notices.

Between a letter or a number and white space or a sign, all named patterns start a new piece,
whatever came before and whatever follows. (Not before an apostrophe: 's may belong to the word. Not
before a mark, which may belong to the letter.) What lies before such a place and what lies after it
can be split, counted and encoded apart. A normal form may make a letter of a sign, and a special
token have one in it; `raw` cuts are those that neither notices.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal
from unicodedata import is_normalized

from yocto.utils.unicode_classes import MARK, NEWLINE, NUMBER, OTHER, SPACE, UPPER, class_table

Cuts = Literal["none", "raw", "any"]
_WHITE = re.compile(r"\s")


def last_cut(text: str, raw: bool = False) -> int:
    """The last place after the first character where a text can be cut; 0 if there is none.

    raw: cut before white space only, and after a letter or a number that normal forms leave alone:
    so the text may yet be normalised, or hold special tokens without white space.
    """
    table = class_table()
    if raw:
        return next((i for i in _white_places(text) if _is_raw_cut(text, i)), 0)
    after = MARK
    for i in range(len(text) - 1, -1, -1):
        kind = table[ord(text[i])]
        if after in (SPACE, NEWLINE, OTHER) and (kind == NUMBER or kind >= UPPER):
            c = text[i + 1]
            if c != "'" and not "\ud800" <= c <= "\udfff":
                return i + 1
        after = kind
    return 0


def _white_places(text: str) -> Iterator[int]:
    """Where white space stands behind a first character, the last place first. A text without any
    is passed over quickly."""
    end = len(text)
    while end > 1:
        begin = max(1, end - 4096)
        yield from reversed([match.start() for match in _WHITE.finditer(text, begin, end)])
        end = begin


def _is_raw_cut(text: str, place: int) -> bool:
    table, before = class_table(), text[place - 1]
    kind = table[ord(before)]
    is_word = kind == NUMBER or kind >= UPPER
    is_white = table[ord(text[place])] in (SPACE, NEWLINE)
    return bool(is_word and is_white and is_normalized("NFKC", before))


def cut_before(data: bytes | memoryview, start: int, end: int, raw: bool = False) -> int:
    """The same for UTF-8 bytes: the last place in data[start:end] after `start`, or `start`."""
    reach = 256
    while True:
        begin = max(start, end - reach)
        # surrogateescape: a character that is not whole, at either end, is not taken for text.
        tail = bytes(data[begin:end]).decode("utf-8", "surrogateescape")
        cut = last_cut(tail, raw)
        if cut:
            return begin + len(tail[:cut].encode("utf-8", "surrogateescape"))
        if begin == start:
            return start
        reach *= 16


def spans(data: memoryview, size: int) -> Iterator[tuple[int, int]]:
    """Where UTF-8 bytes are cut into spans of at most `size`, each as (start, end); what has no
    place to cut is one span."""
    start = 0
    while start < len(data):
        end, reach = len(data), size
        while start + reach < len(data):
            end = cut_before(data, start, start + reach)
            if end > start:
                break
            end, reach = len(data), 4 * reach
        yield start, end
        start = end


def in_parts(text: str, size: int) -> Iterator[str]:
    """A long text in parts of at most `size` characters, as `raw` cuts it; longer ones where there
    is no place to cut."""
    start, reach = 0, size
    while start + reach < len(text):
        cut = last_cut(text[start : start + reach], raw=True)
        if cut:
            yield text[start : start + cut]
            start, reach = start + cut, size
        else:
            reach *= 4
    yield text[start:]
