"""JSON lines, JSON and CSV."""

import csv
import io
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from yocto.config import TextConfig
from yocto.dataset import json_values, records
from yocto.dataset import text as text_module
from yocto.dataset.documents import open_texts
from yocto.dataset.json_values import text_at
from yocto.errors import DataError

TEXTS = st.text(
    st.sampled_from(
        [*"ab \n\r\t\",;'\\[]{}:0-", "é", "中", "🙂", "\ufeff", "\u2028", "\0", "\x85"]
    ),
    max_size=8,
)
BLOCKS = st.integers(1, 40)


@pytest.fixture
def blocks(monkeypatch):
    """So many bytes are read at once."""
    return lambda size: monkeypatch.setattr(text_module, "BLOCK", size)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("records")


def read(path, size: int | None = None, **knobs) -> list[str]:
    """All texts of a file, empty and blank ones left out."""
    with pytest.MonkeyPatch.context() as patch:
        if size:
            patch.setattr(text_module, "BLOCK", size)
        pieces = list(open_texts([path], TextConfig(**knobs)).pieces())
    assert all(piece.starts and piece.ends for piece in pieces)
    return [piece.data.decode() for piece in pieces]


@pytest.fixture
def write(tmp_path):
    def write_file(name: str, data: str | bytes):
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return write_file


@pytest.fixture
def fault(write):
    """The message and the hint of what is wrong with a file."""

    def told(name: str, data: str | bytes, **knobs) -> tuple[str, str]:
        path = write(name, data)
        with pytest.raises(DataError) as caught:
            read(path, **knobs)
        assert str(path) in caught.value.message
        return caught.value.message.replace(str(path), name), caught.value.hint

    return told


def solid(texts) -> list[str]:
    return [text for text in texts if text and not text.isspace()] or [LAST]


LAST = "the last"

# ------------------------------------------------------------------------------------- JSON lines


@settings(deadline=None, max_examples=200)
@given(
    texts=st.lists(TEXTS, max_size=8), size=BLOCKS, ascii=st.booleans(), bom=st.booleans(),
    newline=st.sampled_from(["\n", "\r\n", "\n\n", "\n \t\r\n"]), end=st.booleans(),
)  # fmt: skip
def test_a_line_is_a_document(folder, texts, size, ascii, bom, newline, end):
    texts = [*texts, LAST]
    lines = [
        json.dumps(text if i % 3 else {"n": 1, "text": text}, ensure_ascii=ascii)
        for i, text in enumerate(texts)
    ]
    path = folder / "a.jsonl"
    path.write_bytes(("\ufeff" * bom + newline.join(lines) + newline * end).encode())
    # U+0085 and U+2028 are no ends of lines here, nor is a byte order mark in a text a mark.
    assert read(path, size) == solid(texts)


def test_a_text_may_lie_deeper(write):
    value = {"a": {"b": ["x", {"c": "deep"}]}, "a.b": "dotted", "text": None}
    path = write("a.jsonl", json.dumps(value))
    assert read(path, text_key="a.b.1.c") == ["deep"]
    assert read(path, text_key="a.b.0") == ["x"]
    assert read(path, text_key="a.b") == ["dotted"]  # a key as it stands comes first


@pytest.mark.parametrize(
    ("value", "key", "message"),
    [
        ({"a": 1, "b": 2}, "text", "has no 'text'; it has 'a', 'b'"),
        ({"a": {"b": 1}}, "a.c", "has no 'a.c'; it has 'b'"),
        ({"a": ["x"]}, "a.1", "has no 'a.1'"),
        ({"a": ["x"]}, "a.-1", "has no 'a.-1'"),
        ({"a": ["x"]}, "a.b", "has no 'a.b'"),
        ({"a": "x"}, "a.b", "has no 'a.b'"),
        ({"a": 1}, "a", "a number where the text should be"),
        ({"a": True}, "a", "true or false where"),
        ({"a": {}}, "a", "an object where"),
        (["x"], "text", "a list where"),
        (3.5, "text", "a number where"),
    ],
)  # fmt: skip
def test_what_stands_in_the_place_of_a_text_is_told(fault, value, key, message):
    for name, data, where in (
        ("a.jsonl", f'"x"\n\n{json.dumps(value)}\n"y"', "line 3 in a.jsonl"),
        ("a.json", json.dumps(["x", value, "y"]), "value 2 in a.json"),
    ):
        told, hint = fault(name, data, text_key=key)
        assert told.startswith(f"{where} has ") and message in told
        assert "--text-key" in hint


