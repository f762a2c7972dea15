"""One process at a time: a lock that the system takes away from whoever dies."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Held(Exception):
    """Another process has the lock; the argument tells which, as far as it is known."""


@contextmanager
def exclusive(file: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold `file` as a lock; it is made for that, and deleted at the end.

    wait: until whoever has it gives it up; else Held is raised.
    """
    handle = _take(file, wait)
    try:
        yield
    finally:
        with suppress(OSError):  # Windows deletes no open file …
            file.unlink()  # while it is still locked, so that nobody else's goes
        os.close(handle)
        if os.name == "nt":
            with suppress(OSError):  # … and none that another process has opened meanwhile
                file.unlink()


def holder(file: Path) -> str | None:
    """Which process has the lock, as far as it is known; None where nobody has it.

    The file is left as it is. To ask takes the lock for a moment, and only where a file is.
    """
    try:
        handle = os.open(file, os.O_RDONLY)
    except OSError:  # it is not there, or not for us to open
        return None
    try:
        _lock(handle, wait=False)
    except BlockingIOError:
        return _owner(handle)
    except OSError:
        return None
    finally:
        os.close(handle)
    return None


def _owner(handle: int) -> str:
    owner = os.read(handle, 20).decode("ascii", "replace")
    return f"process {owner}" if owner.isdecimal() else "another process"


def _take(file: Path, wait: bool) -> int:
    while True:
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(handle, wait)
            # Whoever held it may have deleted the file between opening and locking.
            if _is_still(file, handle):
                os.truncate(handle, 0)
                os.write(handle, str(os.getpid()).encode())
                return handle
        except BlockingIOError:
            owner = _owner(handle)
            os.close(handle)
            raise Held(owner) from None
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _is_still(file: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), file.stat())
    except FileNotFoundError:
        return False


def _lock(handle: int, wait: bool) -> None:
    """Lock an open file, or raise BlockingIOError."""
    try:
        import fcntl
    except ImportError:  # Windows locks bytes; this one lies behind what is written
        import msvcrt

        os.lseek(handle, 1 << 20, os.SEEK_SET)
        try:
            mode = msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK  # type: ignore[attr-defined]
            msvcrt.locking(handle, mode, 1)  # type: ignore[attr-defined]
        except OSError as error:
            raise BlockingIOError from error
        finally:
            os.lseek(handle, 0, os.SEEK_SET)
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        raise
    except OSError as error:
        # A file system without locks: better to go on than to refuse all training there.
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL):
            raise
