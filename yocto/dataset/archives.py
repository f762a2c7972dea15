"""Compressed files as what they hold: .gz, .zst, .xz and .bz2, one member after the other.

Python's own readers take some damaged files for whole ones: what follows a .bz2 or .xz file's first
member is left out where it can't be read, and zstandard's reader ends where a file is cut off. This
one tells of both.
"""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from typing import IO, Any

from yocto.errors import DataError

EXTRA = "pip install 'yocto[data]'"
_READ = 1 << 16  # compressed bytes that are read at once
_MOST = 1 << 18  # bytes that are decompressed at once
_SLICE = 1 << 10  # bytes of a .zst file that are: they may become 30,000 times as many
_MEMORY = 1 << 28  # bytes that an .xz file may ask for; `xz -9` takes 65 MiB


class DamagedError(Exception):
    """What an archive says of itself that can't be read."""


class Archive(io.RawIOBase):
    """What a compressed file holds. Reading raises EOFError where it is cut off, and DamagedError
    where it can't be read.

    raw: the file. compression: gz, zst, xz or bz2. path: for messages.
    """

    def __init__(self, raw: IO[bytes], compression: str, path: str) -> None:
        self._raw, self._compression = raw, compression
        self._package: Any = _zstandard(path) if compression == "zst" else None
        self._errors = _errors_of(self._package)
        self._member: Any = None
        self._is_empty = True  # nothing was read yet
        self._input = b""  # read, and not yet decompressed
        self._data = memoryview(b"")  # decompressed, and not yet asked for

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as there are bytes at hand; 0 at the end."""
        while not self._data:
            if not self._input and (self._member is None or self._member.needs_input):
                self._input = self._raw.read(_READ)
                if not self._input:
                    if self._member is not None or self._is_empty:
                        raise EOFError
                    return 0
            self._decompress()
        n = min(len(buffer), len(self._data))
        buffer[:n] = self._data[:n]
        # Even an empty slice would hold the memory of all that was decompressed.
        self._data = self._data[n:] if n < len(self._data) else memoryview(b"")
        return n

    def _decompress(self) -> None:
        if self._member is None:
            if not self._is_empty and self._compression in ("gz", "xz"):  # padding is allowed there
                self._input = self._input.lstrip(b"\0")
                if not self._input:
                    return
            self._member, self._is_empty = self._begin(), False
        data, self._input = self._input, b""
        try:
            self._data = memoryview(self._member.decompress(data, _MOST))
        except self._errors as error:
            raise DamagedError(str(error)) from error
        if self._member.eof:
            self._input, self._member = self._member.unused_data, None

    def _begin(self) -> Any:
        if self._compression == "bz2":
            return bz2.BZ2Decompressor()
        if self._compression == "xz":
            return lzma.LZMADecompressor(memlimit=_MEMORY)
        return _Gzip() if self._compression == "gz" else _Zstd(self._package)


class _Gzip:
    """A member of a .gz file, as the decompressors of bz2 and lzma are."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=31)
        self.needs_input = True

    def decompress(self, data: bytes, most: int) -> bytes:
        """What some bytes hold, `most` at once: the rest is given without further input."""
        if self._zlib.unconsumed_tail:
            data = self._zlib.unconsumed_tail + data
        made = self._zlib.decompress(data, most)
        self.needs_input = len(made) < most and not self._zlib.unconsumed_tail
        return made

    @property
    def eof(self) -> bool:
        """Whether the member's end is reached."""
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        """What lies behind it."""
        return self._zlib.unused_data


class _Zstd:
    """A frame of a .zst file, as the decompressors of bz2 and lzma are."""

    def __init__(self, package: Any) -> None:
        self._frame = package.ZstdDecompressor().decompressobj()
        self._rest = memoryview(b"")
        self.needs_input = True

    def decompress(self, data: bytes, most: int) -> bytes:
        """What some bytes hold; it takes little of them at once, as it can't be told to stop."""
        if data:
            self._rest = memoryview(data)
        piece, self._rest = self._rest[:_SLICE], self._rest[_SLICE:]
        made: bytes = self._frame.decompress(piece)
        self.needs_input = not self._rest
        return made

    @property
    def eof(self) -> bool:
        """Whether the frame's end is reached."""
        return bool(self._frame.eof)

    @property
    def unused_data(self) -> bytes:
        """What lies behind it."""
        return bytes(self._frame.unused_data) + bytes(self._rest)


def _zstandard(path: str) -> Any:
    try:
        import zstandard
    except ImportError:
        raise DataError(f"{path} takes the package zstandard", EXTRA) from None
    return zstandard


def _errors_of(package: Any) -> tuple[type[Exception], ...]:
    known = (zlib.error, lzma.LZMAError, OSError)
    return known if package is None else (*known, package.ZstdError)