def test_null_is_no_text_wherever_it_stands(write):
    assert text_at({"a": None}, "a.b.c", "strict") == b""
    path = write("a.jsonl", 'null\n{"text": null}\n"x"')
    assert read(path) == ["x"]
    assert read(write("a.json", '[null, {"text": null}, "x"]')) == ["x"]


def test_half_a_character_is_told_or_replaced(fault, write):
    for name, data in (("a.jsonl", r'"a\ud83d"'), ("a.json", r'["a\ud83d"]')):
        assert "a lone surrogate" in fault(name, data)[0]
        assert read(write(name, data), errors="replace") == ["a\ufffd"]
    assert read(write("b.jsonl", r'"\ud83d\ude42"')) == ["🙂"]
    assert read(write("b.jsonl", r'"\ufeffa\ud83d\ud83d\ude42\udc00"'), errors="replace") == [
        "\ufeffa\ufffd🙂\ufffd"
    ]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("{", "Expecting property name"), ('"a" "b"', "Extra data"), ("no", "Expecting value"),
        ('"a', "Unterminated string"), ("[" * 200_000, "nested too deeply"),
        ('{"a":' * 200_000, "nested too deeply"), ('"\t"', "Invalid control character"),
    ],
)  # fmt: skip
def test_a_line_that_is_no_json_is_told_by_its_number(fault, line, what):
    message, hint = fault("a.jsonl", f'"x"\r\n\n{line}\n"y"\n')
    assert message.startswith("line 3 in a.jsonl is not valid JSON: ") and what in message
    assert hint == "Mend that line, or leave it out."
    assert fault("a.jsonl", line)[0].startswith("line 1 in a.jsonl is not valid JSON: ")


def test_a_line_is_counted_from_the_files_start_where_reading_began_later(write):
    path = write("a.jsonl", '"x"\n"yy"\n\n"z"\n{')
    texts = open_texts([path])
    places = []
    with pytest.raises(DataError):
        places.extend(piece.place for piece in texts.pieces())
    assert len(places) == 3
    for place in places:
        with pytest.raises(DataError, match="line 5 in"):
            list(texts.pieces(place))


