"""Files as streams of bytes, whatever they lie in: compressed, remote, or on standard input."""

from __future__ import annotations

import dataclasses
import io
import lzma
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import IO, Any, cast

from yocto.dataset.sources import STDIN, Source
from yocto.errors import DataError, YoctoError

BLOCK = 1 << 18  # bytes read at once: they stay in a core's cache
_SOME = 1 << 14  # compressed bytes that are decompressed at once: they may become 100 times as many
EXTRA = "pip install 'yocto[data]'"


class Stream:
    """An open file.

    file: its bytes, decompressed. raw: the same as they lie on the disk, or None: how far it is
    read tells how much work is done.
    """

    def __init__(self, file: IO[bytes], raw: IO[bytes] | None) -> None:
        self.file = file
        self._raw = raw

    def consumed(self) -> int:
        """Bytes read so far, as they lie on the disk."""
        return self._raw.tell() if self._raw is not None else 0


@contextmanager
def opened(source: Source, hint: str, offset: int = 0) -> Iterator[Stream]:
    """A file, open at an offset of its decompressed bytes.

    Whatever goes wrong while it is open, a damaged archive for one, is raised as a DataError that
    names it.
    """
    with ExitStack() as held:
        with reading(source, hint):
            raw = held.enter_context(_raw(source))
            file = held.enter_context(_decompressed(raw, source))
            if offset:
                _skip(file, offset, source)
        can_tell = source.path != STDIN or source.copy is not None
        yield Stream(file, raw if can_tell else None)


@contextmanager
def reading(source: Source, hint: str) -> Iterator[None]:
    """Around what reads a file: its errors become a DataError that names it."""
    path = source.path
    again = "Get the file anew, or leave it out."
    try:
        yield
    except (YoctoError, KeyboardInterrupt, GeneratorExit, MemoryError):
        raise
    except FileNotFoundError:
        raise DataError(f"there is no text file {path}", hint) from None
    except EOFError:
        raise DataError(f"{path} is cut off: the archive has no end", again) from None
    except (zlib.error, lzma.LZMAError, _ZstdError) as error:
        raise DataError(f"{path} is damaged: {error}", again) from error
    except OSError as error:
        if source.compression and error.errno is None:  # gzip and bz2 say so of damaged data
            raise DataError(f"{path} is damaged: {error}", again) from error
        raise DataError(f"can't read {path}: {error.strerror or error}", hint) from error
    except Exception as error:
        if source.is_remote:  # each kind of remote file raises errors of its own
            raise DataError(f"can't read {path}: {error or type(error).__name__}", hint) from error
        raise


def kept(source: Source, folder: Path | None = None) -> Source:
    """A source that can be read twice: standard input goes to a temporary file in `folder`."""
    if source.path != STDIN:
        return source
    copy = cast(IO[bytes], tempfile.TemporaryFile(dir=folder))  # noqa: SIM115
    shutil.copyfileobj(sys.stdin.buffer, copy, 1 << 20)
    return dataclasses.replace(source, copy=copy)


def _raw(source: Source) -> Any:
    if source.copy is not None:
        source.copy.seek(0)
        return nullcontext(source.copy)
    if source.path == STDIN:
        return nullcontext(sys.stdin.buffer)
    if source.is_remote:
        try:
            import fsspec
        except ImportError:
            raise DataError(f"{source.path} takes the package fsspec", EXTRA) from None
        return fsspec.open(source.path, "rb").open()
    if Path(source.path).is_dir():
        raise DataError(f"{source.path} is a folder, not a text file", "Name the files in it.")
    return Path(source.path).open("rb", buffering=0)


def _decompressed(raw: IO[bytes], source: Source) -> Any:
    if source.compression == "gz":
        import gzip

        return gzip.GzipFile(fileobj=raw, mode="rb")
    if source.compression == "bz2":
        import bz2

        return bz2.BZ2File(raw)
    if source.compression == "xz":
        return lzma.LZMAFile(raw)
    if source.compression == "zst":
        return io.BufferedReader(_Zstd(raw, source.path), 1 << 17)
    return nullcontext(raw)


def _skip(file: IO[bytes], offset: int, source: Source) -> None:
    if not source.compression and not source.is_remote and file.seekable():
        file.seek(offset)
        return
    while offset > 0:
        data = file.read(min(offset, BLOCK))
        if not data:
            raise EOFError
        offset -= len(data)


class _ZstdError(Exception):
    """What the zstandard package says of a damaged file."""


class _Zstd(io.RawIOBase):
    """A .zst file, frame after frame. zstandard's own reader takes a file that is cut off for
    one that ends there; this one raises EOFError."""

    def __init__(self, raw: IO[bytes], path: str) -> None:
        try:
            import zstandard
        except ImportError:
            raise DataError(f"{path} takes the package zstandard", EXTRA) from None
        self._raw, self._package = raw, zstandard
        self._frame: Any = None
        self._data = memoryview(b"")  # decompressed, and not yet read
        self._rest = b""  # of the next frame

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as there are bytes at hand; 0 at the end."""
        while not self._data:
            data, self._rest = self._rest or self._raw.read(_SOME), b""
            if not data:
                if self._frame is not None:
                    raise EOFError
                return 0
            try:
                if self._frame is None:
                    self._frame = self._package.ZstdDecompressor().decompressobj()
                self._data = memoryview(self._frame.decompress(data))
            except self._package.ZstdError as error:
                raise _ZstdError(str(error)) from error
            if self._frame.eof:
                self._rest, self._frame = self._frame.unused_data, None
        n = min(len(buffer), len(self._data))
        buffer[:n], self._data = self._data[:n], self._data[n:]
        return n


def seekable(stream: Stream, source: Source) -> IO[bytes]:
    """The stream's bytes in a file that can be read from any place: for what reads its end first.
    One that lies compressed is written to a temporary file."""
    if not source.compression and source.path != STDIN and stream.file.seekable():
        return stream.file
    copy = cast(IO[bytes], tempfile.TemporaryFile())  # noqa: SIM115
    shutil.copyfileobj(stream.file, copy, 1 << 20)
    copy.seek(0)
    return copy


def size_of(source: Source) -> int | None:
    """A file's bytes as they lie there; None where that is not known."""
    return state_of(source)[0]


def state_of(source: Source) -> tuple[int | None, str | None]:
    """A file's size in bytes, and when it was changed or what else tells; None for the unknown."""
    with suppress(Exception):
        if source.copy is not None:
            return source.copy.seek(0, io.SEEK_END), None
        if source.is_file:
            found = Path(source.path).stat()
            return found.st_size, str(found.st_mtime_ns)
        if source.is_remote:
            import fsspec

            fs, path = fsspec.core.url_to_fs(source.path)
            info = fs.info(path)
            told = next((info[key] for key in ("ETag", "mtime", "LastModified") if key in info), "")
            return info["size"], str(told)
    return None, None
