"""Parquet: a row a document, read with pyarrow some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from yocto.dataset.archives import EXTRA
from yocto.dataset.chunks import Chunk, listed, name_it
from yocto.dataset.sources import Source
from yocto.dataset.streams import Stream, reading, seekable
from yocto.dataset.utf8 import check_utf8
from yocto.errors import DataError

_ROWS = 1 << 7  # read at once,
_BYTES = 1 << 24  # or fewer: about as many as have so many bytes
_BUFFER = 1 << 18  # bytes read at once of a column


def parquet_chunks(
    source: Source, stream: Stream, errors: str, hint: str, column: str, place: int
) -> Iterator[Chunk]:
    """The texts of a column, with dots a field of a struct; a place counts rows."""
    try:
        import pyarrow.parquet
    except ImportError:
        raise DataError(f"{source.path} takes the package pyarrow", EXTRA) from None
    with _damage(source, hint), seekable(stream, source) as content:
        file = pyarrow.parquet.ParquetFile(content, buffer_size=_BUFFER, pre_buffer=False)
        _check_column(file.schema_arrow, column, source)
        first, row = _group_of(file, place)
        groups = list(range(first, file.num_row_groups))
        rows = _rows_at_once(file.metadata, groups)
        batches = file.iter_batches(rows, groups, columns=[column], use_threads=False)
        while (batch := next(batches, None)) is not None:
            for value in _values(batch, column):
                row += 1
                if row > place:
                    yield Chunk(_text(value, source, errors, row), True, row)
        if groups and row != (told := _rows_before(file, file.num_row_groups)):
            raise pyarrow.ArrowInvalid(f"it has {row} rows, not {told}, as it says")


def _check_column(schema: Any, column: str, source: Source) -> None:
    """Raise DataError where there is no such column, or where it holds no texts."""
    import pyarrow.types

    field = _field(list(schema), [column]) or _field(list(schema), column.split("."))
    if field is None:
        raise DataError(
            f"{source.path} has no column {column!r}; it has {listed(schema.names)}",
            f"Name the one that holds the text: {name_it('--text-column', schema.names, 'NAME')}",
        )
    kind = field.type
    kind = getattr(kind, "storage_type", kind)
    kind = kind.value_type if pyarrow.types.is_dictionary(kind) else kind
    known = ("string", "large_string", "binary", "large_binary", "null")
    if not any(getattr(pyarrow.types, f"is_{name}")(kind) for name in known):
        inner = list(kind) if pyarrow.types.is_struct(kind) else []
        names = [f"{column}.{field.name}" for field in inner]
        raise DataError(
            f"column {column!r} of {source.path} holds {str(kind)[:60]}, not texts",
            f"Name a column of texts: {name_it('--text-column', names, 'NAME')}",
        )


def _field(fields: list[Any], path: list[str]) -> Any:
    """The field at a path of names, each a field of a struct; None where there is none."""
    import pyarrow.types

    found = next((field for field in fields if field.name == path[0]), None)
    if found is None or len(path) == 1:
        return found
    return _field(list(found.type) if pyarrow.types.is_struct(found.type) else [], path[1:])


def _rows_at_once(metadata: Any, groups: list[int]) -> int:
    """As many rows as fit into memory even where texts are long.

    Judged by all columns: asking a damaged file about one of them ends the process (pyarrow 26).
    """
    largest = 1
    for number in groups:
        group = metadata.row_group(number)
        largest = max(largest, group.total_byte_size // max(1, group.num_rows))
    return max(1, min(_ROWS, _BYTES // largest))


def _rows_before(file: Any, group: int) -> int:
    """The rows in the row groups before one."""
    return sum(int(file.metadata.row_group(i).num_rows) for i in range(group))


def _group_of(file: Any, place: int) -> tuple[int, int]:
    """The row group that holds a row, and the rows before it."""
    before = 0
    for group in range(file.num_row_groups):
        rows = file.metadata.row_group(group).num_rows
        if before + rows > place:
            return group, before
        before += rows
    return file.num_row_groups, before


def _values(batch: Any, column: str) -> list[bytes | None]:
    """The column's values, as bytes: Parquet does not check that texts are UTF-8."""
    import pyarrow

    values, name = batch.column(0), batch.schema.names[0]
    for part in column.removeprefix(name).split(".")[1:]:  # a field of a struct
        values = values.field(part)
    values = getattr(values, "storage", values)
    if isinstance(values, pyarrow.DictionaryArray):
        values = values.dictionary_decode()
    if values.type == pyarrow.string():
        values = values.cast(pyarrow.binary())
    elif values.type == pyarrow.large_string():
        values = values.cast(pyarrow.large_binary())
    found: list[bytes | None] = values.to_pylist()
    return found


def _text(value: bytes | None, source: Source, errors: str, row: int) -> bytes:
    if value is None:
        return b""
    if errors == "replace":
        return value.decode("utf-8", errors).encode("utf-8")
    check_utf8(value, source, 0, f"row {row} in ")
    return value


@contextmanager
def _damage(source: Source, hint: str) -> Iterator[None]:
    """pyarrow's errors as a DataError that names the file."""
    import pyarrow

    with reading(source, hint):
        try:
            yield
        except (pyarrow.ArrowException, OSError) as error:
            if isinstance(error, MemoryError) or getattr(error, "errno", None) is not None:
                raise
            what = " ".join(str(error).split())[:300]
            raise DataError(
                f"{source.path} is damaged, or no Parquet file: {what}",
                "Get the file anew, or leave it out.",
            ) from error