def test_a_number_however_long_harms_nothing(write):
    huge = "9" * 10_000
    assert read(write("a.jsonl", f'{{"n": {huge}, "f": 1e999, "text": "x"}}')) == ["x"]
    assert read(write("a.json", f'[{{"n": -{huge}, "text": "x"}}]')) == ["x"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv"])
@pytest.mark.parametrize("size", [1, 2, 7, None])
def test_bad_bytes_are_told_by_their_offset_or_replaced(write, name, size):
    start, end = {"a.jsonl": ('"x"\n"', '"\n'), "a.json": ('["x", "', '"]'),
                  "a.csv": ('text\nx\n"', '"\n')}[name]  # fmt: skip
    for bom in ("", "\ufeff"):
        path = write(name, f"{bom}{start}é".encode() + b"\xe9" + end.encode())
        offset = len(f"{bom}{start}é".encode())
        with pytest.raises(DataError, match=rf"byte 0xe9 at offset {offset}\n") as caught:
            read(path, size)
        assert "--errors replace" in caught.value.hint
        assert read(path, size, errors="replace") == ["x", "é\ufffd"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv"])
def test_utf_16_and_binary_files_are_told(fault, name):
    for data in ('"x"'.encode("utf-16"), '"x"'.encode("utf-16-le"), b"\x7fELF\0\0"):
        assert "is not UTF-8 text but binary" in fault(name, data)[0]
    assert "not text but what a .gz file holds" in fault(name, b"\x1f\x8b\x08\0\0")[0]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv"])
@pytest.mark.parametrize("data", ["", "\ufeff", "\n\n", " \r\n", "text\n"])
def test_a_file_without_records_holds_no_text(fault, name, data):
    if data != "text\n" or name == "a.csv":
        with_column = data.strip(" \r\n\ufeff") != "" or name != "a.csv" or data != " \r\n"
        if with_column:
            assert fault(name, data)[0] == "there is no text in a" + name[1:]


def test_a_line_without_end_is_told_before_the_memory_is_full(fault, monkeypatch):
    monkeypatch.setattr(records, "LONGEST", 1000)
    monkeypatch.setattr(text_module, "BLOCK", 100)
    message, hint = fault("a.jsonl", '"x"\n"' + "y" * 3000)
    assert message == "line 2 in a.jsonl is longer than 1,000 bytes"
    assert "--text-format text" in hint


# -------------------------------------------------------------------------------------------- JSON


VALUES = st.recursive(
    st.one_of(TEXTS, st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)


OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=3)


@settings(deadline=None, max_examples=300)
@given(
    texts=st.lists(st.tuples(TEXTS, st.none() | OBJECTS), max_size=6),
    size=BLOCKS, ascii=st.booleans(), bom=st.booleans(), is_list=st.booleans(),
    indent=st.sampled_from([None, 0, 1, 30]),
)  # fmt: skip
@example(
    texts=[("a", {"": ["", {"": "\\"}]})], size=1, ascii=True, bom=True, is_list=True, indent=30
)
def test_values_are_read_wherever_blocks_end(folder, texts, size, ascii, bom, is_list, indent):
    texts = [*texts, (LAST, None)]
    values = [text if other is None else {**other, "text": text} for text, other in texts]

    def dumps(value) -> str:
        return json.dumps(value, ensure_ascii=ascii, indent=indent)

    data = dumps(values) if is_list else ("\n" if size % 2 else "").join(map(dumps, values))
    path = folder / "a.json"
    path.write_bytes(("\ufeff" * bom + data).encode())
    assert read(path, size) == solid(text for text, _ in texts)


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        ('"a""b"', ["a", "b"]),
        ('{"text":"a"}{"text":"b"}', ["a", "b"]), ('"a"\n"b"\n', ["a", "b"]),
        ('{"text": "a"}', ["a"]), (' [ "a" , "b" ] \n', ["a", "b"]), ('["a"]', ["a"]),
        ('null "a" null', ["a"]), ('"[a]"', ["[a]"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 3, None])
def test_values_in_a_list_or_one_after_the_other(write, data, texts, size):
    assert read(write("a.json", data), size) == texts


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ('["a"', "a.json is not valid JSON: the list has no end"),
        ('["a",', "value 2 in a.json is not valid JSON: Expecting value"),
        ('["a",]', "value 2 in a.json is not valid JSON: Expecting value"),
        ('[,"a"]', "value 1 in a.json is not valid JSON: Expecting value"),
        ('["a" "b"]', "a.json is not valid JSON: a comma is missing behind value 1"),
        ('["a"] "b"', "a.json is not valid JSON: something follows the list"),
        ('["a"]]', "a.json is not valid JSON: something follows the list"),
        ("[", "a.json is not valid JSON: the list has no end"),
        ('"a" nonsense', "value 2 in a.json is not valid JSON: Expecting value"),
        ('["a", "b', "value 2 in a.json is not valid JSON: Unterminated string"),
        ('["a", {"b": 1', "value 2 in a.json is not valid JSON: Expecting"),
        ('["a", {"b" 1}]', "value 2 in a.json is not valid JSON: Expecting ':' delimiter"),
        ('["a", "b\n"]', "value 2 in a.json is not valid JSON: Invalid control character"),
        ('["a", ' + "[" * 200_000, "value 2 in a.json is not valid JSON: it is nested too deeply"),
        ("]", "value 1 in a.json is not valid JSON: Expecting value"),
        ("'a'", "value 1 in a.json is not valid JSON: Expecting value"),
    ],
)
@pytest.mark.parametrize("size", [1, 5, None])
def test_what_is_no_json_is_told(fault, monkeypatch, data, message, size):
    if len(data) < 1000 and size:
        monkeypatch.setattr(text_module, "BLOCK", size)
    told, hint = fault("a.json", data)
    assert told.startswith(message)
    assert "--text-format jsonl" in hint


