"""Plain text: newlines as they are, a line of the separator between two documents."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from yocto.dataset.chunks import Chunk
from yocto.dataset.sources import STDIN, Source, find_text
from yocto.dataset.streams import BLOCK, Stream, opened, reading
from yocto.dataset.utf8 import whole_characters
from yocto.errors import DataError
from yocto.utils.cuts import Cuts, cut_before

BOM = b"\xef\xbb\xbf"  # the byte order mark that some editors write
_RARE = frozenset(b"|<>#=*_~^@%&+$")  # signs that are rare in most texts
# What files of other kinds begin with, whatever they are called.
_MAGIC = {
    b"\x1f\x8b\x08": ".gz", b"\x28\xb5\x2f\xfd": ".zst", b"\xfd7zXZ\0": ".xz",
    b"BZh91AY&SY": ".bz2", b"PAR1\x15": ".parquet",
}  # fmt: skip
# Bytes of the first part of a document that comes in parts; a shorter document is never cut.
PART = 1 << 16
_CHARACTER = 4  # bytes that a character has at most


def read_text(path: str | Path, hint: str = "Check --text-path.") -> str:
    """A UTF-8 text file, newlines untouched. Raises DataError: missing, a folder, or not UTF-8.

    hint: what to do when it can't be read.
    """
    return "".join(read_blocks(Source(str(find_text(path)), "text", ""), hint))


def read_blocks(source: Source, hint: str = "Check the path.") -> Iterator[str]:
    """The text of a plain text file, block by block. Raises DataError as read_text does."""
    with opened(source, hint) as stream:
        is_first = True
        for block in whole_characters(raw_blocks(stream, source, hint), source, "strict"):
            text = block.decode("utf-8")
            yield text.removeprefix("\ufeff") if is_first else text
            is_first = False


def raw_blocks(stream: Stream, source: Source, hint: str, offset: int = 0) -> Iterator[bytes]:
    """The bytes of an open file. offset: where it stands. Raises DataError where a file begins as
    UTF-16, or as no text at all."""
    while True:
        with reading(source, hint):
            block = stream.file.read(BLOCK)
        if not block:
            return
        if offset == 0:
            _check_is_text(block, source.path)
        offset += len(block)
        yield block


def _check_is_text(data: bytes, path: str) -> None:
    for magic, ending in _MAGIC.items():
        if data.startswith(magic):
            hint = f"Give it a name that ends in {ending}."
            if ending == ".parquet":
                hint = "Say so: --text-format parquet"
            elif path == STDIN:
                hint = "Standard input is read as it comes: decompress it on the way."
            raise DataError(f"{path} is not text but what a {ending} file holds", hint)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:8192]:
        raise DataError(
            f"{path} is not UTF-8 text but binary (or UTF-16) data",
            f"If it is UTF-16: iconv -f UTF-16 -t UTF-8 {shlex.quote(path)} > converted.txt",
        )


def text_chunks(
    source: Source,
    stream: Stream,
    errors: str,
    hint: str,
    separator: str,
    cuts: Cuts,
    place: int,
    inside: bool,
) -> Iterator[Chunk]:
    """The documents of a plain text file from a place on; `inside` a document, or at its start.

    A place counts bytes of text; where bad bytes are replaced these are other ones than the file's,
    so that it is read from its start.
    """  # fmt: skip
    offset = place if errors == "strict" else 0
    raw = raw_blocks(stream, source, hint, offset)
    blocks = whole_characters(raw, source, errors, offset)
    if place > offset:
        blocks = _after(blocks, place)
    yield from documents_in_text(blocks, separator.encode("utf-8"), cuts, place, inside)


def _after(blocks: Iterator[bytes], count: int) -> Iterator[bytes]:
    """Blocks without their first bytes."""
    for block in blocks:
        if len(block) > count:
            yield block[count:]
        count = max(0, count - len(block))


def documents_in_text(
    blocks: Iterator[bytes], separator: bytes, cuts: Cuts, place: int = 0, inside: bool = False
) -> Iterator[Chunk]:
    """The documents of a text, long ones in parts.

    A line that is exactly the separator ends a document and belongs to none; so does the end of the
    text. Parts have PART bytes or more, and are cut where neither a named split pattern nor a
    normal form notices: see utils/cuts.py. cuts: how; "none": each document is one chunk, however
    long. place: of the first block in the text, in bytes; `inside` a document, or at its start. A
    byte order mark is left out.
    """
    text = b""  # read, and not yet handed on
    held = _Held()  # what lies before it in the same document, and needs no more looking at
    at_line_start = not inside
    searched = 0  # up to here no separator begins in the text
    # What may yet turn out to be a separator: itself, with \r\n behind it or a \n before.
    reach = len(separator) + 3
    line = _Separator(separator)
    for block in blocks:
        if place == 0 and not text and block.startswith(BOM):
            place, block = len(BOM), block[len(BOM) :]
        text = text + block if text else block
        start = 0
        while found := line.find(text, max(searched, start), start if at_line_start else -1):
            begin, end = found
            place += held.size + end - start
            yield Chunk(held.take(text[start:begin]), True, place)
            start, at_line_start = end, True
        text = text[start:] if start else text
        searched = max(0, len(text) - reach)
        if held.size + searched < PART:
            continue
        least = max(0, PART - held.size)  # where it may be cut at the earliest
        cut = 0
        if cuts != "none":
            cut = cut_before(text, max(0, least - _CHARACTER), searched, raw=cuts == "raw")
        if cut >= max(1, least):
            place += held.size + cut
            yield Chunk(held.take(text[:cut]), False, place)
        else:  # nowhere: a character may lie across the end of what was looked at
            cut = max(0, searched - _CHARACTER)
            held.add(text[:cut])
        if cut:
            text, searched, at_line_start = text[cut:], max(0, searched - cut), False
    # At the end of the text a separator needs no newline behind it.
    end = place + held.size + len(text)
    if text.endswith(separator):
        begin = len(text) - len(separator)
        if text[begin - 1 : begin] == b"\n" or (begin == 0 and at_line_start):
            text = text[:begin]
    yield Chunk(held.take(text), True, end)


class _Held:
    """The beginning of a document that can't be cut yet. Kept in pieces: adding a block to a long
    text would copy all of it."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.size = 0

    def add(self, data: bytes) -> None:
        """Hold what follows too."""
        self._pieces.append(data)
        self.size += len(data)

    def take(self, rest: bytes) -> bytes:
        """All of it and the rest; nothing is held then."""
        if not self._pieces:
            return rest
        whole = b"".join([*self._pieces, rest])
        self._pieces, self.size = [], 0
        return whole


