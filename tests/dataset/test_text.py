"""Text files as documents."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from yocto.dataset import streams
from yocto.dataset import text as text_module
from yocto.dataset.documents import open_texts, read_documents
from yocto.dataset.sources import Source, find_text
from yocto.dataset.text import documents_in_text, read_blocks, read_text
from yocto.errors import DataError
from yocto.utils.cuts import last_cut

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
        "hello".encode("utf-32-be"),
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

    def refuse(self, mode, buffering):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(DataError, match=r"can't read .*text\.txt: Permission denied"):
        read_text(path)


# ------------------------------------------------------------------------------------ documents


DOCUMENTS = [
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
]


@pytest.mark.parametrize(("text", "documents"), DOCUMENTS)
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


# ------------------------------------------------------------------------------------------- parts

BLOCKS = [1, 2, 3, 5, 13, 64, 1 << 20]
SCRAPS = [
    "a", "b", "the ", "word\n", "\n", "\r\n", "\r", " ", "\t", "é", "中。", "🙂", "\ufeff", "1",
    "\u2028", "e\u0301", "'s", "\n<", "\n  \n", SEPARATOR, SEPARATOR[:5], SEPARATOR[5:],
    f"{SEPARATOR}\n", f"\n{SEPARATOR}\n", f"\n{SEPARATOR}\r\n",
]  # fmt: skip


@contextmanager
def block_of(size: int, part: int | None = None) -> Iterator[None]:
    """So many bytes are read at once, and parts are about as long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_module, "BLOCK", size)
        patch.setattr(text_module, "PART", size if part is None else part)
        yield


def read_parts(paths, separator: str = SEPARATOR, *, whole: bool = False) -> Iterator[str]:
    cuts = "none" if whole else "raw"
    return open_texts(paths, separator=separator, cuts=cuts).parts()


def documents_in(text: str, separator: str = SEPARATOR) -> list[str]:
    """The documents of a text that is there as a whole."""
    line = regex.compile(rf"^{regex.escape(separator)}(?:\r?\n|\Z)", regex.MULTILINE)
    found = line.split(text.removeprefix("\ufeff"))
    return [document for document in found if document and not document.isspace()]


def check_parts(path: Path, documents: list[str], separator: str = SEPARATOR) -> int:
    """That the file's documents are these, whole and in parts; returns how many parts."""
    if not documents:
        for whole in (True, False):
            with pytest.raises(DataError, match="there is no text in"):
                list(read_parts([path], separator, whole=whole))
        return 0
    assert list(read_documents([path], separator)) == documents
    assert list(read_parts([path], separator, whole=True)) == documents
    parts = list(read_parts([path], separator))
    assert all(parts)
    rest = iter(parts)
    for document in documents:
        begun = ""
        while begun != document:
            part = next(rest)
            begun += part
            assert document.startswith(begun)
            assert begun == document or len(part.encode()) >= text_module.PART
            # Each part ends where it may.
            assert begun == document or last_cut(begun + document[len(begun)], raw=True) == len(
                begun
            )
    assert next(rest, None) is None
    return len(parts)


@pytest.mark.parametrize("size", BLOCKS)
@pytest.mark.parametrize(("text", "documents"), DOCUMENTS)
def test_the_parts_of_a_document_are_the_document(write, size, text, documents):
    assert documents_in(text) == documents
    with block_of(size):
        check_parts(write(text), documents)


@settings(deadline=None, max_examples=300)
@given(
    text=st.lists(st.sampled_from(SCRAPS), max_size=60).map("".join),
    size=st.integers(1, 64),
    part=st.integers(1, 64),
    is_marked=st.booleans(),
)
@example(text=f"a\n{SEPARATOR}", size=3, part=3, is_marked=True)
@example(text=f"a\n{SEPARATOR}\r", size=5, part=1, is_marked=False)
def test_parts_are_the_documents_wherever_blocks_end(tmp_path_factory, text, size, part, is_marked):
    path = tmp_path_factory.mktemp("parts") / "text.txt"
    path.write_bytes(("\ufeff" * is_marked + text).encode())
    with block_of(size, part):
        assert "".join(read_blocks(Source(str(path), "text", ""))) == (
            text if is_marked else text.removeprefix("\ufeff")
        )
        check_parts(path, documents_in(text if not is_marked else "\ufeff" + text))


@pytest.mark.parametrize("size", BLOCKS)
@pytest.mark.parametrize("separator", ["-", ".*", "é中", "<a b>", "one\ntwo", "\ntwo", "x\r", " "])
def test_any_separator_is_found_wherever_blocks_end(write, size, separator):
    for newline in ("\n", "\r\n"):
        for end in ("", newline, f"{newline}{newline}"):
            text = f"{newline}{separator}{newline}".join(["a b", "c", f"{separator} d", "e"])
            path = write(f"{text}{newline}{separator}{end}")
            with block_of(size):
                check_parts(path, documents_in(read_text(path), separator), separator)


