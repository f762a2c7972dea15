"""A corpus as a stream of documents, whatever formats its files have."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from yocto.config import END_OF_TEXT, TextConfig
from yocto.dataset.chunks import Chunk, is_blank
from yocto.dataset.sources import Source, described, find_sources
from yocto.dataset.streams import Stream, opened, size_of, state_of
from yocto.dataset.text import text_chunks
from yocto.errors import DataError
from yocto.utils.cuts import Cuts


class Place(NamedTuple):
    """Where reading can go on: in which file, where in it (in its reader's units), and whether a
    document has begun there."""

    source: int = 0
    at: int = 0
    inside: bool = False


class Piece(NamedTuple):
    """A document, or a part of one.

    data: UTF-8. starts, ends: whether the document does. place: behind it. split: which one it
    belongs to, where that is decided already.
    """

    data: bytes
    starts: bool
    ends: bool
    place: Place
    split: str = ""


class Documents(Protocol):
    """What gives documents: text files, or token files that are decoded."""

    @property
    def size(self) -> int:
        """How much there is to read, in bytes."""

    @property
    def consumed(self) -> int:
        """How much of it is read."""

    def pieces(self, start: Place = ...) -> Iterator[Piece]:
        """All documents from a place on. Raises DataError when there are none at all."""


BEGIN = Place()
_REMEMBERED = 1 << 24  # bytes of documents that a first look keeps


class Texts:
    """The documents of text files, in order.

    Documents of white space alone are left out. separator: the line that ends a document in plain
    text. cuts: where long documents are cut into parts (utils/cuts.py). hint: what to do where a
    file can't be read. Raises DataError for what can't be read, and when nothing is found at all.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        config: TextConfig | None = None,
        separator: str = END_OF_TEXT,
        *,
        cuts: Cuts = "raw",
        hint: str = "Check --text-path.",
    ) -> None:
        self.sources = list(sources)
        self.config = config or TextConfig()
        self.separator, self.cuts, self.hint = separator, cuts, hint
        self._stream: Stream | None = None
        self._done = 0  # bytes of the files that are read

    @cached_property
    def _sizes(self) -> list[int]:
        return [size_of(source) or 0 for source in self.sources]

    @property
    def size(self) -> int:
        """Bytes of all files as they lie on the disk, as far as that is known."""
        return sum(self._sizes)

    @property
    def text_size(self) -> int:
        """About how many bytes of text they hold: most texts shrink to a quarter or so."""
        packed = (bool(s.compression) or s.format == "parquet" for s in self.sources)
        return sum(size * (1 + 3 * p) for size, p in zip(self._sizes, packed, strict=True))

    @property
    def consumed(self) -> int:
        """How many of them are read."""
        return self._done + (self._stream.consumed() if self._stream is not None else 0)

    def pieces(self, start: Place = BEGIN) -> Iterator[Piece]:
        """All documents from a place on."""
        found = start != BEGIN
        self._done = sum(self._sizes[: start.source])
        for number in range(start.source, len(self.sources)):
            at, inside = start[1:] if number == start.source else (0, False)
            starts = not inside
            for chunk in self._chunks(self.sources[number], at, inside):
                if starts and chunk.ends and is_blank(chunk.data):
                    continue
                found = True
                place = Place(number, chunk.place, not chunk.ends)
                yield Piece(chunk.data, starts, chunk.ends, place)
                starts = chunk.ends
            self._done += self._sizes[number]
        if not found:
            raise DataError(f"there is no text in {described(self.sources)}", self.hint)

    def _chunks(self, source: Source, at: int, inside: bool) -> Iterator[Chunk]:
        errors, hint = self.config.errors, self.hint
        can_seek = source.format == "jsonl" or (source.format == "text" and errors == "strict")
        with opened(source, hint, at if can_seek else 0) as stream:
            self._stream = stream
            try:
                if source.format == "text":
                    yield from text_chunks(
                        source, stream, errors, hint, self.separator, self.cuts, at, inside
                    )
                else:
                    yield from self._records(source, stream, at)
            finally:
                self._stream = None

    def _records(self, source: Source, stream: Stream, at: int) -> Iterator[Chunk]:
        c = self.config
        if source.format == "parquet":
            from yocto.dataset.parquet import parquet_chunks

            return parquet_chunks(source, stream, c.errors, self.hint, c.text_column, at)
        from yocto.dataset.records import csv_chunks, json_chunks, jsonl_chunks

        if source.format == "csv":
            return csv_chunks(source, stream, c.errors, self.hint, c.text_column, at)
        read = jsonl_chunks if source.format == "jsonl" else json_chunks
        return read(source, stream, c.errors, self.hint, c.text_key, at)

    def identity(self) -> list[list[Any]]:
        """What tells whether files have changed: of each its path, size and time."""
        return [[source.path, *state_of(source)] for source in self.sources]

    def parts(self) -> Iterator[str]:
        """The text of all documents; where they are not whole, in parts of some megabytes."""
        for piece in self.pieces():
            if piece.data:
                yield piece.data.decode("utf-8")


class LookedThrough:
    """Documents of which somebody has a first look: what was read for it is not read again, unless
    it was much."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._seen: list[Piece] = []
        self._rest: Iterator[Piece] = iter(())  # behind those
        self._size = 0

    @property
    def size(self) -> int:
        """How much there is to read, in bytes."""
        return self._documents.size

    @property
    def consumed(self) -> int:
        """How much of it is read."""
        return self._documents.consumed

    def look(self) -> Iterator[Piece]:
        """All documents, for a first look that may end anywhere."""
        self._rest = self._documents.pieces()
        for piece in self._rest:
            self._size += len(piece.data)
            if self._size <= _REMEMBERED:
                self._seen.append(piece)
            yield piece

    def pieces(self, start: Place = BEGIN) -> Iterator[Piece]:
        """All documents from a place on."""
        if start != BEGIN or not self._seen or self._size > _REMEMBERED:
            self._seen = []
            return self._documents.pieces(start)
        seen, self._seen = self._seen, []
        return chain(seen, self._rest)

    def close(self) -> None:
        """Close what the first look has opened, wherever reading ended."""
        if isinstance(self._rest, Generator):
            self._rest.close()


def open_texts(
    paths: Sequence[str | Path],
    config: TextConfig | None = None,
    separator: str | None = None,
    *,
    cuts: Cuts = "raw",
    hint: str = "Check --text-path.",
) -> Texts:
    """The documents of files, folders, globs and URLs."""
    config = config or TextConfig()
    sources = find_sources(paths, config.text_format, hint)
    separator = config.document_separator or separator or END_OF_TEXT
    return Texts(sources, config, separator, cuts=cuts, hint=hint)


def read_documents(paths: Sequence[str | Path], separator: str | None = None) -> Iterator[str]:
    """All documents of some files, each in one."""
    return open_texts(paths, separator=separator, cuts="none").parts()
