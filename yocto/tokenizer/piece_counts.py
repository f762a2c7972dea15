"""How often each piece occurs in a corpus of any size: all that learning merges needs of it.

A corpus begins in plain Python; when it turns out long enough, the kernels go on. Memory holds the
unique pieces and the text at hand, never the corpus.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from yocto.errors import TokenizerError
from yocto.tokenizer.normalize import check_text, utf8
from yocto.tokenizer.special import split_special
from yocto.tokenizer.windows import SEPARATOR, Pieces, make_windows, word_table
from yocto.utils.cuts import in_parts
from yocto.utils.progress import Progress, SilentProgress

_PART = 1 << 20  # characters of a long text that are worked on together
_BATCH = 1 << 22  # bytes of text that are counted together
_MOST = 1 << 28  # bytes of pieces that are added together: their places fit into 32 bits


class PieceCounts(NamedTuple):
    """Unique pieces: the bytes of all of them, the length of each one, and how often it occurs."""

    data: NDArray[np.uint8]
    lengths: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, counter: Counter[bytes]) -> PieceCounts:
        """The same of plain Python's."""
        pieces = list(counter)
        return cls(
            np.frombuffer(b"".join(pieces), np.uint8),
            np.fromiter(map(len, pieces), np.int64, len(pieces)),
            np.fromiter(counter.values(), np.int64, len(pieces)),
        )

    def without(self, byte: bytes) -> PieceCounts:
        """The same without a piece of one byte."""
        ends = np.cumsum(self.lengths)
        is_it = (self.lengths == 1) & (self.data[ends - 1] == byte[0])
        return PieceCounts(
            self.data[np.repeat(~is_it, self.lengths)], self.lengths[~is_it], self.counts[~is_it]
        )

    def counter(self) -> Counter[bytes]:
        """The same for plain Python."""
        data, ends = self.data.tobytes(), np.cumsum(self.lengths).tolist()
        pieces = (data[i:j] for i, j in zip([0, *ends], ends, strict=False))
        return Counter(dict(zip(pieces, self.counts.tolist(), strict=True)))

    def texts(self) -> Counter[str]:
        """The same for plain Python, as text."""
        return Counter({piece.decode("utf-8"): n for piece, n in self.counter().items()})