def test_a_long_document_comes_in_parts_of_about_a_block(write):
    text = "The theme of the thesis, in a line.\n" * 400
    with block_of(100):
        parts = list(read_parts([write(text)]))
        assert "".join(parts) == text
        assert len(parts) > len(text) / 250
        assert max(map(len, parts)) < 250
        assert len(list(read_documents([write(text)]))) == 1


@pytest.mark.parametrize(
    ("unit", "is_cut"),
    [("word ", True), ("one two, ", True), ("word", False), (".", False), ("中。", False)],
)
def test_one_endless_line_comes_in_parts_where_it_can_be_cut(write, unit, is_cut):
    text = "x" + unit * 3000
    with block_of(64):
        count = check_parts(write(text), [text])
    assert (count > 50) if is_cut else (count == 1)


def test_a_document_of_white_space_is_left_out_however_long(write):
    blank = " \n\t\r\n" * 500
    with block_of(16):
        check_parts(write(f"{blank}\n{SEPARATOR}\na\n{SEPARATOR}\n{blank}"), ["a\n"])
        check_parts(write(blank), [])
        check_parts(write(f"{blank}a{blank}"), [f"{blank}a{blank}"])


def test_a_special_token_in_a_line_is_not_cut(write):
    text = f"some text {SEPARATOR}\n" * 50
    for size in range(1, 80):
        with block_of(size):
            parts = list(read_parts([write(text)]))
        assert "".join(parts) == text
        assert sum(part.count(SEPARATOR) for part in parts) == 50


def test_a_byte_order_mark_goes_wherever_blocks_end_and_only_at_the_start(write):
    for size in (1, 2, 3, 4):
        with block_of(size):
            assert read_text(write("\ufeff\ufeffa\ufeff")) == "\ufeffa\ufeff"
            assert read_text(write("\ufeff")) == ""
            files = [write("\ufeffa", "1"), write("\ufeffb", "2")]
            assert list(read_parts(files)) == ["a", "b"]


