"""Documents to train.bin, val.bin and meta.json."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from yocto.dataset.split import SPLITS, split_documents
from yocto.dataset.tokens import FileMeta, Ids, Meta, SplitMeta, bin_dtype, write_meta
from yocto.errors import DataError
from yocto.utils.files import atomic_file
from yocto.utils.progress import Progress

_BATCH = 1 << 24  # characters


@dataclass(frozen=True)
class TokenMaker:
    """What writing token files has to know of a tokenizer, which this layer does not import."""

    encode: Callable[[Sequence[str]], list[Ids]]  # of each document; text taken as plain
    vocab_size: int
    end_id: int | None
    sha256: str


def write_dataset(
    documents: Sequence[str],
    maker: TokenMaker,
    folder: Path,
    *,
    val_ratio: float,
    sources: Sequence[str],
    made_by: str,
    progress: Progress,
) -> Meta:
    """Split the documents, encode them and write the files; meta.json comes last.

    Raises DataError where nothing would be left to train on.
    """
    splits = split_documents(documents, val_ratio)
    if not splits["train"]:
        n = sum(map(len, documents))
        raise DataError(
            f"the text is too short to train on: {n} character{'s' if n != 1 else ''}",
            "Name a longer text, or several: --text-path FILE",
        )
    total = sum(len(document) for split in splits.values() for document in split)
    metas = {}
    with progress.task("encoding", total, "char") as task:

        def parts(split: Sequence[str]) -> Iterator[tuple[Ids, int]]:
            for batch in _batches(split):
                for document, ids in zip(batch, maker.encode(batch), strict=True):
                    yield ids, len(document.encode("utf-8"))
                    task.advance(len(document))

        try:
            for name in SPLITS:
                metas[name] = write_split(
                    folder / f".{name}.bin.new", parts(splits[name]), maker.end_id,
                    bin_dtype(maker.vocab_size),
                )  # fmt: skip
        except BaseException:  # Ctrl-C and a full disk too: what was there stays as it was
            for name in SPLITS:
                (folder / f".{name}.bin.new").unlink(missing_ok=True)
            raise
    # Without meta.json until all are in place: a kill in between leaves no files that don't match.
    (folder / "meta.json").unlink(missing_ok=True)
    for name in SPLITS:
        (folder / f".{name}.bin.new").replace(folder / f"{name}.bin")
    meta = Meta(
        bin_dtype(maker.vocab_size),
        maker.vocab_size,
        maker.end_id,
        maker.sha256,
        metas,
        list(sources),
        made_by,
    )
    write_meta(folder, meta)
    share = metas["val"].bytes / max(1, metas["train"].bytes + metas["val"].bytes)
    if len(documents) > 1 and abs(share - val_ratio) > val_ratio / 2:
        progress.notice(
            f"{share:.0%} of the text validates, not {val_ratio:.0%}: a document goes whole to one "
            f"split or the other, and there are only {len(documents)}"
        )
    return meta


def _batches(documents: Sequence[str]) -> Iterator[list[str]]:
    """Documents in their order, so many at a time as are encoded well together."""
    batch: list[str] = []
    size = 0
    for document in documents:
        batch.append(document)
        size += len(document)
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def write_split(
    path: Path, parts: Iterable[tuple[Ids, int]], end_id: int | None, dtype: str
) -> SplitMeta:
    """Write one .bin file atomically.

    parts: the ids of each document and its bytes of text. end_id is written between documents.
    """
    stored = np.dtype(dtype).newbyteorder("<")
    digest = hashlib.sha256()
    tokens = text_bytes = documents = 0
    with atomic_file(path) as file:
        for ids, size in parts:
            if documents and end_id is not None:
                ids = np.concatenate([np.array([end_id], ids.dtype), ids])
            if len(ids) and int(ids.max()) > np.iinfo(stored).max:
                raise DataError(f"id {int(ids.max())} does not fit into {dtype}")
            data = ids.astype(stored).tobytes()
            file.write(data)
            digest.update(data)
            tokens, text_bytes, documents = tokens + len(ids), text_bytes + size, documents + 1
    name = path.name.removeprefix(".").removesuffix(".new")
    file_meta = FileMeta(name, tokens, digest.hexdigest())
    return SplitMeta(tokens, text_bytes, documents, [file_meta])
