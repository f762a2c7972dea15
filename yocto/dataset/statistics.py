"""What token files hold, counted block by block: memory stays small, however long they are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yocto.dataset.tokens import Ids
from yocto.errors import DataError

BLOCK = 1 << 22  # ids counted at once
_STARTS = 3  # documents whose beginnings are remembered

Counts = NDArray[np.int64]  # (V,): how often each id occurs


class IdStatistics:
    """Counts of ids and lengths of documents, over a sequence of ids that comes in blocks.

    counts: (V,), added to; several sequences may share it. end_id: the id between two documents,
    or after each; None: it is not known where they end, and all of it counts as one.

    tokens: ids seen. documents: stretches between end ids that are not empty. longest_document: in
    tokens. starts: the places of the first few documents.

    >>> statistics = IdStatistics(np.zeros(8, np.int64), end_id=7)
    >>> statistics.add(np.array([1, 2, 7, 3], np.uint16))
    >>> statistics.finish()
    >>> statistics.documents, statistics.longest_document, statistics.starts
    (2, 2, [0, 3])
    """

    def __init__(self, counts: Counts, end_id: int | None) -> None:
        self.counts = counts
        self.end_id = end_id
        self.tokens = self.documents = self.longest_document = 0
        self.starts: list[int] = []
        self._last_end = -1  # the place of the last end id

    def add(self, ids: Ids) -> None:
        """Take the next ids. Raises ValueError for one that is not below V."""
        if not len(ids):
            return
        size = len(self.counts)
        if (highest := int(ids.max())) >= size:  # before bincount makes room for it
            raise ValueError(f"id {highest} is not below {size}")
        self.counts += np.bincount(ids, minlength=size)
        if self.end_id is not None:
            self._count_documents(np.flatnonzero(ids == self.end_id) + self.tokens)
        self.tokens += len(ids)

    def finish(self) -> None:
        """Count the last document, which no end id follows."""
        self._count_documents(np.array([self.tokens]))

    def _count_documents(self, ends: NDArray[np.int64]) -> None:
        edges = np.concatenate([[self._last_end], ends])
        lengths = np.diff(edges) - 1
        whole = lengths > 0
        self.documents += int(whole.sum())
        self.longest_document = max(self.longest_document, int(lengths.max(initial=0)))
        room = _STARTS - len(self.starts)
        self.starts += (edges[:-1][whole][:room] + 1).tolist()
        self._last_end = int(edges[-1])


def count_file(
    path: Path,
    ids: Ids,
    into: IdStatistics,
    advance: Callable[[int], None] = lambda tokens: None,
    *,
    digest: bool = False,
) -> str:
    """Count the ids of a file, block by block; with `digest` returns the SHA-256 of its bytes, from
    the same pass, else "".

    ids: those in the file, as `map_file` gives them. advance: is told the tokens of each block.
    Raises DataError, which names the file, for an id that is out of range.
    """
    sha256 = hashlib.sha256()
    for start in range(0, len(ids), BLOCK):
        # Read, not mapped: pages of a map that were looked at count as this process's memory.
        block = np.fromfile(path, ids.dtype, BLOCK, offset=start * ids.itemsize)
        try:
            into.add(block)
        except ValueError as error:
            raise DataError(
                f"{path} is damaged: {error}",
                "Encode the text anew: yocto encode, or yocto prepare-char.",
            ) from error
        if digest:
            sha256.update(block.data)
        advance(len(block))
    return sha256.hexdigest() if digest else ""


def most_frequent(counts: Counts, top: int) -> list[int]:
    """The ids that occur most often, the lower one first of equally frequent ones; none that
    does not occur.

    >>> most_frequent(np.array([1, 5, 0, 5]), 3)
    [1, 3, 0]
    """
    used = np.flatnonzero(counts)
    order = np.argsort(-counts[used], kind="stable")[:top]
    return [int(i) for i in used[order]]