class _Separator:
    """The line that ends a document."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self._size = len(text)
        # Looking for one byte is ten times as quick as for several: the rarest is looked for.
        self._at = next((i for i, byte in enumerate(text) if byte in _RARE), -1)
        self._byte = text[self._at]

    def find(self, text: bytes, start: int, line_start: int) -> tuple[int, int] | None:
        """Where the next separator line begins, and where what follows it does.

        line_start: a place that is known to be the start of a line, or -1.
        """
        begin = start - 1
        while (begin := self._search(text, begin + 1)) >= 0:
            end = begin + self._size
            if text[begin - 1 : begin] == b"\n" or begin == line_start:
                if text[end : end + 1] == b"\n":
                    return begin, end + 1
                if text[end : end + 2] == b"\r\n":
                    return begin, end + 2
        return None

    def _search(self, text: bytes, start: int) -> int:
        """text.find(self.text, start), unless the rarest byte turns out to be common."""
        at, place, seen = self._at, start + self._at - 1, 0
        if at < 0:
            return text.find(self.text, start)
        while (place := text.find(self._byte, place + 1)) >= 0:
            if text.startswith(self.text, place - at):
                return place - at
            seen += 1
            if seen > 8 and place - start < 1000 * seen:
                return text.find(self.text, place - at)
        return -1