@settings(deadline=None)
@given(
    before=st.text("aé中🙂\n ", max_size=30),
    bad=st.sampled_from([b"\x80", b"\xe9", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf0\x9f\x99"]),
    after=st.text("aé中🙂\n ", max_size=10),
    size=st.integers(1, 64),
)  # fmt: skip
@example(before="é" * 20, bad=b"\x80", after="", size=3)
def test_invalid_utf_8_has_the_same_offset_wherever_blocks_end(
    tmp_path_factory, before, bad, after, size
):
    path = tmp_path_factory.mktemp("bad") / "text.txt"
    data = before.encode() + bad + after.encode()
    path.write_bytes(data)
    with pytest.raises(UnicodeDecodeError) as wanted:
        data.decode()
    start = wanted.value.start
    assert start == len(before.encode())
    for read in (read_text, lambda path: list(read_parts([path]))):
        with block_of(size), pytest.raises(DataError) as caught:
            read(path)
        assert f"byte 0x{data[start]:02x} at offset {start}" in caught.value.message


def test_what_is_no_utf_8_in_a_later_file_is_told_when_it_is_reached(write):
    parts = read_parts([write("fine", "1"), write(b"b\xe9d", "2")])
    assert next(parts) == "fine"
    with pytest.raises(DataError, match="byte 0xe9 at offset 1"):
        next(parts)


STREAM = """
import sys
from yocto.dataset.documents import open_texts
from yocto.utils.cuts import last_cut

def most():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))

last_cut("a b")  # its table is there
before = most()
print(sum(len(part) for part in open_texts([sys.argv[1]]).parts()), most() - before)
"""


@pytest.mark.parametrize("line", ["It ends in a full stop, as lines do.\n", "no end of this line "])
def test_a_large_file_takes_little_memory(tmp_path, line):
    if not Path("/proc/self/status").exists():
        pytest.skip("no /proc")
    path = tmp_path / "large.txt"
    size = 60_000_000 // len(line) * len(line)
    with path.open("w") as file:
        for _ in range(60):
            file.write(line * (size // len(line) // 60))
    done = subprocess.run([sys.executable, "-c", STREAM, path], capture_output=True, text=True)
    read, memory = map(int, done.stdout.split())
    assert read == path.stat().st_size > 59_000_000
    assert memory < 30_000_000


# ---------------------------------------------------------------------------- the text as a stream


@st.composite
def cut_text(draw) -> tuple[list[bytes], str, str]:
    """A text in blocks of whole characters, and a separator that may well be in it."""
    separator = draw(
        st.sampled_from(
            [SEPARATOR, "-", "--", ".*", "(a|b)", "é中", "one\ntwo", "a\na", "x\r", " ", "|"]
        )
    )
    scraps = [*SCRAPS, separator, f"{separator}\n", f"\n{separator}\n", f"\r\n{separator}\r\n"]
    text = "".join(draw(st.lists(st.sampled_from(scraps), max_size=40)))
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=12)))
    blocks = [text[a:b].encode() for a, b in zip([0, *places], [*places, len(text)], strict=True)]
    return [block for block in blocks if block], text, separator


@settings(deadline=None, max_examples=400)
@given(cut=cut_text(), part=st.integers(1, 40), cuts=st.sampled_from(["none", "raw", "any"]))
def test_documents_in_text_are_those_of_a_plain_split(cut, part, cuts):
    blocks, text, separator = cut
    line = regex.compile(rf"^{regex.escape(separator)}(?:\r?\n|\Z)", regex.MULTILINE)
    wanted = line.split(text.removeprefix("\ufeff"))
    with block_of(64, part):
        chunks = list(documents_in_text(iter(blocks), separator.encode(), cuts))
    found, begun = [], b""
    for chunk in chunks:
        begun += chunk.data
        if chunk.ends:
            found.append(begun.decode())
            begun = b""
    last = [*line.finditer(text.removeprefix("\ufeff"))][-1:]
    if last and last[0].group() == separator:  # at the very end, where it begins no document
        wanted.pop()
    assert (found, begun) == (wanted, b"")
    assert chunks[-1].place == len(text.encode())
    if cuts == "none":
        assert all(chunk.ends for chunk in chunks)


@settings(deadline=None, max_examples=200)
@given(cut=cut_text(), part=st.integers(1, 40), cuts=st.sampled_from(["none", "raw", "any"]),
       size=st.integers(1, 20))  # fmt: skip
def test_from_any_place_on_a_text_goes_on_as_it_would_have(cut, part, cuts, size):
    blocks, text, separator = cut
    data = text.encode()
    with block_of(64, part):
        chunks = list(documents_in_text(iter(blocks), separator.encode(), cuts))
        for i, chunk in enumerate(chunks[:-1]):
            rest = data[chunk.place :].decode()
            again = [rest[n : n + size].encode() for n in range(0, len(rest), size)]
            found = documents_in_text(
                iter(again), separator.encode(), cuts, chunk.place, not chunk.ends
            )
            assert joined(found) == joined(chunks[i + 1 :])


def joined(chunks) -> list[bytes]:
    """The documents that chunks make up."""
    documents = [b""]
    for chunk in chunks:
        documents[-1] += chunk.data
        if chunk.ends:
            documents.append(b"")
    return documents


@pytest.mark.parametrize("cuts", ["none", "raw"])
def test_a_document_that_cannot_be_cut_is_not_copied_with_every_block(cuts, monkeypatch):
    # Twice the blocks take twice the time, not four times: 20,000 copies of a growing text would
    # take minutes.
    monkeypatch.setattr(text_module, "PART", 64)
    blocks = [b"x" * 500] * 20_000
    chunks = list(documents_in_text(iter(blocks), SEPARATOR.encode(), cuts))
    assert [len(chunk.data) for chunk in chunks] == [10_000_000]


@pytest.mark.parametrize(
    ("data", "ending"),
    [
        (b"\x1f\x8b\x08\0", ".gz"), (b"\x28\xb5\x2f\xfd\0", ".zst"), (b"\xfd7zXZ\0", ".xz"),
        (b"BZh91AY&SY", ".bz2"), (b"PAR1\x15\0", ".parquet"),
    ],
)  # fmt: skip
def test_other_kinds_of_files_are_called_by_their_name(write, data, ending):
    with pytest.raises(DataError, match=rf"not text but what a \{ending} file holds") as caught:
        read_text(write(data))
    assert ending.lstrip(".") in caught.value.hint


def test_a_file_is_read_in_blocks(write, monkeypatch):
    path = write("a line\n" * 1000)
    assert streams.BLOCK == text_module.BLOCK >= 1 << 16
    with block_of(100):
        assert len(list(read_blocks(Source(str(path), "text", "")))) == 70


def test_where_a_part_begins_is_no_start_of_a_line():
    # The part is cut right before what would be a separator at the start of a line.
    text = b"word \nmore.more.more."
    for size in range(1, len(text)):
        blocks = [text[n : n + size] for n in range(0, len(text), size)]
        with block_of(64, 4):
            chunks = list(documents_in_text(iter(blocks), b" ", "raw"))
            assert joined(chunks)[0] == text
            if not chunks[0].ends:
                again = documents_in_text(iter([text[4:]]), b" ", "raw", 4, inside=True)
                assert joined(again)[0] == text[4:]
