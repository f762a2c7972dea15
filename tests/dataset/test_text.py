"""Text files as documents."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yocto.dataset.text import find_text, read_documents, read_text
from yocto.errors import DataError

SEPARATOR = "<|endoftext|>"


@pytest.fixture
def write(tmp_path):
    def write_file(data: bytes | str, name: str = "text.txt") -> Path:
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return write_file


@pytest.mark.parametrize("text", ["a\r\nb\r\n", "a\rb\n\n", "a\x0bb\x0c\u2028c\x85d", "no end"])
def test_newlines_come_through_as_they_are(write, text):
    assert read_text(write(text)) == text
    assert list(read_documents([write(text)])) == [text]


def test_a_byte_order_mark_is_no_text(write):
    assert read_text(write(b"\xef\xbb\xbfhello")) == "hello"
    assert read_text(write("mid\ufeffdle")) == "mid\ufeffdle"


def test_a_path_may_be_a_text(write):
    assert read_text(str(write("hello"))) == "hello"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"there is no text file .*nothing\.txt"):
        read_text(tmp_path / "nothing.txt")


def test_a_folder_is_no_text_file(tmp_path):
    with pytest.raises(DataError, match="is a folder"):
        read_text(tmp_path)


@pytest.mark.parametrize(
    "data",
    [
        "hello".encode("utf-16"),
        b"\xff\xfeh\0",
        b"\xfe\xff\0h",
        "hello".encode("utf-16-le"),
        b"\x7fELF\x02\0\0",
        b"text" * 1000 + b"\0",
    ],
)
def test_binary_and_utf_16_data_are_refused_by_name(write, data):
    path = write(data)
    with pytest.raises(DataError, match="not UTF-8 text but binary") as caught:
        read_text(path)
    assert str(path) in caught.value.message


@pytest.mark.parametrize(
    ("data", "byte", "offset"),
    [
        (b"caf\xe9 au lait", "e9", 3),
        (b"\x80", "80", 0),
        ("é🙂".encode()[:-1], "f0", 2),
        (b"ok " + b"\xed\xa0\x80", "ed", 3),
    ],
)
def test_invalid_utf_8_is_refused_with_file_byte_and_offset(write, data, byte, offset):
    path = write(data)
    with pytest.raises(DataError) as caught:
        read_text(path)
    assert str(path) in caught.value.message
    assert f"byte 0x{byte} at offset {offset}" in caught.value.message
    assert "iconv" in caught.value.hint


def test_a_file_that_cannot_be_read_is_named(write, monkeypatch):
    path = write("hello")

    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    with pytest.raises(DataError, match=r"can't read .*text\.txt: Permission denied"):
        read_text(path)


# ------------------------------------------------------------------------------------ documents


@pytest.mark.parametrize(
    ("text", "documents"),
    [
        ("a\n<|endoftext|>\nb\n", ["a\n", "b\n"]),
        ("a\r\n<|endoftext|>\r\nb\r\n", ["a\r\n", "b\r\n"]),
        ("<|endoftext|>\na", ["a"]),
        ("<|endoftext|>\r\na", ["a"]),
        ("a\n<|endoftext|>", ["a\n"]),
        ("a\n<|endoftext|>\n", ["a\n"]),
        ("a\n<|endoftext|>\n<|endoftext|>\nb", ["a\n", "b"]),
        ("a\n<|endoftext|>\n \n\t\n<|endoftext|>\nb", ["a\n", "b"]),
        ("\n\na\n<|endoftext|>\n\n b", ["\n\na\n", "\n b"]),
        ("a <|endoftext|>\nb", ["a <|endoftext|>\nb"]),
        ("a\n<|endoftext|> b", ["a\n<|endoftext|> b"]),
        ("a\n <|endoftext|>\nb", ["a\n <|endoftext|>\nb"]),
        ("a\n<|endoftext|>\rb", ["a\n<|endoftext|>\rb"]),
        ("a\u2028<|endoftext|>\nb", ["a\u2028<|endoftext|>\nb"]),
        ("a\n<|endoftext|><|endoftext|>\nb", ["a\n<|endoftext|><|endoftext|>\nb"]),
    ],
)
def test_only_a_line_that_is_exactly_the_separator_ends_a_document(write, text, documents):
    assert list(read_documents([write(text)])) == documents


def test_another_separator_may_be_given_and_is_no_regex(write):
    assert list(read_documents([write("a\n.*\nb\nxx\n")], separator=".*")) == ["a\n", "b\nxx\n"]


def test_a_files_end_ends_a_document_and_the_order_is_kept(write):
    files = [write("b", "1"), write("a\n<|endoftext|>\nc", "2"), write("", "3"), write("d", "4")]
    assert list(read_documents(files)) == ["b", "a\n", "c", "d"]


def test_a_byte_order_mark_before_a_separator_does_not_hide_it(write):
    assert list(read_documents([write(b"\xef\xbb\xbf<|endoftext|>\na")])) == ["a"]


@given(
    st.lists(st.text("ab \n", min_size=1).filter(lambda d: not d.isspace()), min_size=1),
    st.sampled_from(["\n", "\r\n"]),
)
def test_documents_that_were_joined_come_back(tmp_path_factory, documents, newline):
    path = tmp_path_factory.mktemp("joined") / "text.txt"
    documents = [document + newline for document in documents]
    path.write_bytes((SEPARATOR + newline).join(documents).encode())
    assert list(read_documents([path])) == documents


@pytest.mark.parametrize(
    "data", ["", " \n\t\n", "\ufeff", SEPARATOR, f"{SEPARATOR}\n{SEPARATOR}\n"]
)
def test_a_file_without_text_is_refused_by_name(write, data):
    path = write(data)
    with pytest.raises(DataError, match="there is no text in") as caught:
        list(read_documents([path]))
    assert str(path) in caught.value.message


def test_no_file_at_all_is_refused():
    with pytest.raises(DataError, match="no text in no file"):
        list(read_documents([]))


def test_the_corpus_that_ships_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not find_text("data/other.txt").exists()
    assert "User:" in read_text("data/philosophy.txt")


def test_a_corpus_of_that_name_in_the_folder_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "philosophy.txt").write_text("mine")
    assert read_text("data/philosophy.txt") == "mine"