class PieceTable:
    """Unique pieces with their counts, as kernels/count.py keeps them. For one thread."""

    def __init__(self, pattern: str) -> None:
        from yocto.kernels import count, encode

        self._kernel, self._move_rows = count, encode.move_rows
        self._windows = make_windows(pattern)
        self._short = word_table(1 << 14)
        self._long = word_table(1 << 12)
        self._keys = np.zeros(1 << 18, np.uint8)
        self._counters = np.zeros(count.COUNTERS, np.int64)

    def count(self, data: bytes) -> None:
        """Count the pieces of a text in UTF-8."""
        for pieces in self._windows(data):
            self._add(pieces, np.empty(0, np.int64))

    def add(self, other: PieceCounts) -> None:
        """Count pieces that were counted elsewhere."""
        ends = np.cumsum(other.lengths)
        first = 0
        while first < len(ends):
            begin = int(ends[first] - other.lengths[first])
            last = max(first + 1, int(np.searchsorted(ends, begin + _MOST, "right")))
            text = np.concatenate([other.data[begin : ends[last - 1]], np.zeros(128, np.uint8)])
            starts = np.concatenate([[0], ends[first:last] - begin]).astype(np.int32)
            self._add(Pieces(text, 0, starts, last - first), other.counts[first:last])
            first = last

    def _add(self, pieces: Pieces, amounts: NDArray[np.int64]) -> None:
        kernel, counters = self._kernel, self._counters
        done = 0
        while True:
            done = kernel.count_pieces(
                pieces.text, pieces.start, pieces.starts, done, pieces.number, amounts,
                self._short, self._long, self._keys, counters,
            )  # fmt: skip
            if done == pieces.number:
                return
            # Full: each of the three that may have been the cause gets larger.
            if 2 * (counters[kernel.SHORT] + kernel.BATCH) > len(self._short) // 4:
                self._short = self._moved(self._short, False)
            if 2 * (counters[kernel.LONG] + kernel.BATCH) > len(self._long) // 4:
                self._long = self._moved(self._long, True)
            last = min(done + kernel.BATCH, pieces.number)
            needed = counters[kernel.KEYS] + pieces.starts[last] - pieces.starts[done]
            if needed > len(self._keys):
                larger = np.zeros(max(2 * len(self._keys), int(needed)), np.uint8)
                larger[: len(self._keys)] = self._keys
                self._keys = larger

    def _moved(self, table: NDArray[np.uint64], is_long: bool) -> NDArray[np.uint64]:
        larger = word_table(len(table) // 2)
        self._move_rows(table, larger, is_long)
        return larger

    def result(self) -> PieceCounts:
        """All pieces so far."""
        rows = self._short.reshape(-1, 4)
        rows = rows[rows[:, 1] != 0]
        lengths = (rows[:, 1] >> np.uint64(56)).astype(np.int64)
        keys = np.ascontiguousarray(rows[:, :2]).astype("<u8").view(np.uint8).reshape(-1, 16)
        short = keys[np.arange(16) < lengths[:, None]]
        long_rows = self._long.reshape(-1, 4)
        long_rows = long_rows[long_rows[:, 0] != 0]
        long_rows = long_rows[np.argsort(long_rows[:, 1])]  # in the order of their bytes
        return PieceCounts(
            np.concatenate([short, self._keys[: self._counters[self._kernel.KEYS]]]),
            np.concatenate([lengths, long_rows[:, 2].astype(np.int64)]),
            np.concatenate([rows[:, 2], long_rows[:, 3]]).astype(np.int64),
        )


def encoded(counter: Counter[str]) -> Counter[bytes]:
    """Pieces in UTF-8."""
    return Counter({piece.encode("utf-8"): count for piece, count in counter.items()})


def count_with_kernels(
    texts: Iterable[str], pattern: str, workers: int, so_far: Counter[str]
) -> PieceCounts:
    """The pieces of texts and those counted so far. workers: threads, each with its own table."""
    tables = [PieceTable(pattern) for _ in range(max(1, workers))]
    if len(tables) == 1:
        for data in _batches(texts):
            tables[0].count(data)
    else:
        _count_in_threads(_batches(texts), tables)
    for table in tables[1:]:
        tables[0].add(table.result())
    if so_far:
        tables[0].add(PieceCounts.of(encoded(so_far)))
    return tables[0].result().without(SEPARATOR)


def _count_in_threads(batches: Iterator[bytes], tables: list[PieceTable]) -> None:
    with ThreadPoolExecutor(len(tables)) as pool:
        busy: dict[int, Future[Any]] = {}
        for i, data in enumerate(batches):
            worker = i % len(tables)
            if worker in busy:
                busy[worker].result()
            busy[worker] = pool.submit(tables[worker].count, data)
        for future in busy.values():
            future.result()


def _batches(texts: Iterable[str]) -> Iterator[bytes]:
    """Texts in UTF-8, short ones joined."""
    batch: list[bytes] = []
    size = 0
    for text in texts:
        data = utf8(text)
        if data:
            batch.append(data)
            size += len(data)
        if size >= _BATCH:
            yield SEPARATOR.join(batch)
            batch, size = [], 0
    if batch:
        yield SEPARATOR.join(batch)


def plain_parts(
    texts: str | Iterable[str],
    special: Sequence[str],
    normalized: Callable[[str], str],
    progress: Progress,
    size: int | None,
    may_cut: bool = False,
) -> Iterator[str]:
    """What of texts is text: special tokens are left out, and end the text before them.

    size: the bytes of all texts; if they are known, a bar is shown. may_cut: long texts are worked
    on in parts, so that no copy of the whole is made.
    """
    shown = progress if size is not None else SilentProgress()
    with shown.task("reading", size or 0, "byte") as task:
        for text in [texts] if isinstance(texts, str) else texts:
            for part in in_parts(text, _PART) if may_cut and len(text) > _PART else [text]:
                try:
                    bytes_of_part = len(utf8(part))
                except TokenizerError:
                    check_text(text)  # tells the place in the whole text
                    raise
                for plain in split_special(part, special):
                    if plain not in special:
                        yield normalized(plain)
                task.advance(bytes_of_part)


def count_in_python(
    texts: Iterable[str], split: Callable[[str], list[str]], most: int | None = None
) -> tuple[Counter[str], Iterator[str] | None]:
    """The pieces of texts of up to `most` characters in all, and the texts that are left then; None
    if there are none."""
    counts: Counter[str] = Counter()
    rest = iter(texts)
    size = 0
    for text in rest:
        size += len(text)
        if most is not None and size > most:
            return counts, chain([text], rest)
        counts.update(split(text))
    return counts, None
