"""Text files as documents: newlines as they are, bad bytes named by file and place."""

from __future__ import annotations

import codecs
import shlex
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import regex

from yocto.config import DEFAULT_TEXT, END_OF_TEXT
from yocto.errors import DataError
from yocto.utils.cuts import last_cut
from yocto.utils.files import shipped_file

_BLOCK = 1 << 20  # bytes read at once, and about the length of a part


def find_text(path: str | Path) -> Path:
    """The text file at this path; the corpus that ships is found from any folder."""
    found = Path(path)
    if found == Path(DEFAULT_TEXT) and not found.exists():
        return shipped_file(found.name) or found
    return found


def read_text(path: str | Path, hint: str = "Check --text-path.") -> str:
    """A UTF-8 text file, newlines untouched. Raises DataError: missing, a folder, or not UTF-8.

    hint: what to do when it can't be read.
    """
    return "".join(read_blocks(path, hint))


def read_blocks(path: str | Path, hint: str = "Check --text-path.") -> Iterator[str]:
    """The same, block by block."""
    path = find_text(path)
    try:
        if path.is_dir():
            raise DataError(f"{path} is a folder, not a text file", "Name the files in it.")
        with path.open("rb") as file:
            yield from _decoded(iter(lambda: file.read(_BLOCK), b""), path)
    except FileNotFoundError:
        raise DataError(f"there is no text file {path}", hint) from None
    except OSError as error:
        raise DataError(f"can't read {path}: {error.strerror or error}", hint) from error


def _decoded(blocks: Iterator[bytes], path: Path) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset = held = 0  # of what the decoder has not yet turned into characters, and its bytes
    for data in chain(blocks, [b""]):
        if offset == 0:
            _check_is_text(data, path)
        try:
            text = decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            raise DataError(
                f"{path} is not valid UTF-8: byte 0x{error.object[error.start]:02x} at offset "
                f"{offset + error.start}",
                f"Convert it first: iconv -f LATIN1 -t UTF-8 {shlex.quote(str(path))} "
                "> converted.txt",
            ) from error
        before, held = held, len(decoder.getstate()[0])
        if offset == 0:
            text = text.removeprefix("\ufeff")  # the byte order mark that some editors write
        offset += before + len(data) - held
        if text:
            yield text


def _check_is_text(data: bytes, path: Path) -> None:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:8192]:
        raise DataError(
            f"{path} is not UTF-8 text but binary (or UTF-16) data",
            f"If it is UTF-16: iconv -f UTF-16 -t UTF-8 {shlex.quote(str(path))} > converted.txt",
        )


def read_documents(
    paths: Sequence[str | Path], separator: str = END_OF_TEXT, hint: str = "Check --text-path."
) -> Iterator[str]:
    """The documents of text files, in order.

    A line that is exactly the separator ends a document and belongs to none; so does a file's end.
    Documents of white space alone are left out. Raises DataError when nothing is left at all.
    """
    return read_parts(paths, separator, hint, whole=True)


def read_parts(
    paths: Sequence[str | Path],
    separator: str = END_OF_TEXT,
    hint: str = "Check --text-path.",
    *,
    whole: bool = False,
) -> Iterator[str]:
    """The documents of text files in parts of some megabytes, cut where neither a named split
    pattern nor a normal form notices: see utils/cuts.py. whole: each document is one part, however
    long."""
    found = False
    for path in paths:
        parts = _Parts(whole)
        for lines, ends in _documents(read_blocks(path, hint), separator):
            for part in parts.add(lines, ends):
                found = True
                yield part
    if not found:
        files = ", ".join(str(find_text(path)) for path in paths) or "no file"
        raise DataError(f"there is no text in {files}", hint)


def _documents(blocks: Iterator[str], separator: str) -> Iterator[tuple[str, bool]]:
    """Text, and whether a document ends after it. The separator lines are left out."""
    line = regex.compile(rf"^{regex.escape(separator)}(?:\r?\n|\Z)", regex.MULTILINE)
    if "\n" in separator:  # of several lines: it is looked for in the whole
        for document in line.split("".join(blocks)):
            yield document, True
        return
    held = ""  # the last line, which may yet become a separator
    is_start = True  # whether what comes is the start of a line
    for block in blocks:
        text = held + block
        held = ""
        if not is_start:
            end = text.find("\n") + 1
            if not end:
                yield text, False
                continue
            yield text[:end], False
            text = text[end:]
        end = text.rfind("\n") + 1
        text, held = text[:end], text[end:]
        *ended, last = line.split(text) if separator in text else [text]
        for document in ended:
            yield document, True
        yield last, False
        is_start = len(held) <= len(separator) + 1
        if not is_start:
            yield held, False
            held = ""
    yield ("" if held == separator else held), True


class _Parts:
    """Collects the text of a document and hands it on in parts."""

    def __init__(self, whole: bool) -> None:
        self._whole = whole
        self._texts: list[str] = []
        self._size, self._enough = 0, _BLOCK
        self._begun = False  # whether a part of this document was handed on

    def add(self, text: str, ends: bool) -> Iterator[str]:
        """Take text; give what is ready. ends: whether the document does."""
        self._texts.append(text)
        self._size += len(text)
        if ends:
            rest = "".join(self._texts)
            if rest and (self._begun or not rest.isspace()):
                yield rest
            self._texts, self._size, self._enough, self._begun = [], 0, _BLOCK, False
        elif self._size >= self._enough and not self._whole:
            rest = "".join(self._texts)
            cut = last_cut(rest, raw=True)
            if cut:
                self._begun = True
                yield rest[:cut]
            self._texts, self._size = [rest[cut:]], len(rest) - cut
            self._enough = max(_BLOCK, 2 * self._size)
