"""JSON lines, JSON and CSV: a document in each record."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from yocto.dataset.chunks import Chunk, listed, name_it
from yocto.dataset.json_values import (
    DECODER,
    LONGEST,
    NoTextError,
    json_values,
    text_at,
    what_is_wrong,
)
from yocto.dataset.sources import Source
from yocto.dataset.streams import Stream, opened
from yocto.dataset.text import BOM, raw_blocks
from yocto.dataset.utf8 import check_utf8
from yocto.errors import DataError

LONGEST_FIELD = 1 << 25  # characters of a CSV field: one takes four bytes there
_CR = re.compile(r"(?<=\r)(?!\n)")
_MEND = "Mend that line, or leave it out."


class _Line(NamedTuple):
    """A line of a file without its \\n. begin, end: its offsets, `end` behind the \\n. number:
    counted from 1 at the place where reading began."""

    data: bytes
    begin: int
    end: int
    number: int


def jsonl_chunks(
    source: Source, stream: Stream, errors: str, hint: str, key: str, place: int
) -> Iterator[Chunk]:
    """One JSON value a line: a text, or an object with a text at `key`. A place is an offset."""
    for line in _lines(source, stream, hint, place):
        data = b""
        if line.data and not line.data.isspace():
            text = _decoded(line, source, errors)
            try:
                value = DECODER.decode(text)
            except (ValueError, RecursionError) as error:
                raise DataError(
                    f"{_name(line, source, hint, place)} is not valid JSON: {what_is_wrong(error)}",
                    _MEND,
                ) from error
            try:
                data = text_at(value, key, errors)
            except NoTextError as error:
                raise error.told(_name(line, source, hint, place)) from None
        yield Chunk(data, True, line.end)


def jsonl_values(source: Source, stream: Stream, hint: str) -> Iterator[tuple[str, Any]]:
    """The value of each line that is not empty, behind the line's name ("line 3 in a.jsonl"); a
    line that holds none has the error that says so in its place."""
    for number, value in numbered_values(source, stream, hint):
        yield f"line {number} in {source.path}", value


def numbered_values(source: Source, stream: Stream, hint: str) -> Iterator[tuple[int, Any]]:
    """The same behind the line's number, counted from 1."""
    for line in _lines(source, stream, hint, 0):
        if not line.data or line.data.isspace():
            continue
        name = f"line {line.number} in {source.path}"
        value: Any
        try:
            value = DECODER.decode(_decoded(line, source, "strict"))
        except (ValueError, RecursionError) as error:
            value = DataError(f"{name} is not valid JSON: {what_is_wrong(error)}", _MEND)
        except DataError as error:  # of bytes that are no UTF-8
            value = error
        yield line.number, value


def json_chunks(
    source: Source, stream: Stream, errors: str, hint: str, key: str, place: int
) -> Iterator[Chunk]:
    """A list of texts or objects, or one after the other without a list. A place counts them."""
    for number, value in enumerate(json_values(source, stream, errors, hint), 1):
        if number <= place:
            continue
        try:
            data = text_at(value, key, errors)
        except NoTextError as error:
            raise error.told(f"value {number} in {source.path}") from None
        yield Chunk(data, True, number)


def csv_chunks(
    source: Source, stream: Stream, errors: str, hint: str, column: str, place: int
) -> Iterator[Chunk]:
    """A row a document; the first row names the columns. A place counts rows after that."""
    rows = _csv_rows(source, stream, errors, hint)
    _, names = next(rows, (0, []))
    if not names:  # an empty file
        return
    if column not in names:
        raise DataError(
            f"{source.path} has no column {column!r}; it has {listed(names)}",
            f"Name the one that holds the text: {name_it('--text-column', names, 'NAME')}",
        )
    at = names.index(column)
    for number, (line, row) in enumerate(rows, 1):
        if len(row) != len(names):
            raise DataError(
                f"line {line} in {source.path} has {len(row)} column{'s' * (len(row) != 1)}, not "
                f"{len(names)} as the first one",
                _MEND,
            )
        if number > place:
            yield Chunk(row[at].encode("utf-8"), True, number)


def _csv_rows(
    source: Source, stream: Stream, errors: str, hint: str
) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not empty, and the line where it begins."""
    csv.field_size_limit(LONGEST_FIELD)
    rows = csv.reader(_csv_lines(source, stream, errors, hint), strict=True)
    while True:
        line = rows.line_num + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            what = str(error)
            if "unexpected end of data" in what or "field limit" in what:
                what = "a quote in it is never closed, or only much later"
            raise DataError(
                f"line {line} in {source.path} is not valid CSV: {what}", _MEND
            ) from error
        if row:
            yield line, row


# ----------------------------------------------------------------------------------------- lines


def _lines(source: Source, stream: Stream, hint: str, offset: int) -> Iterator[_Line]:
    """The lines from an offset on."""
    held: list[bytes] = []  # of a line that is longer than a block
    place, size, number = offset, 0, 0
    for block in raw_blocks(stream, source, hint, offset):
        first, *rest = block.split(b"\n")
        held.append(first)
        size += len(first)
        if size > LONGEST:
            line = _Line(b"", offset, offset + size, number + 1)
            raise DataError(
                f"{_name(line, source, hint, place)} is longer than {LONGEST:,} bytes",
                "Are these lines? Say what the file holds: --text-format text",
            )
        for following in rest:
            number += 1
            yield _line(held, offset, offset + size + 1, number)
            offset += size + 1
            held, size = [following], len(following)
    if size:
        yield _line(held, offset, offset + size, number + 1)


def _line(parts: list[bytes], begin: int, end: int, number: int) -> _Line:
    data = parts[0] if len(parts) == 1 else b"".join(parts)
    if begin == 0 and data.startswith(BOM):
        begin, data = len(BOM), data[len(BOM) :]
    return _Line(data, begin, end, number)


def _csv_lines(source: Source, stream: Stream, errors: str, hint: str) -> Iterator[str]:
    for line in _lines(source, stream, hint, 0):
        text = _decoded(line, source, errors) + "\n"
        # A lone \r ends a line too: spreadsheets of old wrote no other.
        yield from filter(None, _CR.split(text)) if "\r" in text[:-2] else (text,)


def _decoded(line: _Line, source: Source, errors: str) -> str:
    if errors == "strict":
        check_utf8(line.data, source, line.begin)
    return line.data.decode("utf-8", errors)


def _name(line: _Line, source: Source, hint: str, place: int) -> str:
    """A line in words. Only for a message: if reading began at a place, the lines before that are
    counted now."""
    number = line.number
    if place:
        left = place
        with opened(source, hint) as stream:
            for block in raw_blocks(stream, source, hint):
                number += block[:left].count(b"\n")
                left -= len(block)
                if left <= 0:
                    break
    return f"line {number} in {source.path}"
