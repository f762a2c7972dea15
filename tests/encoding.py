"""A slow, obvious encoder, and the other things that tests of the quick one share."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from yocto.dataset import decoded, encode, records, split, streams, text
from yocto.dataset.encode import Target, TokenMaker, write_dataset
from yocto.dataset.split import draw
from yocto.dataset.tokens import Meta, load_split, read_meta
from yocto.utils.progress import Progress, SilentProgress

END = 999


def ids_of(document: str) -> list[int]:
    """An id for each stretch up to where a letter meets a space: the ids of parts are those of the
    whole only where texts may be cut."""
    pieces = re.split(r"(?<=[^\W_])(?=\s)", document)
    return [zlib.crc32(piece.encode()) % END for piece in pieces if piece]


def encode_parts(parts: Sequence[bytes | None], end_id: int | None = END) -> np.ndarray:
    """What a tokenizer's encode_documents does."""
    texts: list[bytes] = [b""]
    for part in parts:
        if part is None:
            texts.append(b"")
        else:
            texts[-1] += part
    return np.array(joined([ids_of(t.decode()) for t in texts], end_id), np.uint16)


def joined(documents: list[list[int]], end_id: int | None) -> list[int]:
    """Ids with the end id between documents."""
    ids: list[int] = []
    for i, document in enumerate(documents):
        ids += ([end_id] if i and end_id is not None else []) + document
    return ids


MAKER = TokenMaker(encode_parts, END + 1, END, "0" * 64)


def split_slowly(documents: list[str], val_ratio: float) -> dict[str, list[str]]:
    """Which document trains and which validates, as the issue says it."""
    documents = [d for d in documents if d.strip()]
    if val_ratio == 0:
        return {"train": documents, "val": []}
    if len(documents) == 1:
        cut = int(len(documents[0]) * (1 - val_ratio))
        return {"train": [documents[0][:cut]], "val": [t for t in [documents[0][cut:]] if t]}
    draws = [draw(d.encode()) for d in documents]
    validates = [d < val_ratio for d in draws]
    if not any(validates):
        validates = [d == min(draws) < max(draws) for d in draws]
    elif all(validates):
        validates = [d < max(draws) for d in draws]
    return {
        "train": [d for d, v in zip(documents, validates, strict=True) if not v],
        "val": [d for d, v in zip(documents, validates, strict=True) if v],
    }


def encode_slowly(
    documents: list[str],
    val_ratio: float,
    ids: Callable[[str], list[int]] = ids_of,
    end_id: int | None = END,
) -> dict[str, list[int]]:
    """The ids of both splits."""
    splits = split_slowly(documents, val_ratio)
    return {name: joined([ids(t) for t in texts], end_id) for name, texts in splits.items()}


def ids_in(folder: Path) -> dict[str, list[int]]:
    """The ids of both splits as they lie in a folder, checksums and sizes looked at."""
    meta = read_meta(folder)
    return {name: load_split(folder, name, meta)[:].tolist() for name in ("train", "val")}


def write(
    folder: Path,
    documents: Any,
    maker: TokenMaker = MAKER,
    progress: Progress | None = None,
    val_ratio: float = 0.1,
    **target: Any,
) -> Meta:
    """write_dataset with less to say."""
    inputs = documents.identity() if hasattr(documents, "identity") else []
    values = {"sources": ["a.txt"], "made_by": "encode", "inputs": inputs, **target}
    return write_dataset(
        documents, maker, Target(folder, val_ratio, **values), progress or SilentProgress()
    )


@contextmanager
def small(batch: int = 20, part: int = 8, block: int = 16) -> Iterator[None]:
    """Batches, parts and blocks of some bytes, so that every boundary is met."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encode, "_BATCH", batch)
        for module in (text, split, decoded):
            patch.setattr(module, "PART", part)
        for module in (text, streams):
            patch.setattr(module, "BLOCK", block)
        patch.setattr(decoded, "_BLOCK", max(1, block // 2))
        assert not hasattr(records, "BLOCK")
        yield


def files_in(folder: Path) -> dict[str, bytes]:
    """All files of a folder, hidden ones too."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class Told(SilentProgress):
    """Remembers what was said, and how far bars went."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.bars: list[list[Any]] = []  # description, total, where it began, what came

    def say(self, text: str) -> None:
        self.lines.append(text)

    notice = say

    @contextmanager
    def task(self, description: str, total: int | None, unit: str, done: int = 0) -> Iterator[Any]:
        self.bars.append([description, total, done, []])
        yield self

    def advance(self, amount: int = 1) -> None:
        self.bars[-1][3].append(amount)

    def status(self, text: str) -> None:
        self.words = text
