"""Texts to measure on, read in parts: how long they are, and where their last tenth begins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import NamedTuple
from urllib.parse import urlsplit

from yocto.dataset.documents import Piece, Texts
from yocto.errors import DataError
from yocto.utils.cuts import Cuts
from yocto.utils.progress import Progress

_BATCH = 1 << 22  # bytes of text that are worked on together


@dataclass(frozen=True)
class TextCounts:
    """How long a text is. words: runs of characters that are no white space, as str.split() finds
    them. documents: those that begin in it."""

    bytes: int
    characters: int
    words: int
    documents: int


@dataclass(frozen=True)
class Corpus:
    """A text with a name. begin, end: characters of it, over all documents; the part between is
    meant; end None: to the end."""

    name: str
    texts: Texts
    begin: int = 0
    end: int | None = None

    def parts(self, cuts: Cuts) -> Iterator[Part]:
        """The part that is meant: documents, cut as `cuts` says where they are long."""
        self.texts.cuts = cuts
        return between(self.texts.pieces(), self.begin, self.end)


class Part(NamedTuple):
    """A document, or a part of one: as text and in UTF-8. starts: whether a document does."""

    text: str
    data: bytes
    starts: bool


def between(pieces: Iterable[Piece], begin: int, end: int | None) -> Iterator[Part]:
    """What lies between two characters of all documents together. A document that is cut at
    `begin` starts there."""
    at = 0
    for piece in pieces:
        text = piece.data.decode("utf-8")
        low = max(0, begin - at)
        high = len(text) if end is None else max(0, min(len(text), end - at))
        at += len(text)
        if low < high:
            chosen = text[low:high]
            data = piece.data if len(chosen) == len(text) else chosen.encode("utf-8")
            yield Part(chosen, data, piece.starts or low > 0 or at - len(text) == begin)
        if end is not None and at >= end:
            return


def batches(parts: Iterable[Part]) -> Iterator[list[Part]]:
    """Parts in batches of some megabytes."""
    batch: list[Part] = []
    size = 0
    for part in parts:
        batch.append(part)
        size += len(part.data)
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def count_corpus(corpus: Corpus, progress: Progress) -> TextCounts:
    """Read a corpus to its end. Cuts lie before white space here, so no word is cut in two."""
    size = characters = words = documents = 0
    description = f"reading {corpus.name}"
    with progress.task(description, corpus.texts.size or None, "byte") as task:
        done = 0
        for part in corpus.parts("raw"):
            size += len(part.data)
            characters += len(part.text)
            words += len(part.text.split())
            documents += part.starts
            consumed = corpus.texts.consumed
            task.advance(consumed - done)
            done = consumed
    if not size:
        raise DataError(f"{corpus.name} holds no text to measure on", "Name a longer text.")
    return TextCounts(size, characters, words, documents)


def corpus_names(paths: Iterable[str]) -> list[str]:
    """A name for each path: that of the file, with as many folders before it as it takes to tell
    them apart; a path that is there twice has its number behind it."""
    split = [_steps(path) for path in paths]
    names = []
    for number, steps in enumerate(split):
        others = [other for i, other in enumerate(split) if i != number and other != steps]
        length = 1
        while length < len(steps) and any(steps[-length:] == o[-length:] for o in others):
            length += 1
        name = "/".join(steps[-length:])
        same = split[:number].count(steps)
        names.append(f"{name} ({same + 1})" if same else name)
    return names


def _steps(path: str) -> tuple[str, ...]:
    if path == "-":
        return ("standard input",)
    place = urlsplit(path).path if "://" in path else path
    steps = [step for step in PurePath(place).parts if step.strip("/\\")]
    return tuple(steps) or (path,)
