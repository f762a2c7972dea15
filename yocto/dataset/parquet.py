"""Parquet: a row a document, read with pyarrow some thousand rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from yocto.dataset.chunks import Chunk
from yocto.dataset.sources import Source
from yocto.dataset.streams import EXTRA, Stream, reading, seekable
from yocto.dataset.utf8 import bad_byte, is_utf8
from yocto.errors import DataError

_ROWS = 1 << 10  # read at once


def parquet_chunks(
    source: Source, stream: Stream, errors: str, hint: str, column: str, place: int
) -> Iterator[Chunk]:
    """The texts of a column; a place counts rows."""
    try:
        import pyarrow.parquet
    except ImportError:
        raise DataError(f"{source.path} takes the package pyarrow", EXTRA) from None
    with reading(source, hint), _damage(source):
        file = pyarrow.parquet.ParquetFile(seekable(stream, source))
        names = file.schema_arrow.names
        if column not in names and column.split(".")[0] not in names:
            raise DataError(
                f"{source.path} has no column {column!r}; it has {', '.join(map(repr, names))}",
                f"Name the one that holds the text: --text-column {names[0] if names else 'NAME'}",
            )
        first, row = _group_of(file, place)
        groups = list(range(first, file.num_row_groups))
        batches = file.iter_batches(_ROWS, groups, columns=[column], use_threads=False)
    while True:
        with reading(source, hint), _damage(source):
            batch = next(batches, None)
            values = None if batch is None else _values(batch, column)
        if values is None:
            return
        for value in values:
            row += 1
            if row > place:
                yield Chunk(_text(value, source, errors, row), True, row)


def _group_of(file: Any, place: int) -> tuple[int, int]:
    """The row group that holds a row, and the rows before it."""
    before = 0
    for group in range(file.num_row_groups):
        rows = file.metadata.row_group(group).num_rows
        if before + rows > place:
            return group, before
        before += rows
    return file.num_row_groups, before


def _values(batch: Any, column: str) -> list[Any]:
    values = batch.column(0)
    name = batch.schema.names[0]
    for part in column.removeprefix(name).split(".")[1:]:  # a field of a struct
        values = values.field(part)
    found: list[Any] = values.to_pylist()
    return found


def _text(value: Any, source: Source, errors: str, row: int) -> bytes:
    if value is None:
        return b""
    if isinstance(value, str):
        return value.encode("utf-8")
    if not isinstance(value, bytes):
        raise DataError(
            f"row {row} in {source.path} has {type(value).__name__}, not a text, in its column",
            "Name a column of texts: --text-column NAME",
        )
    if not is_utf8(value):
        try:
            return value.decode("utf-8", errors).encode("utf-8")
        except UnicodeDecodeError as error:
            raise bad_byte(f"row {row} in {source.path}", 0, error) from error
    return value


class _damage:
    """pyarrow's errors as a DataError that names the file."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        import pyarrow

        if isinstance(error, pyarrow.ArrowException | UnicodeDecodeError):
            raise DataError(
                f"{self.source.path} is damaged, or no Parquet file: {error}",
                "Get the file anew, or leave it out.",
            ) from error
