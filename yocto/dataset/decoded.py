"""Token files read as documents, to be encoded anew with another tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from yocto.dataset.chunks import Chunk, is_blank
from yocto.dataset.documents import BEGIN, Piece, Place
from yocto.dataset.split import SPLITS
from yocto.dataset.text import PART
from yocto.dataset.tokens import (
    META_FILE,
    Ids,
    Tokens,
    TokenShards,
    bin_dtype,
    load_split,
    read_meta,
)
from yocto.dataset.utf8 import is_utf8
from yocto.errors import DataError
from yocto.utils.cuts import Cuts, cut_before

_BLOCK = 1 << 20  # tokens that are decoded at once


class TokenDocuments:
    """The documents of a folder's token files, split by split, as text.

    decode: ids to UTF-8, where they follow a given id. end_id: stands between two documents.
    cuts: where long documents are cut into parts (utils/cuts.py). A document stays in the split
    where it is.
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
        return sum(len(tokens) * tokens.dtype.itemsize for tokens in self.splits.values())

    @property
    def consumed(self) -> int:
        """How many of them are read."""
        return self._done

    def identity(self) -> list[list[Any]]:
        """What tells whether the files have changed."""
        if (self.folder / META_FILE).exists():
            splits = read_meta(self.folder).splits
            return [[name, splits[name].tokens, splits[name].sha256] for name in SPLITS]
        return [[name, len(tokens), None] for name, tokens in self.splits.items()]

    def pieces(self, start: Place = BEGIN) -> Iterator[Piece]:
        """All documents from a place on. A place counts bytes of a split's text: to go on, what
        lies before is decoded once more."""
        found = start != BEGIN
        self._done = 0
        for number, (name, tokens) in enumerate(self.splits.items()):
            begin = self._done
            starts = True
            for chunk in self._chunks(tokens) if number >= start.source else ():
                again = number == start.source and chunk.place <= start.at
                blank = starts and chunk.ends and is_blank(chunk.data)
                if not again and not blank:
                    found = True
                    place = Place(number, chunk.place, not chunk.ends)
                    yield Piece(chunk.data, starts, chunk.ends, place, name)
                starts = chunk.ends
            self._done = begin + len(tokens) * tokens.dtype.itemsize
        if not found:
            raise DataError(f"there is no text in {self.folder}", "Choose other token files.")

    def _chunks(self, tokens: Tokens) -> Iterator[Chunk]:
        text, place, enough = b"", 0, PART
        previous: int | None = None
        for ids, ends in self._runs(tokens):
            text += self.decode(ids, previous)
            previous = None if ends or not len(ids) else int(ids[-1])
            cut = len(text) if ends else 0
            if not ends and self.cuts != "none" and len(text) >= enough:
                cut = cut_before(text, 0, len(text), raw=self.cuts == "raw")
                if cut < PART:
                    cut, enough = 0, 2 * len(text)
            if cut or ends:
                place, enough = place + cut + ends, PART
                yield Chunk(_valid(text[:cut]), ends, place)
                text = text[cut:]

    def _runs(self, tokens: Tokens) -> Iterator[tuple[Ids, bool]]:
        """Ids without an end token among them, and whether a document ends behind them."""
        for begin in range(0, len(tokens), _BLOCK):
            ids = np.asarray(tokens[begin : begin + _BLOCK])
            self._done += ids.nbytes
            start = 0
            for end in (
                np.flatnonzero(ids == self.end_id).tolist() if self.end_id is not None else ()
            ):
                yield ids[start:end], True
                start = end + 1
            if start < len(ids):
                yield ids[start:], False
        if len(tokens):
            yield np.empty(0, np.uint16), True


def _valid(data: bytes) -> bytes:
    return data if is_utf8(data) else data.decode("utf-8", "replace").encode("utf-8")


def _open(folder: Path, name: str, vocab_size: int) -> Tokens:
    """A split's ids; without meta.json those of NAME.bin or NAME_*.bin, as nanoGPT writes them."""
    if (folder / META_FILE).exists():
        return load_split(folder, name, read_meta(folder))
    files = [folder / f"{name}.bin"] if (folder / f"{name}.bin").exists() else []
    files = files or sorted(folder.glob(f"{name}_*.bin"))
    if not files and name == "train":
        raise DataError(f"there are no token files in {folder}", "Name another folder: --from-bin")
    dtype = np.dtype(bin_dtype(vocab_size)).newbyteorder("<")
    parts: list[Ids] = []
    for file in files:
        if file.stat().st_size % dtype.itemsize:
            raise DataError(
                f"{file} does not hold {dtype.name} ids: its size is odd", "Is it a token file?"
            )
        parts.append(
            np.memmap(file, dtype, mode="r") if file.stat().st_size else np.empty(0, dtype)
        )
    if any(len(part) and int(part.max()) >= vocab_size for part in parts):
        raise DataError(
            f"the files in {folder} hold ids that are not below {vocab_size:,}",
            "Name the tokenizer that made them: --from-tokenizer",
        )
    return TokenShards(parts) if parts else np.empty(0, dtype)
