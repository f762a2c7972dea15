"""Files that are whole or not there: atomic writes, checksums, JSON with good errors."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from yocto.errors import YoctoError


@contextmanager
def atomic_file(path: Path, mode: int | None = None) -> Iterator[IO[bytes]]:
    """Write to a temporary file beside `path`; on success fsync it and rename it to `path`.

    mode: who may read and write it; None lets the umask decide.

    A kill at any moment leaves the previous file whole. Errors of the disk become a YoctoError.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Hidden, so that a file left by a kill is never taken for a result.
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files that only their owner can read.
        temporary.chmod(0o666 & ~_umask() if mode is None else mode)
        temporary.replace(path)
        fsync_dir(path.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_dir(path: Path) -> Iterator[Path]:
    """Fill a temporary folder beside `path`; on success fsync it all and rename it to `path`."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    replaced = path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        yield temporary
        for file in sorted(temporary.rglob("*")):
            if file.is_file():
                file.chmod(0o666 & ~_umask())  # whatever made it: safetensors hides it from others
                with file.open("r+b") as opened:  # Windows syncs only what may be written
                    os.fsync(opened.fileno())
        fsync_dir(temporary)
        if path.exists():
            path.rename(replaced)
        temporary.rename(path)
        fsync_dir(path.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        if replaced.exists() and not path.exists():
            replaced.rename(path)  # the new one could not take its place
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)


def fsync_dir(path: Path) -> None:
    """Make a rename in this folder survive a power cut (where the system can)."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _cannot_write(path: Path, error: OSError) -> YoctoError:
    reason = error.strerror or str(error)
    return YoctoError(f"can't write {path}: {reason}", disk_advice(error))


def disk_advice(error: OSError) -> str:
    """What to do about an error of the disk."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "Free some space, or choose a folder on another disk; what was there is unharmed."
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return "Choose a folder that you may write to."
    if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
        return "A file stands where a folder is needed, or the other way round: use another path."
    if error.errno == errno.ENAMETOOLONG:
        return "Use a shorter name."
    return "Look at that place, or choose another folder."


@contextmanager
def making(path: Path) -> Iterator[None]:
    """Around what writes at `path` by other means: an error of the disk becomes a YoctoError."""
    try:
        yield
    except OSError as error:
        raise _cannot_write(path, error) from error


def remove(path: Path) -> None:
    """Delete a file if it is there; an error of the disk becomes a YoctoError."""
    with making(path):
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically, newlines as they are."""
    with atomic_file(path) as file:
        file.write(text.encode("utf-8"))


def write_json(path: Path, value: Any, *, indent: int | None = 2) -> None:
    """Write JSON atomically, non-ASCII characters as themselves."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=indent) + "\n")


def check_version(
    where: Path, found: object, known: int, error: type[YoctoError], hint: str
) -> None:
    """Raise an error for a file of a format version that this yocto does not read. hint: what to do
    where it is no newer one."""
    if found != known:
        newer = isinstance(found, int) and found > known
        raise error(
            f"{where} has format version {found!r}; this yocto reads {known}",
            "Update yocto: pip install -U yocto" if newer else hint,
        )


def read_json(path: Path, error: type[YoctoError], hint: str = "") -> Any:
    """Read a JSON file; whatever is wrong with it is raised as `error`, which names the file."""
    try:
        return parse_json(path.read_bytes())
    except OSError as problem:
        raise error(f"can't read {path}: {problem.strerror or problem}", hint) from problem
    except ValueError as problem:
        raise error(f"{path} is not valid JSON: {problem}", hint) from problem


def parse_json(data: bytes) -> Any:
    """JSON as a value; a ValueError tells what is wrong.

    No file of ours is nested deeply, and one that is would exhaust the stack later: where a value
    is shown in a message, say, or written again.
    """
    try:
        value = json.loads(data)
    except RecursionError as problem:
        raise ValueError("it is nested too deeply") from problem
    level = [value]
    for _ in range(100):
        containers = [v.values() if isinstance(v, dict) else v for v in level
                      if isinstance(v, dict | list)]  # fmt: skip
        level = [inner for container in containers for inner in container]
        if not level:
            return value
    raise ValueError("it is nested too deeply")


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def shipped_file(name: str) -> Path | None:
    """Where a file of the repository's data/ lies: in a clone, or inside an installed package."""
    package = Path(__file__).parent.parent
    for folder in (package.parent / "data", package / "data"):
        if (folder / name).is_file():
            return folder / name
    return None
