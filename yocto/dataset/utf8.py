"""Bytes that have to be UTF-8: checked block by block, bad ones named by file and place."""

from __future__ import annotations

import codecs
import shlex
import sys
from collections.abc import Iterable, Iterator

from yocto.errors import DataError


def whole_characters(
    blocks: Iterable[bytes], path: str, errors: str, offset: int = 0
) -> Iterator[bytes]:
    """Blocks of UTF-8 cut anywhere as blocks of whole characters.

    errors: "strict" raises a DataError with the offset of the first bad byte, "replace" puts U+FFFD
    there. offset: of the first block in the file.
    """
    if errors == "replace":
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for block in blocks:
            yield decoder.decode(block).encode("utf-8")
        yield decoder.decode(b"", final=True).encode("utf-8")
        return
    held = b""  # the first bytes of a character
    for block in blocks:
        data = held + block if held else block
        held = b""
        if not is_utf8(data):
            try:
                data.decode("utf-8")
            except UnicodeDecodeError as error:
                if not is_start(data[error.start :]):
                    raise bad_byte(path, offset, error) from error
                data, held = data[: error.start], data[error.start :]
        offset += len(data)
        if data:
            yield data
    if held:
        try:
            held.decode("utf-8")
        except UnicodeDecodeError as error:
            raise bad_byte(path, offset, error) from error


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


def is_start(data: bytes) -> bool:
    """Whether bytes are the beginning of one character that is not complete."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        return decoder.decode(data) == "" and len(data) < 4
    except UnicodeDecodeError:
        return False


def bad_byte(path: str, offset: int, error: UnicodeDecodeError) -> DataError:
    """The error for a byte that is no UTF-8. offset: of what was decoded in the file."""
    return DataError(
        f"{path} is not valid UTF-8: byte 0x{error.object[error.start]:02x} at offset "
        f"{offset + error.start}",
        f"Convert it first: iconv -f LATIN1 -t UTF-8 {shlex.quote(path)} > converted.txt; or take "
        f"U+FFFD for such bytes: --errors replace",
    )
