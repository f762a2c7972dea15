"""Bytes that have to be UTF-8: checked block by block, bad ones named by file and place."""

from __future__ import annotations

import codecs
import shlex
import sys
from collections.abc import Iterable, Iterator

from yocto.dataset.sources import Source
from yocto.errors import DataError


def whole_characters(
    blocks: Iterable[bytes], source: Source, errors: str, offset: int = 0
) -> Iterator[bytes]:
    """Blocks of UTF-8 cut anywhere as blocks of whole characters, none of them empty.

    errors: "strict" raises a DataError with the offset of the first bad byte, "replace" puts U+FFFD
    there. offset: of the first block in the file.
    """
    if errors == "replace":
        yield from _replaced(blocks)
        return
    held = b""  # the first bytes of a character
    for block in blocks:
        data = held + block if held else block
        end = _whole(data)
        held, data = (data[end:], data[:end]) if end < len(data) else (b"", data)
        if data:
            check_utf8(data, source, offset)
            offset += len(data)
            yield data
    check_utf8(held, source, offset)


def _replaced(blocks: Iterable[bytes]) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for block in blocks:
        if text := decoder.decode(block):
            yield text.encode("utf-8")
    if text := decoder.decode(b"", final=True):
        yield text.encode("utf-8")


def _whole(data: bytes) -> int:
    """Where a character begins that the end cuts through; the length where none does."""
    for back in range(1, min(3, len(data)) + 1):
        byte = data[-back]
        if byte >= 0xC0:  # the first byte of several
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) - back if length > back else len(data)
        if byte < 0x80:
            break
    return len(data)


def check_utf8(data: bytes, source: Source, offset: int, where: str = "") -> None:
    """Raise a DataError that names the first byte that is no UTF-8, if there is one.

    offset: of the data in the file, or in what `where` tells of it.
    """
    if is_utf8(data):
        return
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _bad_byte(source, offset + error.start, data[error.start], where) from error


def is_utf8(data: bytes) -> bool:
    """Whether bytes are UTF-8 from the first to the last."""
    if data.isascii():
        return True
    # Where the tokenizer's kernels are loaded, one of them does this several times as fast.
    if "yocto.kernels.encode" in sys.modules:
        from yocto.kernels.validate import valid_utf8

        return valid_utf8(data)
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _bad_byte(source: Source, offset: int, byte: int, where: str) -> DataError:
    convert = "Convert it to UTF-8 first"
    if source.is_file and not source.compression and source.format != "parquet":
        quoted = shlex.quote(source.path)
        convert = f"Convert it first: iconv -f LATIN1 -t UTF-8 {quoted} > converted.txt"
    return DataError(
        f"{where}{source.path} is not valid UTF-8: byte 0x{byte:02x} at offset {offset}",
        f"{convert}; or take U+FFFD for such bytes: --errors replace",
    )
