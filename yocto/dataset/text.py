"""Text files as documents: newlines as they are, bad bytes named by file and place."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import regex

from yocto.config import DEFAULT_TEXT, END_OF_TEXT
from yocto.errors import DataError
from yocto.utils.files import shipped_file


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
    path = find_text(path)
    try:
        if path.is_dir():
            raise DataError(f"{path} is a folder, not a text file", "Name the files in it.")
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"there is no text file {path}", hint) from None
    except OSError as error:
        raise DataError(f"can't read {path}: {error.strerror or error}", hint) from error
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:8192]:
        raise DataError(
            f"{path} is not UTF-8 text but binary (or UTF-16) data",
            f"If it is UTF-16: iconv -f UTF-16 -t UTF-8 {shlex.quote(str(path))} > converted.txt",
        )
    try:
        return data.decode("utf-8-sig")  # without the byte order mark that some editors write
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not valid UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}",
            f"Convert it first: iconv -f LATIN1 -t UTF-8 {shlex.quote(str(path))} > converted.txt",
        ) from error


def read_documents(
    paths: Sequence[str | Path], separator: str = END_OF_TEXT, hint: str = "Check --text-path."
) -> Iterator[str]:
    """The documents of text files, in order.

    A line that is exactly the separator ends a document and belongs to none; so does a file's end.
    Documents of white space alone are left out. Raises DataError when nothing is left at all.
    """
    line = regex.compile(rf"^{regex.escape(separator)}(?:\r?\n|\Z)", regex.MULTILINE)
    found = False
    for path in paths:
        for document in line.split(read_text(path, hint)):
            if document and not document.isspace():
                found = True
                yield document
    if not found:
        files = ", ".join(str(find_text(path)) for path in paths) or "no file"
        raise DataError(f"there is no text in {files}", hint)
