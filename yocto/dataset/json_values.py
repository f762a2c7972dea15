"""JSON: the values of a file one at a time, and the text that lies in one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from yocto.dataset.chunks import listed, name_it
from yocto.dataset.sources import Source
from yocto.dataset.streams import Stream
from yocto.dataset.text import raw_blocks
from yocto.dataset.utf8 import whole_characters
from yocto.errors import DataError

LONGEST = 1 << 27  # characters of a value, bytes of a line: more would not fit in memory
_SPACE = re.compile(r"[ \t\r\n]*")


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) < 20 else float(digits)  # the longest can't be an int


DECODER = json.JSONDecoder(parse_int=_whole_number)


def what_is_wrong(error: Exception) -> str:
    """What an error of the decoder says, in a few words."""
    if isinstance(error, json.JSONDecodeError):
        return error.msg
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def json_values(source: Source, stream: Stream, errors: str, hint: str) -> Iterator[Any]:
    """The values of a list, or those that follow one another; one at a time is in memory."""
    text = _Growing(source, stream, errors, hint)
    is_list = text.peek() == "["
    if is_list:
        text.at += 1
    number = 0
    while (sign := text.peek()) and not (is_list and sign == "]"):
        if is_list and number:
            if sign != ",":
                raise text.fault(f"a comma is missing behind value {number}")
            text.at += 1
            text.peek()
        number += 1
        yield text.value(number)
    if is_list and not sign:
        raise text.fault("the list has no end")
    text.at += is_list
    if is_list and text.peek():
        raise text.fault("something follows the list")


class _Growing:
    """JSON text that is read as far as its values reach."""

    def __init__(self, source: Source, stream: Stream, errors: str, hint: str) -> None:
        blocks = whole_characters(raw_blocks(stream, source, hint), source, errors)
        self._texts = (block.decode("utf-8") for block in blocks)
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
                value, self.at = DECODER.raw_decode(self.text, self.at)
                return value
            except (ValueError, RecursionError) as error:
                what = what_is_wrong(error)
                # Cut off where the text read so far ends, or wrong wherever that is?
                is_cut = isinstance(error, json.JSONDecodeError) and (
                    what.startswith("Unterminated string") or error.pos >= len(self.text) - 16
                )
            size = len(self.text) - self.at
            if not is_cut or not self._more(size):
                raise self.fault(what, number)
            if size > LONGEST:
                raise DataError(
                    f"value {number} in {self._path} is longer than {LONGEST:,} characters",
                    "Texts have to lie in a list, or to follow one another: one has to fit into "
                    "memory.",
                )

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

    def fault(self, what: str, number: int | None = None) -> DataError:
        """The error for a value, or for what lies between two, that is no JSON."""
        where = self._path if number is None else f"value {number} in {self._path}"
        return DataError(
            f"{where} is not valid JSON: {what}",
            "Mend the file; if it holds a value a line, say so: --text-format jsonl",
        )


class NoTextError(Exception):
    """What stands where a text is needed. keys: what else there is."""

    def __init__(self, what: str, keys: list[str] | None = None) -> None:
        super().__init__(what)
        self.keys = keys

    def told(self, where: str) -> DataError:
        """The error, with the place."""
        has = f"; it has {listed(self.keys)}" if self.keys else ""
        hint = name_it("--text-key", self.keys or [], "KEY")
        return DataError(f"{where} has {self}{has}", f"Name the key of a text: {hint}")


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
        raise NoTextError(f"{kinds.get(type(value), 'a number')} where the text should be")
    try:
        return value.encode("utf-8")
    except UnicodeEncodeError:  # half a character, as \\ud83d alone
        if errors == "replace":
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
        raise NoTextError("half a character, a lone surrogate, in its text") from None


def _deeper(value: Any, part: str, key: str) -> Any:
    if value is None:
        return None
    if isinstance(value, list) and part.isdecimal() and int(part) < len(value):
        return value[int(part)]
    if isinstance(value, dict):
        if part in value:
            return value[part]
        raise NoTextError(f"no {key!r}", _likely(value))
    raise NoTextError(f"no {key!r}")


def _likely(value: dict[str, Any]) -> list[str]:
    """Keys, the likeliest for a text first: that of the longest one."""
    return sorted(value, key=lambda k: -len(value[k]) if isinstance(value[k], str) else 1)
