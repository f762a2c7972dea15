"""JSON lines, JSON and CSV: a document in each record."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from typing import Any

from yocto.dataset.chunks import Chunk
from yocto.dataset.sources import Source
from yocto.dataset.streams import Stream, opened
from yocto.dataset.text import BOM, raw_blocks
from yocto.dataset.utf8 import bad_byte
from yocto.errors import DataError

_LONGEST = (1 << 31) - 1  # characters of a CSV field: what the csv module takes
_SPACE = re.compile(r"[ \t\r\n]*")


def jsonl_chunks(
    source: Source, stream: Stream, errors: str, hint: str, key: str, place: int
) -> Iterator[Chunk]:
    """One JSON value a line: a text, or an object with a text at `key`. A place is an offset."""
    for line, after in _lines(source, stream, hint, place):
        data = b""
        if line and not line.isspace():
            try:
                value = json.loads(_decoded(line, source, errors, after - len(line) - 1))
            except (ValueError, RecursionError) as error:
                what = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
                raise DataError(
                    f"{_line(source, after, hint)} is not valid JSON: {what}",
                    "Mend that line, or leave it out.",
                ) from error
            try:
                data = text_at(value, key, errors)
            except _NoText as error:
                raise error.told(_line(source, after, hint), "--text-key") from None
        yield Chunk(data, True, after)


def json_chunks(
    source: Source, stream: Stream, errors: str, hint: str, key: str, place: int
) -> Iterator[Chunk]:
    """A list of texts or objects, or one after the other without a list. A place counts them."""
    for number, value in enumerate(_json_values(source, stream, errors, hint), 1):
        if number <= place:
            continue
        try:
            data = text_at(value, key, errors)
        except _NoText as error:
            raise error.told(f"value {number} in {source.path}", "--text-key") from None
        yield Chunk(data, True, number)


def csv_chunks(
    source: Source, stream: Stream, errors: str, hint: str, column: str, place: int
) -> Iterator[Chunk]:
    """A row a document; the first row names the columns. A place counts rows after that."""
    csv.field_size_limit(_LONGEST)
    rows = csv.reader(_csv_lines(source, stream, errors, hint), strict=True)
    names: list[str] = []
    number = -1
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(
                f"line {rows.line_num} in {source.path} is not valid CSV: {error}",
                "Mend that line, or leave it out.",
            ) from error
        number += 1
        if number == 0:
            names = row
            if column not in names:
                raise DataError(
                    f"{source.path} has no column {column!r}; it has {_some(names)}",
                    f"Name the one that holds the text: --text-column {names[0] or 'NAME'}",
                )
        elif number > place and row:
            if len(row) != len(names):
                raise DataError(
                    f"line {rows.line_num} in {source.path} has {len(row)} columns, not "
                    f"{len(names)} as the first one",
                    "Mend that line, or leave it out.",
                )
            yield Chunk(row[names.index(column)].encode("utf-8"), True, number)


# ----------------------------------------------------------------------------------------- lines


def _lines(source: Source, stream: Stream, hint: str, offset: int) -> Iterator[tuple[bytes, int]]:
    """Each line without its \\n, and the offset behind that."""
    held: list[bytes] = []  # of a line that is longer than a block
    for block in raw_blocks(stream, source, hint, offset):
        if offset == 0 and not held and block.startswith(BOM):
            offset, block = len(BOM), block[len(BOM) :]
        first, *rest = block.split(b"\n")
        held.append(first)
        for line in rest:
            whole = b"".join(held)
            offset += len(whole) + 1
            yield whole, offset
            held = [line]
    if any(held):
        whole = b"".join(held)
        yield whole, offset + len(whole) + 1


def _csv_lines(source: Source, stream: Stream, errors: str, hint: str) -> Iterator[str]:
    for line, after in _lines(source, stream, hint, 0):
        yield _decoded(line, source, errors, after - len(line) - 1) + "\n"


def _decoded(data: bytes, source: Source, errors: str, offset: int) -> str:
    """Text of bytes that lie at an offset of the file."""
    try:
        return data.decode("utf-8", errors)
    except UnicodeDecodeError as error:
        raise bad_byte(source.path, offset, error) from error


def _line(source: Source, after: int, hint: str) -> str:
    """The line that ends at an offset, in words. Only for a message: the file is read again."""
    if source.path == "-" and source.copy is None:
        return f"the line that ends at byte {after:,} of standard input"
    number, left = 1, after - 1
    with opened(source, hint) as stream:
        for block in raw_blocks(stream, source, hint):
            number += block[:left].count(b"\n")
            left -= len(block)
            if left <= 0:
                break
    return f"line {number} in {source.path}"


# ------------------------------------------------------------------------------------------ JSON


def _json_values(source: Source, stream: Stream, errors: str, hint: str) -> Iterator[Any]:
    """The values of a list, or those that follow one another; one at a time is in memory."""
    text = _Growing(source, stream, errors, hint)
    is_list = text.peek() == "["
    if is_list:
        text.at += 1
    number = 0
    while (sign := text.peek()) and not (is_list and sign == "]"):
        if is_list and number:
            if sign != ",":
                raise text.fault(number, "a comma is missing")
            text.at += 1
            text.peek()
        number += 1
        yield text.value(number)
    if is_list and not sign:
        raise text.fault(number, "the list has no end")
    text.at += is_list
    if is_list and text.peek():
        raise text.fault(number, "something follows the list")


class _Growing:
    """JSON text that is read as far as its values reach."""

    def __init__(self, source: Source, stream: Stream, errors: str, hint: str) -> None:
        from yocto.dataset.utf8 import whole_characters

        blocks = whole_characters(raw_blocks(stream, source, hint), source.path, errors)
        self._texts = (block.decode("utf-8") for block in blocks)
        self._decoder = json.JSONDecoder()
        self._path = source.path
        self.text = next(self._texts, "").removeprefix("\ufeff")
        self.at = 0  # what lies before is done

    def peek(self) -> str:
        """The next sign that is no white space; "" at the end."""
        while True:
            match = _SPACE.match(self.text, self.at)
            assert match is not None
            self.at = match.end()
            if self.at < len(self.text):
                return self.text[self.at]
            if not self._more(1):
                return ""

    def value(self, number: int) -> Any:
        """The next value."""
        while True:
            try:
                value, self.at = self._decoder.raw_decode(self.text, self.at)
                return value
            except RecursionError:
                raise self.fault(number, "it is nested too deeply") from None
            except json.JSONDecodeError as error:
                # Cut off where the text read so far ends, or wrong wherever that is?
                is_cut = error.msg.startswith("Unterminated string")
                is_cut = is_cut or error.pos >= len(self.text) - 16
                if not is_cut or not self._more(len(self.text) - self.at):
                    raise self.fault(number, error.msg) from None

    def _more(self, least: int) -> bool:
        """Read at least so many characters more, if there are any: a long value is tried anew only
        when there is twice as much of it."""
        parts, size = [self.text[self.at :]], 0
        self.at = 0
        while size < least and (part := next(self._texts, "")):
            parts.append(part)
            size += len(part)
        self.text = "".join(parts)
        return size > 0

    def fault(self, number: int, what: str) -> DataError:
        """The error for a value that is no JSON."""
        return DataError(
            f"value {number} in {self._path} is not valid JSON: {what}",
            "Mend the file; if it holds a value a line, say so: --text-format jsonl",
        )


class _NoText(Exception):
    """What stands where a text is needed. keys: what else there is."""

    def __init__(self, what: str, keys: list[str] | None = None) -> None:
        super().__init__(what)
        self.keys = keys

    def told(self, where: str, flag: str) -> DataError:
        """The error, with the place."""
        if self.keys:
            hint = f"Name the one that holds the text: {flag} {self.keys[0]}"
            return DataError(f"{where} has {self}; it has {_some(self.keys)}", hint)
        return DataError(f"{where} has {self}", f"Name the key of a text: {flag} KEY")


def text_at(value: Any, key: str, errors: str) -> bytes:
    """The text of a JSON value: the value itself, or what lies at a key, with dots a deeper one.
    null is no text: nothing."""
    if isinstance(value, dict):
        if key in value:
            value = value[key]
        else:
            for part in key.split("."):
                value = _deeper(value, part, key)
    if value is None:
        return b""
    if not isinstance(value, str):
        kinds = {dict: "an object", list: "a list", bool: "true or false"}
        raise _NoText(f"{kinds.get(type(value), 'a number')} where the text should be")
    try:
        return value.encode("utf-8")
    except UnicodeEncodeError:  # half a character, as \\ud83d alone
        if errors == "replace":
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
        raise _NoText("half a character, a lone surrogate, in its text") from None


def _deeper(value: Any, part: str, key: str) -> Any:
    if isinstance(value, list) and part.isdecimal() and int(part) < len(value):
        return value[int(part)]
    if isinstance(value, dict):
        if part in value:
            return value[part]
        raise _NoText(f"no {key!r}", list(value))
    raise _NoText(f"no {key!r}")


def _some(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:12]))
    return shown + (f" and {len(names) - 12} more" if len(names) > 12 else "") or "none"