def test_a_value_over_many_blocks_is_tried_only_a_few_times(write, monkeypatch):
    text = "x" * 100_000
    path = write("a.json", json.dumps([text, text]))
    tried = []

    class Counting(json.JSONDecoder):
        def raw_decode(self, s, idx=0):
            tried.append(len(s))
            return super().raw_decode(s, idx)

    monkeypatch.setattr(json_values, "DECODER", Counting())
    assert read(path, 10) == [text, text]
    assert len(tried) < 40
    assert sum(tried) < 1_000_000


def test_a_value_that_would_fill_the_memory_is_told(fault, monkeypatch):
    monkeypatch.setattr(json_values, "LONGEST", 1000)
    monkeypatch.setattr(text_module, "BLOCK", 100)
    message, hint = fault("a.json", json.dumps({"data": ["x"] * 5000}))
    assert message == "value 1 in a.json is longer than 1,000 characters"
    assert "list" in hint


# --------------------------------------------------------------------------------------------- CSV


@settings(deadline=None, max_examples=300)
@given(
    rows=st.lists(st.tuples(TEXTS, TEXTS), max_size=6), size=BLOCKS, bom=st.booleans(),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), end=st.booleans(),
)  # fmt: skip
def test_rows_come_back_as_they_were_written(folder, rows, size, bom, newline, quoting, end):
    rows = [*[(a.replace("\0", ""), b.replace("\0", "")) for a, b in rows], ("x", LAST)]
    if (
        "\r" in str(rows).replace("\\r", "\r") or newline == "\r"
    ):  # csv itself forgets to quote these
        quoting = csv.QUOTE_ALL
    out = io.StringIO()
    csv.writer(out, lineterminator=newline, quoting=quoting).writerows([("other", "text"), *rows])
    data = out.getvalue() if end else out.getvalue().removesuffix(newline)
    path = folder / "a.csv"
    path.write_bytes(("\ufeff" * bom + data).encode())
    assert read(path, size) == solid(text for _, text in rows)
    if any(row[0].strip() for row in rows):
        assert read(path, size, text_column="other") == solid(row[0] for row in rows)


def test_newlines_in_quotes_are_kept_as_they_are(write):
    path = write("a.csv", 'text,b\r\n"a\r\nb\rc\n""d"""\t,1\r\n')
    with pytest.raises(DataError, match=r"line 2 in .* is not valid CSV"):
        read(path)  # something stands between the quote and the comma
    assert read(write("a.csv", 'text,b\r\n"a\r\nb\rc\n""d""",1\r\n')) == ['a\r\nb\rc\n"d"']


def test_empty_lines_are_no_rows(write):
    assert read(write("a.csv", "\n\r\ntext,b\n\nx,1\n\n\ny,2\n")) == ["x", "y"]
    assert read(write("a.csv", "text\n\n\nx\n")) == ["x"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("a,b\nx,y\n", "a.csv has no column 'text'; it has 'a', 'b'"),
        ("text,b\nx,y\nz\n", "line 3 in a.csv has 1 column, not 2 as the first one"),
        ("text,b\n\"x\ny\",1\nz,y,w\n", "line 4 in a.csv has 3 columns, not 2 as the first one"),
        ('text\nx\n"y\nz\nz\n', "line 3 in a.csv is not valid CSV: a quote in it is never closed"),
        ('text\n"x"y\n', "line 2 in a.csv is not valid CSV: "),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_csv_file_is_told(fault, data, message):
    told, hint = fault("a.csv", data)
    assert told.startswith(message)
    assert hint


def test_a_quote_that_is_never_closed_does_not_fill_the_memory(fault, monkeypatch):
    monkeypatch.setattr(records, "LONGEST_FIELD", 1000)
    message, _ = fault("a.csv", 'text\nx\n"' + "y\n" * 1000)
    assert message.startswith("line 3 in a.csv is not valid CSV: a quote in it is never closed")


def test_a_column_with_an_odd_name_can_be_named(fault, write):
    assert "--text-column 'my text'" in fault("a.csv", "my text,b\nx,y\n")[1]
    assert read(write("a.csv", "my text,b\nx,y\n"), text_column="my text") == ["x"]
    assert len(fault("a.csv", ",".join(["x" * 500] * 500) + "\n")[0]) < 2000
