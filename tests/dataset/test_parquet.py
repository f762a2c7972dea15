"""Parquet files."""

import builtins

import pytest
from packed import COMPRESS, KINDS

from yocto.config import TextConfig
from yocto.dataset import parquet
from yocto.dataset.documents import open_texts
from yocto.errors import DataError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

TEXTS = [f"document {i}: é中🙂\r\n\n" for i in range(50)]


@pytest.fixture
def write(tmp_path):
    def write_table(columns, name="a.parquet", **options):
        path = tmp_path / name
        pq.write_table(pa.table(columns), path, **options)
        return path

    return write_table


def read(path, **knobs) -> list[str]:
    pieces = list(open_texts([path], TextConfig(**knobs)).pieces())
    assert all(piece.starts and piece.ends for piece in pieces)
    return [piece.data.decode() for piece in pieces]


def fault(path, **knobs) -> tuple[str, str]:
    with pytest.raises(DataError) as caught:
        read(path, **knobs)
    assert str(path) in caught.value.message and "\n" not in caught.value.message
    return caught.value.message.replace(str(path), "FILE"), caught.value.hint


@pytest.mark.parametrize("rows", [1, 7, 50, 1000])
@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "zstd"])
def test_a_row_is_a_document(write, rows, codec):
    path = write({"n": range(50), "text": TEXTS}, row_group_size=rows, compression=codec)
    assert read(path) == TEXTS


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(), pa.large_string(), pa.binary(), pa.large_binary(),
        pa.dictionary(pa.int32(), pa.string()), pa.dictionary(pa.int8(), pa.large_string()),
        pa.dictionary(pa.int8(), pa.binary()),
    ],
    ids=str,
)  # fmt: skip
def test_all_types_of_texts_are_read(write, kind):
    texts = ["a", None, "é", "", " ", "b", "a"]
    values = [
        text.encode() if text is not None and "binary" in str(kind) else text for text in texts
    ]
    values = (
        pa.array(values, kind.value_type).cast(kind)
        if "dict" in str(kind)
        else pa.array(values, kind)
    )
    assert read(write({"text": values}, row_group_size=3)) == ["a", "é", "b", "a"]


def test_all_kinds_of_encodings_are_read(write):
    for options in (
        {"use_dictionary": True, "data_page_size": 64},
        {"use_dictionary": False, "column_encoding": "DELTA_BYTE_ARRAY"},
        {"use_dictionary": False, "column_encoding": "DELTA_LENGTH_BYTE_ARRAY"},
        {"data_page_version": "2.0", "write_page_checksum": True},
    ):
        assert read(write({"text": TEXTS}, **options)) == TEXTS


def test_a_field_of_a_struct_may_be_the_text(write):
    rows = [{"c": {"t": "x"}, "u": 1}, {"c": None, "u": 2}, None, {"c": {"t": "y"}, "u": 3}]
    path = write({"a": rows, "a.b": ["d", "e", "f", "g"], "text": ["h"] * 4})
    assert read(path, text_column="a.c.t") == ["x", "y"]
    assert read(path, text_column="a.b") == ["d", "e", "f", "g"]
    message, hint = fault(path, text_column="a")
    assert message.startswith("column 'a' of FILE holds struct<") and "--text-column a.c" in hint
    for column in ("a.x", "a.c.x", "a.c.t.x", "x", "", "a."):
        message, hint = fault(path, text_column=column or "?")
        assert "has no column" in message and "it has 'a', 'a.b', 'text'" in message


@pytest.mark.parametrize("values", [[1, 2], [1.5, None], [True, False], [{"b": 1}], [b"x" * 4]])
def test_columns_of_other_types_are_told(write, values):
    array = pa.array(values, pa.binary(4)) if values == [b"x" * 4] else pa.array(values)
    message, hint = fault(write({"text": array}))
    assert message == f"column 'text' of FILE holds {array.type}, not texts"
    assert "--text-column" in hint


def test_a_column_of_nulls_or_no_rows_hold_no_text(write):
    assert fault(write({"text": pa.nulls(3)}))[0] == "there is no text in FILE"
    assert fault(write({"text": pa.array([], pa.string())}))[0] == "there is no text in FILE"
    assert fault(write({"text": ["", " \n", None]}))[0] == "there is no text in FILE"


@pytest.mark.parametrize("kind", ["binary", "string"])
def test_what_is_no_utf_8_is_told_by_its_row_or_replaced(write, kind):
    array = pa.array([b"fine", b"caf\xe9"], pa.binary())
    if kind == "string":  # nobody checks these when a file is written
        array = pa.Array.from_buffers(pa.string(), 2, array.buffers())
    path = write({"text": array})
    message, hint = fault(path)
    assert message == "row 2 in FILE is not valid UTF-8: byte 0xe9 at offset 3"
    assert "--errors replace" in hint and "iconv" not in hint
    assert read(path, errors="replace") == ["fine", "caf\ufffd"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_may_be_compressed_as_a_whole(write, tmp_path, kind):
    packed = tmp_path / f"b.parquet.{kind}"
    packed.write_bytes(COMPRESS[kind](write({"text": TEXTS}).read_bytes()))
    assert read(packed) == TEXTS


def test_a_file_cut_off_or_damaged_anywhere_is_told_or_read(write, tmp_path):
    path = write({"text": TEXTS[:5], "n": range(5)}, compression="none", write_page_checksum=True)
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        message, hint = fault(path)
        assert "is damaged, or no Parquet file" in message and hint
    path.write_bytes(b"this is a text, and a long one at that")
    assert "is damaged, or no Parquet file" in fault(path)[0]


@pytest.mark.parametrize("group", [1, 7, 1000])
@pytest.mark.parametrize("rows", [1, 3, 1024])
def test_from_any_row_on_the_rest_is_read(write, monkeypatch, group, rows):
    monkeypatch.setattr(parquet, "_ROWS", rows)
    texts = open_texts([write({"text": TEXTS}, row_group_size=group)])
    pieces = list(texts.pieces())
    for i, piece in enumerate(pieces):
        assert list(texts.pieces(piece.place)) == pieces[i + 1 :]


def test_few_rows_are_read_at_once_where_texts_are_long(write, monkeypatch):
    sizes = []
    read_values = parquet._values
    monkeypatch.setattr(
        parquet,
        "_values",
        lambda batch, column: sizes.append(len(batch)) or read_values(batch, column),
    )
    monkeypatch.setattr(parquet, "_BYTES", 10_000)
    texts = [str(i) * 1000 for i in range(10)] * 5
    assert read(write({"text": texts}, use_dictionary=False, compression="none")) == texts
    assert max(sizes) <= 10
    monkeypatch.setattr(parquet, "_BYTES", 10)
    sizes.clear()
    assert read(write({"text": texts}, use_dictionary=False, compression="none")) == texts
    assert max(sizes) == 1


def test_many_long_names_make_a_short_message(write):
    path = write({"x" * 1000 + str(i): [1] for i in range(100)})
    assert len(fault(path)[0]) < 2000


def test_a_missing_package_is_named(write, monkeypatch):
    path = write({"text": TEXTS})
    imported = builtins.__import__

    def refuse(name, *rest):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return imported(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    message, hint = fault(path)
    assert message == "FILE takes the package pyarrow"
    assert hint == "pip install 'yocto[data]'"
