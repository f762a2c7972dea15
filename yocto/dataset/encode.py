"""Documents to token files: read, split, encoded by several workers, written in order.

The work goes in batches of some megabytes: one thread reads them and says which split each document
belongs to, workers encode them, and the results are written in the order of the text. So the files
are the same however many workers there are. Every few seconds, and whenever a file is finished, the
state of the work is written too: see shards.py.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from yocto.dataset.documents import BEGIN, Documents, LookedThrough, Piece, Place
from yocto.dataset.shards import SplitWriter
from yocto.dataset.split import SPLITS, SplitPlan, parts_of, plan_split
from yocto.dataset.tokens import Ids, Meta, bin_dtype
from yocto.dataset.work import Work, WorkState
from yocto.errors import DataError, YoctoError
from yocto.utils.progress import Progress, Task

_BATCH = 1 << 21  # bytes of text that are encoded together
_SAVED = 5.0  # seconds between two notes of the state

# Settings that may change where files do that are not yet read: `inputs` says which those are.
SIZES = ("files", "file_bytes")

Parts = list[bytes | None]  # texts, None for the end of a document
Encode = Callable[[Sequence[bytes | None]], Ids]
Pool = Callable[[int], AbstractContextManager[tuple[Executor, Encode]]]  # of so many workers


@dataclass(frozen=True)
class TokenMaker:
    """What writing token files has to know of a tokenizer, which this layer does not import.

    encode: the ids of texts in UTF-8, which are taken as plain, and end_id for each None between
    them. May be called by several threads at once. unk_id: stands for what the vocabulary lacks.
    pool: what workers are, with what is submitted to it instead of `encode`; None: threads.
    """

    encode: Encode
    vocab_size: int
    end_id: int | None
    sha256: str
    unk_id: int | None = None
    pool: Pool | None = None


@dataclass(frozen=True)
class Target:
    """Where token files go, and how.

    shard_tokens: of each file; None: one file for each split. workers: threads that encode.
    keep: what is encoded when something goes wrong stays, and the next call with resume goes on.
    settings: what decides the tokens besides the tokenizer, told in meta.json. inputs: what must
    not have changed when the work goes on. finish: writes into a folder what else belongs to the
    files; called before meta.json is written. plan: how documents are split, if that is known.
    """

    folder: Path
    val_ratio: float
    sources: Sequence[str]
    made_by: str
    shard_tokens: int | None = None
    workers: int = 1
    keep: bool = False
    resume: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    inputs: Any = None
    finish: Callable[[Path], None] = lambda folder: None
    plan: SplitPlan | None = None


@dataclass
class _Batch:
    """Texts by split. counts: bytes and documents that they add to each split."""

    parts: dict[str, Parts] = field(default_factory=lambda: {name: [] for name in SPLITS})
    counts: dict[str, list[int]] = field(default_factory=lambda: {name: [0, 0] for name in SPLITS})
    size: int = 0
    place: Place = BEGIN
    split: str = "train"  # of the document that is not ended
    consumed: int = 0


def write_dataset(
    documents: Documents, maker: TokenMaker, target: Target, progress: Progress
) -> Meta:
    """Split documents, encode them and write the files; meta.json comes last.

    Raises DataError where nothing would be left to train on. What was in the folder before stays
    as it was until all is done.
    """
    work = Work(target.folder, _identity(maker, target))
    if target.resume and (meta := work.finished(maker.sha256, target.settings)):
        progress.notice(f"{target.folder} is encoded already: there is nothing to go on with")
        return meta
    state = work.begin(target.resume, target.keep, progress)
    try:
        if not state.complete:
            _encode(documents, maker, target, work, state, progress)
        if not state.splits["train"].documents:
            raise DataError(
                "no text is left to train on", "Name a longer text, or a smaller --val-ratio."
            )
        meta = Meta(
            bin_dtype(maker.vocab_size), maker.vocab_size, maker.end_id, maker.sha256,
            {name: split.meta() for name, split in state.splits.items()},
            list(target.sources), target.made_by, target.settings,
        )  # fmt: skip
        work.complete(state, meta, target.finish)
    except BaseException as error:
        told = "What is encoded is kept: the same command with --resume goes on."
        if not target.keep or not work.is_worth_keeping:
            work.discard(state)
        elif isinstance(error, YoctoError):
            error.hint = f"{error.hint.removesuffix('.')}. {told}" if error.hint else told
        else:
            progress.notice(told)
        raise
    work.publish(state)
    _tell_share(meta, target.val_ratio, progress)
    _tell_unknown(state, progress)
    documents_written = sum(split.documents for split in meta.splits.values())
    if maker.end_id is None and documents_written > len(SPLITS):
        progress.notice(
            f"this tokenizer has no end token: nothing marks where one of the "
            f"{documents_written:,} documents ends and the next begins"
        )
    return meta


def _identity(maker: TokenMaker, target: Target) -> dict[str, Any]:
    """What has to be the same for the work to go on."""
    settings = {name: value for name, value in target.settings.items() if name not in SIZES}
    return {
        "tokenizer": maker.sha256, "end_id": maker.end_id, "val_ratio": target.val_ratio,
        "shard_tokens": target.shard_tokens, "sources": list(target.sources),
        "settings": settings, "inputs": target.inputs,
    }  # fmt: skip


def _encode(
    documents: Documents,
    maker: TokenMaker,
    target: Target,
    work: Work,
    state: WorkState,
    progress: Progress,
) -> None:
    documents = LookedThrough(documents)
    state.plan = state.plan or target.plan
    if state.plan is None:
        with progress.task("looking through the text", documents.size or None, "byte") as task:
            state.plan = plan_split(documents, target.val_ratio, task)
    saved = time.monotonic()
    failures: list[YoctoError] = []
    with ExitStack() as held:
        held.callback(documents.close)

        def save() -> None:
            nonlocal saved
            for writer in writers.values():
                writer.sync()
            work.save(state)
            saved = time.monotonic()

        dtype = bin_dtype(maker.vocab_size)
        writers: dict[str, SplitWriter] = {}
        for name in SPLITS:
            writers[name] = SplitWriter(
                work.folder, name, dtype, target.shard_tokens, state.splits[name], save
            )
            held.callback(writers[name].close)
        speed = _Speed(
            held.enter_context(
                progress.task("encoding", documents.size or None, "byte", state.consumed)
            )
        )
        batches = held.enter_context(closing(_batches(documents, state, failures)))
        encoded = held.enter_context(closing(_encoded(batches, maker, target.workers)))
        for batch, made in encoded:
            for name, ids in made.items():
                writers[name].write(ids)
            speed.tell(batch.consumed - state.consumed, batch.size)
            _count(state, batch, made, maker.unk_id)
            if target.keep and time.monotonic() - saved > _SAVED:
                save()
        if failures:
            if target.keep and state.place != BEGIN:
                save()
            raise failures[0]
        for writer in writers.values():
            writer.finish()


def _count(state: WorkState, batch: _Batch, made: dict[str, Ids], unk_id: int | None) -> None:
    """A batch is written: the work would go on behind it."""
    for name, ids in made.items():
        split = state.splits[name]
        added_bytes, added_documents = batch.counts[name]
        split.tokens += len(ids)
        split.bytes += added_bytes
        split.documents += added_documents
        if unk_id is not None:
            split.unknown += int(np.count_nonzero(ids == unk_id))
    state.place, state.split, state.consumed = batch.place, batch.split, batch.consumed


def _batches(
    documents: Documents, state: WorkState, failures: list[YoctoError]
) -> Generator[_Batch, None, None]:
    """Documents from the state's place on, some megabytes at a time. Where reading fails, what was
    read before comes yet, and the failure is put into `failures`."""
    assert state.plan is not None
    begun = {name: state.splits[name].documents for name in SPLITS}
    done = sum(state.splits[name].bytes for name in SPLITS)
    pieces = _until(documents.pieces(state.place), failures)
    batch = _Batch()
    for piece, parts in parts_of(pieces, state.plan, state.split, done):
        for name, data, starts in parts:
            if starts and begun[name]:
                batch.parts[name].append(None)
            begun[name] += starts
            batch.counts[name][0] += len(data)
            batch.counts[name][1] += starts
            batch.parts[name].append(data)
            batch.split = name
        batch.size += len(piece.data)
        batch.place = piece.place
        if batch.size >= _BATCH:
            batch.consumed = documents.consumed
            yield batch
            batch = _Batch(split=batch.split)
    if batch.size:
        batch.consumed = documents.consumed
        yield batch


def _until(pieces: Iterator[Piece], failures: list[YoctoError]) -> Iterator[Piece]:
    try:
        yield from pieces
    except YoctoError as error:
        failures.append(error)


def _encoded(
    batches: Iterator[_Batch], maker: TokenMaker, workers: int
) -> Generator[tuple[_Batch, dict[str, Ids]], None, None]:
    """Batches with their ids by split, in order. One worker without a pool is this thread."""
    if workers == 1 and maker.pool is None:
        for batch in batches:
            parts = batch.parts.items()
            yield batch, _checked({name: maker.encode(p) for name, p in parts if p}, maker)
        return
    waiting: deque[tuple[_Batch, dict[str, Future[Ids]]]] = deque()

    def first() -> tuple[_Batch, dict[str, Ids]]:
        batch, futures = waiting.popleft()
        return batch, _checked({name: f.result() for name, f in futures.items()}, maker)

    with (maker.pool or _threads(maker))(workers) as (pool, encode):
        try:
            for batch in batches:
                parts = batch.parts.items()
                waiting.append((batch, {name: pool.submit(encode, p) for name, p in parts if p}))
                if len(waiting) > 2 * workers:
                    yield first()
            while waiting:
                yield first()
        except BrokenExecutor as error:
            raise DataError(
                "a process that encodes has died: the system may have run out of memory",
                "Use fewer: --workers 1",
            ) from error
        finally:
            for _, futures in waiting:
                for future in futures.values():
                    future.cancel()


def _threads(maker: TokenMaker) -> Pool:
    @contextmanager
    def pool(workers: int) -> Iterator[tuple[Executor, Encode]]:
        with ThreadPoolExecutor(workers) as threads:
            yield threads, maker.encode

    return pool


def _checked(made: dict[str, Ids], maker: TokenMaker) -> dict[str, Ids]:
    """The ids, none of which is too large for its file."""
    for ids in made.values():
        if len(ids) and int(ids.max()) >= maker.vocab_size:
            raise DataError(
                f"the tokenizer made id {int(ids.max())}, but its vocabulary has "
                f"{maker.vocab_size} tokens",
                "The tokenizer is at fault: make its file anew.",
            )
    return made


class _Speed:
    """Tells how far the work is, and how quick."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._began = time.monotonic()
        self._encoded = 0

    def tell(self, consumed: int, encoded: int) -> None:
        """So many more bytes of the files are done, and so many of text."""
        if consumed > 0:  # where reading has gone on, its first bytes may be known already
            self._task.advance(consumed)
        self._encoded += encoded
        seconds = time.monotonic() - self._began
        if seconds > 0:
            self._task.status(f"{self._encoded / seconds / 1e6:,.1f} MB/s")


def _tell_share(meta: Meta, val_ratio: float, progress: Progress) -> None:
    """Say so where few documents make the split uneven."""
    train, val = (meta.splits[name] for name in SPLITS)
    share = val.bytes / max(1, train.bytes + val.bytes)
    if val_ratio and train.documents + val.documents > 2 and abs(share - val_ratio) > val_ratio / 2:
        progress.notice(
            f"{share:.0%} of the text validates, not {val_ratio:.0%}: a document goes whole to one "
            f"split or the other, and there are only {train.documents + val.documents}"
        )


def _tell_unknown(state: WorkState, progress: Progress) -> None:
    """Say so where the tokenizer does not know the text."""
    splits = state.splits.values()
    if unknown := sum(split.unknown for split in splits):
        share = max(0.0001, unknown / sum(split.tokens for split in splits))
        progress.notice(
            f"{share:.2%} of the tokens are <unk>: this tokenizer does not know them, "
            f"and bits per byte leave out what they hide. A larger --vocab-size helps; byte-bpe "
            f"knows any text"
        )
