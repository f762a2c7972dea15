"""Token files read as documents, to be encoded anew with another tokenizer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from yocto.dataset.chunks import Chunk, is_blank
from yocto.dataset.documents import BEGIN, Piece, Place
from yocto.dataset.split import SPLITS
from yocto.dataset.text import PART
from yocto.dataset.tokens import (
    META_FILE,
    Ids,
    bin_dtype,
    load_split,
    look_through,
    read_meta,
)
from yocto.dataset.utf8 import is_utf8
from yocto.errors import DataError
from yocto.utils.cuts import Cuts, cut_before

_BLOCK = 1 << 20  # tokens that are decoded at once


@dataclass(frozen=True)
class _Split:
    """The files of a split, in order, each with its tokens. sha256: as meta.json has it."""

    files: list[tuple[Path, int]]
    dtype: str
    sha256: str

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(tokens for _, tokens in self.files) * np.dtype(self.dtype).itemsize

    def blocks(self) -> Iterator[Ids]:
        """All ids, some at a time. Read and not mapped: all pages of a map count as memory."""
        dtype = np.dtype(self.dtype).newbyteorder("<")
        for path, tokens in self.files:
            try:
                with path.open("rb") as file:
                    for begin in range(0, tokens, _BLOCK):
                        count = min(_BLOCK, tokens - begin)
                        ids = np.frombuffer(file.read(count * dtype.itemsize), dtype)
                        if len(ids) < count:
                            raise DataError(f"{path} got shorter while it was read", "Try again.")
                        yield ids
            except OSError as error:
                message = f"can't read {path}: {error.strerror or error}"
                raise DataError(message, "Check --from-bin.") from error


class TokenDocuments:
    """The documents of a folder's token files, split by split, as text.

    decode: ids to UTF-8, where they follow a given id. end_id: stands between two documents.
    cuts: where long documents are cut into parts (utils/cuts.py). A document stays in the split
    where it is. Raises DataError for files that are missing, truncated or altered, or not made with
    a vocabulary of that size.
    """

    def __init__(
        self,
        folder: Path,
        decode: Callable[[Ids, int | None], bytes],
        vocab_size: int,
        end_id: int | None,
        *,
        cuts: Cuts = "raw",
    ) -> None:
        self.folder, self.decode, self.end_id, self.cuts = folder, decode, end_id, cuts
        self.splits = {name: _open(folder, name, vocab_size) for name in SPLITS}
        self._done = 0

    @property
    def size(self) -> int:
        """Bytes of the token files."""
        return sum(split.size for split in self.splits.values())

    @property
    def consumed(self) -> int:
        """How many of them are read."""
        return self._done

    def sha256(self) -> dict[str, str]:
        """The checksum of each split: what tells whether the files have changed."""
        return {name: split.sha256 for name, split in self.splits.items()}

    def pieces(self, start: Place = BEGIN) -> Iterator[Piece]:
        """All documents from a place on. A place counts bytes of a split's text: to go on, what
        lies before is decoded once more."""
        found = start != BEGIN
        self._done = 0
        for number, (name, split) in enumerate(self.splits.items()):
            begin = self._done
            starts = True
            for chunk in self._chunks(split) if number >= start.source else ():
                again = number == start.source and chunk.place <= start.at
                blank = starts and chunk.ends and is_blank(chunk.data)
                if not again and not blank:
                    found = True
                    place = Place(number, chunk.place, not chunk.ends)
                    yield Piece(chunk.data, starts, chunk.ends, place, name)
                starts = chunk.ends
            self._done = begin + split.size
        if not found:
            raise DataError(f"there is no text in {self.folder}", "Choose other token files.")

    def _chunks(self, split: _Split) -> Iterator[Chunk]:
        held: list[bytes] = []  # decoded, and not yet handed on
        size, place, enough = 0, 0, PART
        previous: int | None = None
        for ids, ends in self._runs(split):
            held.append(self.decode(ids, previous))
            size += len(held[-1])
            previous = None if ends else int(ids[-1])
            if not ends and (self.cuts == "none" or size < enough):
                continue
            text = b"".join(held)
            cut = size if ends else cut_before(text, 0, size, raw=self.cuts == "raw")
            if not ends and cut < PART:  # few places to cut: look again when there is much more
                held, enough = [text], 2 * size
                continue
            place += cut + ends
            yield Chunk(_valid(text[:cut]), ends, place)
            held, size, enough = [text[cut:]], size - cut, PART

    def _runs(self, split: _Split) -> Iterator[tuple[Ids, bool]]:
        """Ids without an end token among them, and whether a document ends behind them."""
        for ids in split.blocks():
            self._done += ids.nbytes
            start = 0
            for end in (
                np.flatnonzero(ids == self.end_id).tolist() if self.end_id is not None else ()
            ):
                yield ids[start:end], True
                start = end + 1
            if start < len(ids):
                yield ids[start:], False
        if split.size:
            yield np.empty(0, np.uint16), True


def _valid(data: bytes) -> bytes:
    return data if is_utf8(data) else data.decode("utf-8", "replace").encode("utf-8")


def _open(folder: Path, name: str, vocab_size: int) -> _Split:
    """A split's files; without meta.json NAME.bin or NAME_*.bin, as nanoGPT writes them."""
    if (folder / META_FILE).exists():
        meta = read_meta(folder)
        load_split(folder, name, meta)  # complains
        split = meta.splits[name]
        return _Split([(folder / f.name, f.tokens) for f in split.files], meta.dtype, split.sha256)
    files = [folder / f"{name}.bin"] if (folder / f"{name}.bin").exists() else []
    files = files or sorted(folder.glob(f"{name}_*.bin"))
    if not files and name == "train":
        raise DataError(f"there are no token files in {folder}", "Name another folder: --from-bin")
    dtype = bin_dtype(vocab_size)
    digests, found = [], []
    for file in files:
        tokens, rest = divmod(file.stat().st_size, np.dtype(dtype).itemsize)
        if rest:
            raise DataError(
                f"{file} does not hold {dtype} ids: it ends amid one", "Is it a token file?"
            )
        highest, digest = look_through(file, dtype)
        if highest >= vocab_size:
            raise DataError(
                f"{file} holds id {highest:,}, but the tokenizer has only {vocab_size:,} tokens",
                "Name the tokenizer that made it: --from-tokenizer",
            )
        found.append((file, tokens))
        digests.append(digest)
    return _Split(found, dtype, hashlib.sha256("".join(digests).encode()).hexdigest())
