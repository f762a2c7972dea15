"""Files as streams of bytes, whatever they lie in: compressed, remote, or on standard input."""

from __future__ import annotations

import dataclasses
import io
import os
import shutil
import stat
import sys
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import IO, Any, cast

from yocto.dataset.archives import EXTRA, Archive, DamagedError
from yocto.dataset.sources import STDIN, Source
from yocto.errors import DataError, YoctoError

BLOCK = 1 << 18  # bytes read at once: they stay in a core's cache
_COPIED = 1 << 20  # bytes copied at once


class Stream:
    """An open file.

    file: its bytes, decompressed. raw: the same as they lie on the disk: how far it is read tells
    how much work is done.
    """

    def __init__(self, file: IO[bytes], raw: IO[bytes]) -> None:
        self.file = file
        self._raw = raw

    def consumed(self) -> int:
        """Bytes read so far, as they lie on the disk; 0 where that can't be told, of a pipe say."""
        with suppress(OSError, ValueError):
            return self._raw.tell()
        return 0


@contextmanager
def opened(source: Source, hint: str, offset: int = 0) -> Iterator[Stream]:
    """A file, open at an offset of its decompressed bytes. Raises DataError for one that can't be
    opened; what then reads its bytes does so within `reading`."""
    with ExitStack() as held:
        with reading(source, hint):
            raw = held.enter_context(_raw(source))
            file = raw
            if source.compression:
                archive = Archive(raw, source.compression, source.path)
                file = held.enter_context(io.BufferedReader(archive, BLOCK))
            if offset:
                _skip(file, offset, source)
        yield Stream(file, raw)


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
        what = "the archive has no end" if source.compression else "it was longer before"
        raise DataError(f"{path} is cut off: {what}", again) from None
    except DamagedError as error:
        what = f"{path} is damaged, or no .{source.compression} archive: {error}"
        raise DataError(what, again) from error
    except OSError as error:
        raise DataError(f"can't read {path}: {error.strerror or error}", hint) from error
    except Exception as error:
        if source.is_remote:  # each kind of remote file raises errors of its own
            if isinstance(error, ImportError):  # of what this kind of address takes
                raise DataError(f"can't read {path}: {error}", EXTRA) from error
            what = str(error) or type(error).__name__
            raise DataError(f"can't read {path}: {what}", hint) from error
        raise


def kept(source: Source, folder: Path | None = None) -> Source:
    """A source that can be read twice: what standard input or a pipe gives goes to a temporary file
    in `folder`."""
    if source.copy is not None or not _gives_once(source):
        return source
    with reading(source, "Is there room for temporary files?"), _raw(source) as raw:
        copy = cast(IO[bytes], tempfile.TemporaryFile(dir=folder))  # noqa: SIM115
        shutil.copyfileobj(raw, copy, _COPIED)
    found = dataclasses.replace(source, copy=copy)
    weakref.finalize(found, copy.close)
    return found


def _gives_once(source: Source) -> bool:
    """Whether it is a pipe."""
    if source.path == STDIN:
        return True
    with suppress(OSError, ValueError):
        return source.is_file and not stat.S_ISREG(Path(source.path).stat().st_mode)
    return False


def _raw(source: Source) -> Any:
    if source.copy is not None:
        source.copy.seek(0)
        return nullcontext(source.copy)
    if source.path == STDIN:
        if sys.stdin is None:
            raise DataError("standard input is closed", "Name a file: --text-path FILE")
        return nullcontext(sys.stdin.buffer)
    if source.is_remote:
        try:
            import fsspec
        except ImportError:
            raise DataError(f"{source.path} takes the package fsspec", EXTRA) from None
        return fsspec.open(source.path, "rb").open()
    if os.path.isdir(source.path):  # noqa: PTH112 (Path.is_dir raises where this is False)
        raise DataError(f"{source.path} is a folder, not a text file", "Name the files in it.")
    try:
        return Path(source.path).open("rb", buffering=0)
    except ValueError as error:  # a name with \0, or with half a character
        raise DataError(f"no file can be called {source.path!r}: {error}", "") from error


def _skip(file: IO[bytes], offset: int, source: Source) -> None:
    if not source.compression and not source.is_remote and file.seekable():
        file.seek(offset)
        return
    while offset > 0:
        data = file.read(min(offset, BLOCK))
        if not data:
            raise EOFError
        offset -= len(data)


@contextmanager
def seekable(stream: Stream, source: Source) -> Iterator[IO[bytes]]:
    """The stream's bytes in a file that can be read from any place: for what reads its end first.
    One that lies compressed is written to a temporary file. Opened within `reading`."""
    if not source.compression and stream.file.seekable():
        yield stream.file
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(stream.file, copy, _COPIED)
        copy.seek(0)
        yield copy


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
