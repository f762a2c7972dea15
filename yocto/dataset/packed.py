"""Batches of conversations: several in a window, each whole."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from yocto.dataset.batches import IGNORED, Batch
from yocto.dataset.shuffle import shuffled

OPEN = 64  # windows that are filled at the same time
Window = list[int]  # the numbers of the conversations in it, in order


@dataclass(frozen=True)
class Conversations:
    """Conversations as ids, one behind the other.

    ids (N,): int32. learnt (N,): which of them a model is to learn to say. starts (n + 1,): where
    each begins, and N.
    """

    ids: NDArray[np.int32]
    learnt: NDArray[np.bool_]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, conversations: Iterable[tuple[Sequence[int], Sequence[bool]]]) -> Conversations:
        """Conversations of ids and of what is learnt of them; each has two ids at least. Takes no
        more memory than they do."""
        ids, learnt, starts = array("i"), bytearray(), array("q", [0])
        for theirs, wanted in conversations:
            ids.extend(theirs)
            learnt.extend(wanted)
            starts.append(len(ids))
        return cls(
            np.frombuffer(ids, np.int32),
            np.frombuffer(learnt, np.bool_),
            np.frombuffer(starts, np.int64),
        )

    def part(self, wanted: NDArray[np.bool_]) -> Conversations:
        """Those that are wanted, (n,), in their order."""
        sizes = np.diff(self.starts)
        tokens = np.repeat(wanted, sizes)
        starts = np.concatenate([[0], np.cumsum(sizes[wanted])])
        return Conversations(self.ids[tokens], self.learnt[tokens], starts)

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def targets(self) -> int:
        """Tokens that are learnt: the first of a conversation, which nothing precedes, is none."""
        return int(self.learnt.sum()) - int(self.learnt[self.starts[:-1]].sum())

    @property
    def sha256(self) -> str:
        """The identity of all of it."""
        digest = hashlib.sha256()
        for part, kind in ((self.ids, np.int64), (self.learnt, np.bool_), (self.starts, np.int64)):
            for i in range(0, len(part), 1 << 20):
                digest.update(part[i : i + (1 << 20)].astype(kind).tobytes())
        return digest.hexdigest()

    def places(self) -> NDArray[np.int64]:
        """How much of a window each takes, (n,): its last id is a target only."""
        return np.diff(self.starts) - 1

    def fill(self, windows: Sequence[Window], block_size: int, filler: int) -> Batch:
        """idx (B, T) and targets (B, T), int64, of these windows; what no conversation takes is the
        filler, and IGNORED as a target, as is what is not learnt."""
        idx = np.full((len(windows), block_size), filler, np.int64)
        targets = np.full((len(windows), block_size), IGNORED, np.int64)
        for row, window in enumerate(windows):
            at = 0
            for number in window:
                begin, end = self.starts[number], self.starts[number + 1]
                here = slice(at, at + end - begin - 1)
                idx[row, here] = self.ids[begin : end - 1]
                wanted = self.learnt[begin + 1 : end]
                targets[row, here] = np.where(wanted, self.ids[begin + 1 : end], IGNORED)
                at += end - begin - 1
        return torch.from_numpy(idx), torch.from_numpy(targets)


def pack(places: NDArray[np.int64], order: Iterable[int], block_size: int) -> list[Window]:
    """Put conversations into windows: each, in this order, into the fullest of the open windows
    that has room for it (best fit). Windows are closed in the order in which they were opened, so
    that conversations stay near their place in the order."""
    closed: list[Window] = []
    open_: list[tuple[int, Window]] = []  # what is left, and who is in
    for number in order:
        size = int(places[number])
        assert 0 < size <= block_size, "what is longer is cut before"
        fitting = [(left, i) for i, (left, _) in enumerate(open_) if left >= size]
        if fitting:
            left, i = min(fitting)
            window = open_.pop(i)[1]
            window.append(number)
        else:
            left, window, i = block_size, [number], len(open_)
        if left == size:
            closed.append(window)
        else:
            open_.insert(i, (left - size, window))
        if len(open_) > OPEN:
            closed.append(open_.pop(0)[1])
    return closed + [window for _, window in open_]


class PackedBatches:
    """Windows of conversations, each conversation once an epoch.

    Each epoch has an order of its own, and windows of its own, which follow from (seed, epoch)
    alone; a batch that reaches the end of one goes on with the next. The position counts windows,
    so that it holds for any batch_size. filler: the id for places that no conversation takes.
    """

    def __init__(
        self, conversations: Conversations, block_size: int, batch_size: int, seed: int, filler: int
    ) -> None:
        self.conversations, self.block_size, self.batch_size = conversations, block_size, batch_size
        self.seed, self.filler = seed, filler
        self.epoch, self.index = 0, 0  # of the next window; index is below the epoch's windows
        self.windows = self._packed()
        self.epoch_windows = len(self.windows)  # of the first one; others may have more or less
        self.epoch_tokens = self.epoch_windows * block_size

    def _packed(self) -> list[Window]:
        n = len(self.conversations)
        order = shuffled(np.arange(n, dtype=np.uint64), n, self.seed, self.epoch)
        return pack(self.conversations.places(), order.tolist(), self.block_size)

    def next(self) -> Batch:
        """idx (B, T) and targets (B, T), int64."""
        found: list[Window] = []
        while wanted := self.batch_size - len(found):
            taken = self.windows[self.index : self.index + wanted]
            found += taken
            self.index += len(taken)
            if self.index == len(self.windows):
                self.epoch, self.index = self.epoch + 1, 0
                self.windows = self._packed()
        return self.conversations.fill(found, self.block_size, self.filler)

    def state(self) -> dict[str, int]:
        """The epoch and, within it, the index of the next window."""
        return {"epoch": self.epoch, "index": self.index}

    def load_state(self, state: Any) -> None:
        """Go on there."""
        epoch, index = state["epoch"], state["index"]
        whole = type(epoch) is int and type(index) is int
        if not whole or not 0 <= epoch < 1 << 62 or index < 0:
            raise ValueError("the position in the conversations is none")
        self.epoch = epoch
        self.windows = self._packed()
        if index >= len(self.windows):
            raise ValueError("the position in the conversations is behind their end")
        self.index = index


def packed_batches(
    conversations: Conversations,
    block_size: int,
    batch_size: int,
    filler: int,
    max_batches: int | None = None,
) -> Iterator[Batch]:
    """All conversations once, the same windows each time; with max_batches, that many batches,
    spread evenly."""
    windows = pack(conversations.places(), range(len(conversations)), block_size)
    there = -(-len(windows) // batch_size)
    wanted = there if max_batches is None else min(there, max_batches)
    for i in range(wanted):
        first = i * there // wanted * batch_size
        yield conversations.fill(windows[first : first + batch_size], block_size, filler)
