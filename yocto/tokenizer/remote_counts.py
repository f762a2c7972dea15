"""Counting the pieces of a corpus on the machines of a cluster.

A task is given some megabytes of text and gives back its unique pieces; they are added up here, in
the order of the text. The counts, and so the tokenizer, don't depend on how the text was shared.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np

from yocto.tokenizer.normalize import Normalization, make_normalizer
from yocto.tokenizer.patterns import make_splitter
from yocto.tokenizer.pay import enough_for, modules_for, pay
from yocto.tokenizer.piece_counts import (
    PieceCounts,
    PieceTable,
    count_in_python,
    count_with_kernels,
    encoded,
    plain_parts,
)
from yocto.utils.cluster import Cluster
from yocto.utils.cluster_tasks import ClusterTasks
from yocto.utils.progress import Progress, SilentProgress

_BATCH = 1 << 23  # characters of text that one task counts


@dataclass(frozen=True)
class CountRules:
    """What of texts is counted: how they are cut into pieces, and what is done to them before.

    pattern: a named pattern or a regex; or a function of the package that splits. special: tokens
    whose text does not count. may_cut: long texts are worked on in parts. size: bytes of the whole
    corpus, as far as known, from which workers know whether the kernels are worth it.
    """

    pattern: str | Callable[[str], list[str]]
    special: tuple[str, ...]
    normalize: Normalization
    may_cut: bool = False
    size: int | None = None


def count_on_cluster(
    texts: str | Iterable[str], rules: CountRules, cluster: Cluster, progress: Progress
) -> PieceCounts:
    """The pieces of texts. At most two batches for each worker are under way."""
    tally = _Tally(rules.size)
    waiting: deque[tuple[int, Future[PieceCounts]]] = deque()
    with (
        progress.task("counting", rules.size or None, "byte") as task,
        ClusterTasks(cluster, progress) as tasks,
    ):

        def take() -> None:
            size, future = waiting.popleft()
            # A copy: Ray's arrays can't be written to, and keep its memory.
            tally.add(PieceCounts(*map(np.array, future.result())))
            task.advance(size)

        for batch in _batches([texts] if isinstance(texts, str) else texts):
            size = sum(len(text.encode("utf-8", "surrogatepass")) for text in batch)
            waiting.append((size, tasks.submit(count_texts, rules, batch)))
            if len(waiting) > 2 * cluster.workers:
                take()
        while waiting:
            take()
    return tally.result()


def count_texts(rules: CountRules, texts: list[str]) -> PieceCounts:
    """The pieces of some texts: a task's work."""
    normalized = make_normalizer(rules.normalize)
    parts = plain_parts(texts, rules.special, normalized, SilentProgress(), None, rules.may_cut)
    if not isinstance(rules.pattern, str):
        return PieceCounts.of(encoded(count_in_python(parts, rules.pattern)[0]))
    most = enough_for(*modules_for(rules.pattern, "count", "encode"), size=rules.size)
    counts, rest = count_in_python(parts, make_splitter(rules.pattern), most)
    if rest is None:
        return PieceCounts.of(encoded(counts))
    return count_with_kernels(rest, rules.pattern, 1, counts)


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


class _Tally:
    """Sums of counts: in plain Python, or with the kernel once there are many."""

    def __init__(self, size: int | None) -> None:
        self._size = size or 0
        self._seen = 0
        self._counter: Counter[bytes] = Counter()
        self._table: PieceTable | None = None

    def add(self, counts: PieceCounts) -> None:
        """Count what was counted elsewhere."""
        self._seen += len(counts.data)
        if self._table is None and pay(max(self._size, self._seen), "count", "encode"):
            self._table = PieceTable("gpt2")  # which splits nothing here
            self._table.add(PieceCounts.of(self._counter))
        if self._table is not None:
            self._table.add(counts)
        else:
            self._counter.update(counts.counter())

    def result(self) -> PieceCounts:
        """All pieces so far."""
        return PieceCounts.of(self._counter) if self._table is None else self._table.result()
