"""Checksums that lie beside a file, in a NAME.sha256 as sha256sum writes it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from yocto.errors import DataError
from yocto.utils.files import write_text

_LINE = re.compile(r"\\?([0-9a-fA-F]{64})(?:[ \t]+\*?(.+?))?\s*")
_BLOCK = 1 << 22


def hash_file(path: Path, advance: Callable[[int], None] = lambda size: None) -> str:
    """The SHA-256 of a file's bytes, in hex. advance: is told the bytes of each block."""
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            sha256.update(block)
            advance(len(block))
    return sha256.hexdigest()


def record_path(path: Path) -> Path:
    """Where the checksum of a file is recorded."""
    return path.with_name(path.name + ".sha256")


def recorded_sha256(path: Path) -> str | None:
    """The checksum in the NAME.sha256 beside a file, in lower case; None where there is no such
    file. Raises DataError where it does not tell of this one.

    Several files may share it, one line each; one that names no file is of this one.
    """
    return read_record(path)[0]


def read_record(path: Path) -> tuple[str | None, str]:
    """The same, and the address that the file was downloaded from, if it is told."""
    record = record_path(path)
    try:
        lines = record.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except FileNotFoundError:
        return None, ""
    except OSError as error:
        raise DataError(f"can't read {record}: {error.strerror or error}", "Look at it.") from error
    source = next((line[2:] for line in lines if re.fullmatch(r"# \S+", line)), "")
    for line in lines:
        found = _LINE.fullmatch(line)
        if found and (found[2] is None or Path(found[2]).name == path.name):
            return found[1].lower(), source
    raise DataError(
        f"{record} holds no SHA-256 of {path.name}",
        f"It takes a line as sha256sum writes it: 64 hex digits, two spaces, {path.name}. "
        f"Or delete it.",
    )


def write_record(path: Path, url: str, digest: str) -> None:
    """Write the checksum down; `sha256sum -c` reads it too, and takes the address for a comment."""
    write_text(record_path(path), f"# {url}\n{digest}  {path.name}\n")
