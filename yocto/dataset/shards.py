"""Token files in the making: written shard by shard, and gone on with after a kill.

While files are made they lie in a work folder, unfinished ones under hidden names, and a state file
beside them tells how far all is written and from where in the text to go on. What it tells of is
on the disk before it is written; what is there beyond that is cut off and made again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from yocto.dataset.tokens import FileMeta, Ids, SplitMeta, file_meta
from yocto.errors import DataError
from yocto.utils.files import making

_FLUSHED = 1 << 25  # bytes after which the disk is told to begin
_BLOCK = 1 << 22


@dataclass
class SplitState:
    """One split.

    tokens, bytes, documents: what of the text is encoded that lies before the place where reading
    goes on; unknown: those tokens that stand for what the vocabulary lacks. files: those that are
    finished. have: tokens that the unfinished one has on the disk. (Files may be ahead of the
    place: then the first tokens that come are there already.)
    """

    tokens: int = 0
    bytes: int = 0
    documents: int = 0
    unknown: int = 0
    files: list[FileMeta] = field(default_factory=list)
    have: int = 0

    @classmethod
    def of(cls, value: Any) -> SplitState:
        """The state that JSON tells of. Raises ValueError, KeyError or TypeError."""
        files = [file_meta(file) for file in value["files"]]
        state = cls(**{**value, "files": files})
        counts = (state.tokens, state.bytes, state.documents, state.unknown, state.have)
        if not all(type(count) is int and 0 <= count < 1 << 63 for count in counts):
            raise ValueError("a count is not a whole number")
        if state.written < state.tokens:
            raise ValueError("more tokens are counted than are written")
        return state

    @property
    def written(self) -> int:
        """Tokens in all files."""
        return sum(file.tokens for file in self.files) + self.have

    def meta(self) -> SplitMeta:
        """What meta.json tells of a split that is finished."""
        return SplitMeta(self.tokens, self.bytes, self.documents, self.files)


class SplitWriter:
    """Writes the ids of a split into its files.

    folder: where they lie. state: what is there already. shard_tokens: of each file but the last;
    None: all go into one. on_file: called when a file is finished, and safe on the disk; only after
    it does the file get its name.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        dtype: str,
        shard_tokens: int | None,
        state: SplitState,
        on_file: Callable[[], None],
    ) -> None:
        self.folder, self.name, self.state = folder, name, state
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self._limit = shard_tokens
        self._on_file = on_file
        self._again = state.written - state.tokens  # tokens that come and are there already
        self._tokens = state.have  # in the unfinished file, safe on the disk or not
        self._side = ThreadPoolExecutor(1)  # checksums and writing, beside the encoding
        self._doing: list[Future[Any]] = []
        self._unflushed = 0
        self._digest = hashlib.sha256()
        name_files(folder, state)
        for file in state.files:
            check_size(folder / file.name, file.tokens * self._dtype.itemsize)
        self._is_finished = shard_tokens is None and bool(state.files)
        if not self._is_finished:
            self._open()

    @property
    def _file_name(self) -> str:
        """Of the unfinished file."""
        number = len(self.state.files)
        return f"{self.name}.bin" if self._limit is None else f"{self.name}_{number:06d}.bin"

    @property
    def _part(self) -> Path:
        return part_file(self.folder, self._file_name)

    def _open(self) -> None:
        """Open the unfinished file behind what the state tells of."""
        self._digest = hashlib.sha256()
        size = self._tokens * self._dtype.itemsize
        if size:
            check_size(self._part, size, or_more=True)
        with making(self._part):
            self._file = self._part.open("r+b" if size else "wb", buffering=0)
            left = size
            while left:
                data = self._file.read(min(left, _BLOCK))
                self._digest.update(data)
                left -= len(data)
            self._file.truncate(size)

    def write(self, ids: Ids) -> None:
        """Write the next ids."""
        again = min(self._again, len(ids))
        self._again -= again
        ids = np.ascontiguousarray(ids[again:], self._dtype)
        while len(ids):
            room = len(ids) if self._limit is None else self._limit - self._tokens
            self._append(ids[:room])
            ids = ids[room:]
            if self._tokens == self._limit:
                self._end_file()
                self._on_file()
                name_files(self.folder, self.state)
                self._open()

    def _append(self, ids: Ids) -> None:
        data = memoryview(ids).cast("B")  # type: ignore[arg-type]
        self._do(_put, data, self._file, self._digest)
        self._tokens += len(ids)
        self._unflushed += len(data)
        if self._unflushed >= _FLUSHED:
            self._unflushed = 0
            self._do(os.fsync, self._file.fileno())

    def _do(self, call: Callable[..., Any], *arguments: Any) -> None:
        """Let the side thread do something; it may lie a little behind."""
        self._doing.append(self._side.submit(call, *arguments))
        self._wait(8)

    def _wait(self, may_wait: int = 0) -> None:
        """Until no more than so many things are left for the side thread."""
        with making(self.folder / self._file_name):
            while len(self._doing) > may_wait:
                self._doing.pop(0).result()

    def sync(self) -> None:
        """Make sure that the disk has all that was written; only then the state says so."""
        if self._is_finished or self._file.closed:
            return
        self._wait()
        with making(self.folder / self._file_name):
            os.fsync(self._file.fileno())
        self.state.have = self._tokens

    def _end_file(self) -> None:
        """Close the file, and count it with those that are finished."""
        self.sync()
        self._file.close()
        self.state.files.append(FileMeta(self._file_name, self._tokens, self._digest.hexdigest()))
        self.state.have = self._tokens = 0

    def finish(self) -> None:
        """No more ids come: the last file is finished too, unless there is nothing in it."""
        if not self._is_finished:
            if self._tokens or self._limit is None:
                self._end_file()
            else:
                self._file.close()
                self._part.unlink()
            self._is_finished = True
        self.close()

    def close(self) -> None:
        """Give up the open file, wherever it stands."""
        self._side.shutdown(cancel_futures=True)
        if not self._is_finished:
            self._file.close()


def _put(data: memoryview, file: IO[bytes], digest: Any) -> None:
    digest.update(data)
    while data:
        data = data[file.write(data) :]


def name_files(folder: Path, state: SplitState) -> None:
    """Give finished files their names, once the disk has the state that tells of them."""
    for file in state.files:
        part = part_file(folder, file.name)
        if part.exists():
            with making(folder / file.name):
                part.replace(folder / file.name)


def check_size(path: Path, size: int, or_more: bool = False) -> None:
    """Raise a DataError where a file that was written is not what it was."""
    found = path.stat().st_size if path.is_file() else -1
    if found < size or (found > size and not or_more):
        what = "is gone" if found < 0 else f"has {found:,} bytes, not {size:,} as it had"
        raise DataError(f"{path} {what}", "Start anew: the same command without --resume.")


def part_file(folder: Path, name: str) -> Path:
    """Where a file lies while it is unfinished."""
    return folder / f".{name}.part"
