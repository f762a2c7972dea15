"""Long texts to ids with the kernels: several times as fast as plain Python, with the same ids.

Each thread has its own table of the words seen so far. Tables grow with the text's vocabulary, up
to a limit, at which they start anew: memory stays bounded on any text.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yocto.tokenizer.pay import split_module
from yocto.tokenizer.windows import SEPARATOR, WINDOW, Pieces, make_windows, word_table
from yocto.utils.cuts import spans

_LONG = 1 << 17  # bytes of a text that is worked on by itself
_SPAN = 1 << 20  # bytes that one worker takes at a time
_MOST_ROWS = 1 << 22  # of a table of words: 128 MiB
_MOST_BYTES = 1 << 26  # of the texts of long words, and of their ids
_MOST_ROOM = 1 << 30  # ids for which there is room however long they are
_SLACK = 8  # ids that the kernel may write beyond the last one
_NOTHING = 0xFFFF_FFFF_FFFF_FFFF  # no pair, no value: as in kernels/encode.py


class BulkEncoder:
    """Bytes to ids, for one tokenizer. May be used by several threads at once.

    byte_ids: the ids of the 256 bytes. ranks: (left, right) -> (rank, merged id). pattern: a named
    split pattern, or a regex. bits: 16, or 32, of an id. whole: pieces that are not merged, with
    the id that each one has.
    """

    def __init__(
        self,
        byte_ids: list[int],
        ranks: Mapping[tuple[int, int], tuple[int, int]],
        pattern: str,
        bits: int,
        whole: Mapping[bytes, int] | None = None,
    ) -> None:
        self.byte_ids = np.array(byte_ids, np.int32)
        self.pairs, self.shift = _pair_table(ranks)
        self.pattern = pattern
        self.bits = bits
        self.dtype: Any = np.uint16 if bits == 16 else np.uint32
        self.whole = {token: i for token, i in (whole or {}).items() if token}
        self.longest = max(256, *map(len, self.whole), 0)  # bytes of a word that is remembered
        self._idle: list[_Worker] = []
        self._lock = threading.Lock()

    def encode(self, data: bytes | memoryview, workers: int = 1) -> NDArray[Any]:
        """The ids of a text in UTF-8; bytes that are no UTF-8 are pieces of their own."""
        if workers > 1 and len(data) > 2 * _SPAN and split_module(self.pattern) is not None:
            return self._encode_together(memoryview(data), workers)
        return self._encode(data)

    def encode_parts(self, parts: Sequence[bytes | None], end_id: int | None) -> NDArray[Any]:
        """The ids of texts, one after the other, and end_id (unless it is None) for each None."""
        separator = self.byte_ids[SEPARATOR[0]]
        with self._worker() as worker:
            ids = worker.room(sum(1 if part is None else len(part) for part in parts))
            n = 0
            for data, has_ends in _grouped(parts):
                first = n
                ids, n = worker.add(data, ids, n)
                if has_ends:
                    made = ids[first:n]
                    is_end = made == separator
                    if end_id is not None:
                        made[is_end] = end_id
                    elif is_end.any():
                        kept = made[~is_end]
                        n = first + len(kept)
                        ids[first:n] = kept
            ids.resize(n, refcheck=False)
            return ids

    def _encode_together(self, data: memoryview, workers: int) -> NDArray[Any]:
        """Each thread has a stretch of the text for its own, so that its table holds the words of
        that stretch and stays small; who is done takes spans from the others' ends."""
        cut = list(spans(data, _SPAN))
        parts = [np.empty(0, self.dtype)] * len(cut)
        share = -(-len(cut) // workers)
        stretches = [deque(range(len(cut))[i : i + share]) for i in range(0, len(cut), share)]

        def work(worker: _Worker, own: deque[int]) -> None:
            while (i := _take(own, stretches)) is not None:
                parts[i] = worker.encode(data[slice(*cut[i])])

        def put(place: int, part: NDArray[Any]) -> None:
            ids[place : place + len(part)] = part

        with ExitStack() as held, ThreadPoolExecutor(workers) as pool:
            mine = [held.enter_context(self._worker()) for _ in stretches]
            list(pool.map(work, mine, stretches))
            ends = np.cumsum([len(part) for part in parts]).tolist()
            ids = np.empty(ends[-1], self.dtype)
            list(pool.map(put, [0, *ends], parts))
        return ids

    def _encode(self, data: bytes | memoryview) -> NDArray[Any]:
        with self._worker() as worker:
            return worker.encode(data)

    def encode_piece(self, data: bytes) -> NDArray[Any]:
        """The ids of one piece, however it was cut."""
        text = np.frombuffer(data + bytes(16), np.uint8)
        starts = np.array([0, len(data)], np.int32)
        with self._worker() as worker:
            out = np.empty(len(data) + _SLACK, self.dtype)
            return out[: worker.merge(Pieces(text, 0, starts, 1), out)]

    @contextmanager
    def _worker(self) -> Iterator[_Worker]:
        with self._lock:
            worker = self._idle.pop() if self._idle else None
        worker = worker or _Worker(self)
        yield worker
        with self._lock:  # not after an error: its tables may be half changed
            self._idle.append(worker)


class _Worker:
    """What one thread works with."""

    def __init__(self, shared: BulkEncoder) -> None:
        from yocto.kernels import encode

        self._kernel, self._merge_pieces, self._put_words = encode, *_kernels(shared.bits)
        self._shared = shared
        self._windows = make_windows(shared.pattern)
        self._start_anew()

    def _start_anew(self) -> None:
        whole = self._shared.whole
        rows = 1 << max(14, (5 * len(whole)).bit_length())
        size = sum(map(len, whole))
        self._short, self._long = word_table(rows), word_table(rows)
        self._keys = np.zeros((1 << 16) + 2 * size, np.uint8)
        self._ids = np.zeros((1 << 16) + 2 * len(whole), self._shared.dtype)
        self._counters = np.zeros(self._kernel.COUNTERS, np.int64)
        if whole:  # as if these words had been seen already
            starts = np.zeros(len(whole) + 1, np.int32)
            np.cumsum(np.fromiter(map(len, whole), np.int32, len(whole)), out=starts[1:])
            self._put_words(
                np.frombuffer(b"".join(whole) + bytes(16), np.uint8), starts,
                np.fromiter(whole.values(), np.int32, len(whole)),
                self._short, self._long, self._keys, self._ids, self._counters,
            )  # fmt: skip

    def encode(self, data: bytes | memoryview) -> NDArray[Any]:
        """The ids of a text."""
        ids, n = self.add(data, self.room(len(data)), 0)
        ids.resize(n, refcheck=False)
        return ids

    def room(self, size: int) -> NDArray[Any]:
        """An array for the ids of so many bytes. Memory that is never touched takes no room, and
        giving it back costs nothing; a larger array for the ids so far would be copied."""
        return np.empty(min(size, _MOST_ROOM + size // 3) + _SLACK, self._shared.dtype)

    def add(self, data: bytes | memoryview, ids: NDArray[Any], n: int) -> tuple[NDArray[Any], int]:
        """Put the ids of a text behind the first n; returns the array, which may be a larger one,
        and how many there are now."""
        for pieces in self._windows(data):
            needed = n + int(pieces.starts[pieces.number]) + _SLACK
            if needed > len(ids):
                ids.resize(max(needed, len(ids) * 3 // 2), refcheck=False)
            n += self.merge(pieces, ids[n:])
            self._grow()
        return ids, n

    def merge(self, pieces: Pieces, out: NDArray[Any]) -> int:
        """Put the ids of pieces into an array that has room; returns how many."""
        shared = self._shared
        made: int = self._merge_pieces(
            *pieces, shared.byte_ids, shared.pairs, shared.shift, shared.longest,
            self._short, self._long, self._keys, self._ids, self._counters, out,
        )  # fmt: skip
        return made

    def _grow(self) -> None:
        """Make room before the tables are full: that only slows down, and changes no id."""
        kernel, counters = self._kernel, self._counters
        counters[kernel.FULL] = 0
        more_short = 8 * counters[kernel.SHORT] > len(self._short)  # every second row
        more_long = 8 * counters[kernel.LONG] > len(self._long)
        more_keys = 2 * counters[kernel.KEYS] > len(self._keys)
        more_ids = 2 * counters[kernel.IDS] > len(self._ids)
        if (
            (more_short and len(self._short) >= 4 * _MOST_ROWS)
            or (more_long and len(self._long) >= 4 * _MOST_ROWS)
            or (more_keys and len(self._keys) >= _MOST_BYTES)
            or (more_ids and len(self._ids) >= _MOST_BYTES)
        ):
            self._start_anew()
            return
        if more_short:
            self._short = self._moved(self._short, False)
        if more_long:
            self._long = self._moved(self._long, True)
        if more_keys:
            self._keys = _doubled(self._keys)
        if more_ids:
            self._ids = _doubled(self._ids)

    def _moved(self, table: NDArray[np.uint64], is_long: bool) -> NDArray[np.uint64]:
        larger = word_table(len(table) // 2)
        self._kernel.move_rows(table, larger, is_long)
        return larger


class BulkDecoder:
    """Ids to bytes, for one tokenizer.

    token_bytes: id -> what it stands for. size: one more than the largest id.
    """

    def __init__(self, token_bytes: Mapping[int, bytes], size: int) -> None:
        from yocto.kernels import decode

        self._kernel = decode
        contents = [token_bytes.get(i, b"") for i in range(size)]
        self._ends = np.zeros(size + 1, np.int64)
        np.cumsum(np.fromiter(map(len, contents), np.int64, size), out=self._ends[1:])
        self._contents = np.frombuffer(b"".join(contents) + bytes(decode.BEYOND), np.uint8).copy()
        self._holes = np.array([i for i in range(size) if i not in token_bytes], np.int64)

    def decode(self, ids: NDArray[Any]) -> bytes:
        """The bytes of ids. Raises KeyError with the first one that is no token's."""
        if len(ids) and (ids.min() < 0 or ids.max() >= len(self._ends) - 1 or len(self._holes)):
            unknown = (ids < 0) | (ids >= len(self._ends) - 1) | np.isin(ids, self._holes)
            if unknown.any():
                raise KeyError(int(ids[unknown.argmax()]))
        ids = np.ascontiguousarray(ids, np.uint32)
        size = self._kernel.joined_size(ids, self._ends)
        out = np.empty(size + self._kernel.BEYOND, np.uint8)
        self._kernel.join_tokens(ids, self._ends, self._contents, out)
        return out[:size].tobytes()


def _grouped(parts: Sequence[bytes | None]) -> Iterator[tuple[bytes, bool]]:
    """Short parts joined, long ones as they are; None as a separator. The bool tells whether there
    may be separators in it."""
    short: list[bytes] = []
    size = 0
    for part in parts:
        if part is not None and len(part) >= _LONG:
            if short:
                yield b"".join(short), True
                short, size = [], 0
            yield part, False
            continue
        short.append(SEPARATOR if part is None else part)
        size += len(short[-1])
        if size >= WINDOW:
            yield b"".join(short), True
            short, size = [], 0
    if short:
        yield b"".join(short), True


def _kernels(bits: int) -> tuple[Any, Any]:
    """merge_pieces and put_words for ids of 16 or 32 bits."""
    if bits == 16:
        from yocto.kernels import encode_16

        return encode_16.merge_pieces, encode_16.put_words
    from yocto.kernels import encode_32

    return encode_32.merge_pieces, encode_32.put_words


def _take(own: deque[int], all_of_them: list[deque[int]]) -> int | None:
    """The next of one's own numbers, else the last of whoever has the most left."""
    for numbers in (own, *sorted(all_of_them, key=len, reverse=True)):
        try:
            return numbers.popleft() if numbers is own else numbers.pop()
        except IndexError:  # none left, or another thread was quicker
            continue
    return None


def _doubled(array: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([array, np.zeros_like(array)])


def _pair_table(
    ranks: Mapping[tuple[int, int], tuple[int, int]],
) -> tuple[NDArray[np.uint64], int]:
    """The hash table of all pairs that kernels/encode.py reads, and the shift of its hash."""
    from yocto.kernels.encode import fill_pairs

    keys = np.array([left << 32 | right for left, right in ranks], np.uint64)
    values = np.array([rank << 32 | merged for rank, merged in ranks.values()], np.uint64)
    bits = max(4, (2 * len(keys)).bit_length())
    table = np.full(2 << bits, _NOTHING, np.uint64)
    fill_pairs(keys, values, table, 64 - bits)
    return table, 64 - bits
