"""Learning byte-level merges with the kernels: the memory that they work in, and when to look anew.

The merges are those of `learn_merges` in bpe_train.py, ties included.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from yocto.tokenizer.byte_level import ALPHABET
from yocto.tokenizer.piece_counts import PieceCounts
from yocto.utils.progress import Task

_SLICE = 1 << 21  # places that the kernel looks at before it tells how far it is
_SKETCH = 1 << 21  # sums in the sketch of rare pairs: 16 MiB
_LOWER = 4  # by how much the floor is lowered
_MANY = 1 << 20  # places from which on rare pairs are left out at first
_ROWS, _CONTENTS = 1 << 12, 1 << 16  # of the table, and bytes of all tokens, to begin with


def learn_byte_merges(
    pieces: PieceCounts,
    target: int,
    limit: int,
    min_frequency: int,
    forbidden: Sequence[bytes],
    task: Task,
) -> list[tuple[int, int, int]]:
    """Merge the commonest pair until there are `target` tokens, the 256 bytes included, or `limit`
    merges. forbidden: tokens that no merge may make. Returns left, right and made id of each."""
    learner = _Learner(pieces, target, limit, min_frequency, forbidden)
    done = 0
    while learner.work():
        task.advance(learner.merges_made - done)
        done = learner.merges_made
    task.advance(learner.merges_made - done)
    return [(int(a), int(b), int(c)) for a, b, c in learner.merges.reshape(-1, 3)]


class _Learner:
    """The state of a training: see kernels/learn.py for what the arrays hold."""

    def __init__(
        self,
        pieces: PieceCounts,
        target: int,
        limit: int,
        min_frequency: int,
        forbidden: Sequence[bytes],
    ) -> None:
        from yocto.kernels import learn

        self._kernel = learn
        self._min_frequency = min_frequency
        self._put_symbols(pieces)
        # No merge makes two symbols of one, so there are fewer merges than symbols.
        limit = max(0, min(limit, len(self._symbols)))
        self._target, self._limit = min(target, 256 + limit), limit
        self._put_tokens(256 + limit, forbidden)
        self._merges = np.zeros(3 * limit, np.int32)
        self._state = np.zeros(learn.STATE, np.int64)
        self._state[learn.TOKENS] = self._state[learn.BYTES] = 256
        self._state[learn.BYTES] += sum(map(len, forbidden))
        self._rows = _ROWS
        self._scan()

    @property
    def merges_made(self) -> int:
        """How many so far."""
        return int(self._state[self._kernel.MERGES])

    @property
    def merges(self) -> NDArray[np.int32]:
        """Left, right and made id of each merge, one after the other."""
        return self._merges[: 3 * self.merges_made]

    def _put_symbols(self, pieces: PieceCounts) -> None:
        """One array of all pieces of two bytes or more, a boundary before, between and after."""
        more = pieces.lengths > 1
        data = pieces.data[np.repeat(more, pieces.lengths)]
        lengths = pieces.lengths[more]
        self._counts = np.ascontiguousarray(pieces.counts[more])
        ids = np.zeros(256, np.int32)
        for i, byte in enumerate(ALPHABET):
            ids[byte[0]] = i
        size = len(data) + len(lengths) + 1
        if size >= 1 << 31:
            raise MemoryError("more than 2 GiB of unique pieces")
        inside = np.ones(size, np.bool_)
        inside[0] = False
        inside[np.cumsum(lengths + 1)] = False
        self._symbols = np.full(size, self._kernel.BOUNDARY, np.int32)
        self._symbols[inside] = ids[data]
        self._backs = np.ones(size, np.int32)
        # The piece at each place: one more after each boundary.
        self._pieces = np.cumsum(~inside, dtype=np.int32)
        self._pieces -= 1

    def _put_tokens(self, most: int, forbidden: Sequence[bytes]) -> None:
        """The 256 bytes, and at the end the tokens that may not be made."""
        self._first_forbidden = most
        size = most + len(forbidden)
        self._lengths, self._spots = np.ones(size, np.int32), np.zeros(size, np.int32)
        self._codes = np.zeros(size, np.uint64)
        content = b"".join([*ALPHABET, *forbidden])
        self._contents = np.zeros(max(_CONTENTS, 2 * len(content)), np.uint8)
        self._contents[: len(content)] = np.frombuffer(content, np.uint8)
        self._spots[:256] = np.arange(256)
        for i, byte in enumerate(ALPHABET):
            self._codes[i] = _code(byte)
        bits = (2 * size).bit_length()
        self._names = np.full(2 << bits, 0xFFFF_FFFF_FFFF_FFFF, np.uint64)
        spot = 256
        for token, text in enumerate(forbidden, most):
            self._lengths[token], self._spots[token], self._codes[token] = (
                len(text), spot, _code(text),
            )  # fmt: skip
            spot += len(text)
            row = _code(text) & ((1 << bits) - 1)
            while self._names[2 * row] != 0xFFFF_FFFF_FFFF_FFFF:
                row = (row + 1) & ((1 << bits) - 1)
            self._names[2 * row], self._names[2 * row + 1] = _code(text), token
        self._slots = np.zeros(4 * size, np.int32)

    def _scan(self) -> None:
        """Find all pairs at or above the floor, and their places."""
        learn, state = self._kernel, self._state
        sums = np.zeros(min(_SKETCH, 1 << len(self._symbols).bit_length()), np.int64)
        self._table = self._pool = self._heap = None  # their memory is needed for the new ones
        places = learn.sketch_pairs(self._symbols, self._pieces, self._counts, self._lengths, sums)
        if not state[learn.FLOOR]:
            many = places > _MANY  # then begin with the small part of the pairs that counts first
            state[learn.FLOOR] = max(self._min_frequency, int(sums.max()) >> 12 if many else 0)
        needed = int(state[learn.NEEDED])
        self._pool = np.empty(places + places // 2 + needed + 64, np.int32)
        pairs = min(needed, 2 * int(state[learn.TOKENS]) + 1)  # the next merge makes no more
        self._rows = max(self._rows, 1 << (2 * pairs).bit_length())
        while True:
            self._table = np.full(3 * self._rows, 0xFFFF_FFFF_FFFF_FFFF, np.uint64)
            self._heap = np.empty(2 * self._rows, np.uint64)
            fits = learn.scan_pairs(
                self._symbols, self._pieces, self._counts, self._lengths, sums,
                self._table, self._pool, self._heap, state,
            )  # fmt: skip
            # As many rows again for the pairs that merges make, and half of all stays empty.
            if fits and 4 * state[learn.PAIRS] + 4 * pairs + 64 < self._rows:
                return
            self._rows *= 2

    def work(self) -> bool:
        """Merge for a while. False: all is done."""
        learn, state = self._kernel, self._state
        reason = learn.learn(
            self._symbols, self._backs, self._pieces, self._counts, self._table, self._pool,
            self._heap, state, self._lengths, self._spots, self._codes, self._contents,
            self._names, self._slots, self._merges, self._first_forbidden, self._target,
            self._limit, _SLICE,
        )  # fmt: skip
        state[learn.NEEDED] = state[learn.NEEDED] if reason == learn.ROOM else 0
        if reason == learn.FINISHED:
            return False
        if reason == learn.LOWER:
            if state[learn.FLOOR] <= self._min_frequency:
                return False
            state[learn.FLOOR] = max(self._min_frequency, state[learn.FLOOR] // _LOWER)
        if reason == learn.ROOM:
            size = int(state[learn.BYTES] + state[learn.NEEDED_BYTES])
            if size > len(self._contents):
                larger = np.zeros(2 * size, np.uint8)
                larger[: len(self._contents)] = self._contents
                self._contents = larger
        if reason != learn.SLICE:
            self._scan()
        return True


def _code(content: bytes) -> int:
    """The hash of a token, as _add in kernels/learn.py makes it."""
    code = 0
    for b in content:
        code = ((code ^ (b + 1)) * 0x9E3779B97F4A7C15) & 0xFFFF_FFFF_FFFF_FFFF
        code ^= code >> 32
    return code
