"""A corpus as a stream of documents."""

import gc
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packed import COMPRESS, KINDS

from yocto.config import TextConfig
from yocto.dataset import documents as documents_module
from yocto.dataset import text as text_module
from yocto.dataset.documents import (
    BEGIN,
    LookedThrough,
    Piece,
    Place,
    Texts,
    open_texts,
    read_documents,
)
from yocto.dataset.sources import Source
from yocto.dataset.streams import kept
from yocto.errors import DataError

SEPARATOR = "<|endoftext|>"
TEXT = "one two three é🙂 four. 中文 five\r\n\r\nsix "
DOCUMENTS = [
    "\ufeffa short one\n",
    " \n",
    TEXT * 12 + "\n",
    "",
    "\t",
    TEXT * 3,
    "x" * 300,
    TEXT,
    "end",
]


def encoded(text: str, bad: bool) -> bytes:
    return text.encode().replace("é".encode(), b"\xe9" if bad else "é".encode())


def written(form: str, documents: list[str], bad: bool) -> bytes:
    """A file of documents; with bytes that are no UTF-8 in some of them."""
    if form == "parquet":
        pa = pytest.importorskip("pyarrow")
        import pyarrow.parquet as pq

        values = [
            d.encode().replace("é".encode(), b"\xe9" if bad else "é".encode()) for d in documents
        ]
        pq.write_table(pa.table({"text": values}), out := io.BytesIO(), row_group_size=4)
        return out.getvalue()
    if form == "text":
        data = f"\n{SEPARATOR}\n".join(documents)
    elif form == "csv":
        data = "text,n\n" + "".join('"{}",1\n'.format(d.replace('"', '""')) for d in documents)
    elif form == "json":
        data = json.dumps([{"text": d} for d in documents], ensure_ascii=False, indent=1)
    else:  # the last line without a newline
        data = "\n".join(json.dumps(d, ensure_ascii=False) for d in documents)
    return encoded(data, bad)


def joined(pieces: Iterator[Piece] | list[Piece]) -> list[bytes]:
    """The documents that pieces make up, the first one from where it goes on."""
    found: list[bytes] = []
    for piece in pieces:
        if piece.starts or not found:
            found.append(b"")
        found[-1] += piece.data
    return found


@pytest.mark.parametrize("errors", ["strict", "replace"])
@pytest.mark.parametrize("kind", ["", *KINDS])
@pytest.mark.parametrize("form", ["text", "jsonl", "json", "csv", "parquet"])
def test_from_every_place_on_just_what_followed_is_read(tmp_path, monkeypatch, form, kind, errors):
    monkeypatch.setattr(text_module, "BLOCK", 50)
    monkeypatch.setattr(text_module, "PART", 60)
    data = written(form, DOCUMENTS, errors == "replace")
    path = tmp_path / f"a.{form.replace('text', 'txt')}{kind and '.' + kind}"
    path.write_bytes(COMPRESS[kind](data) if kind else data)
    other = tmp_path / "b.txt"
    other.write_text("another")
    config = TextConfig(errors=errors)
    for cuts in ("raw", "any", "none"):
        texts = open_texts([path, other, path], config, cuts=cuts)
        pieces = list(texts.pieces())
        assert len(joined(pieces)) == 2 * 6 + 1
        if form == "text" and cuts != "none":
            assert sum(not piece.ends for piece in pieces) > 8  # places inside documents
        for i, piece in enumerate(pieces):
            assert Place(*json.loads(json.dumps(piece.place))) == piece.place
            rest = list(texts.pieces(piece.place))
            assert joined(rest) == joined(pieces[i + 1 :])
            if rest:
                assert rest[0].starts == piece.ends
                assert rest[-1].place == pieces[-1].place


SCRAPS = ["a b ", "é ", "word\n", "\n", f"\n{SEPARATOR}\n", "\r\n", " ", "🙂", "\ufeff"]


@settings(deadline=None, max_examples=150)
@given(
    parts=st.lists(st.sampled_from(SCRAPS), max_size=40),
    bad=st.sampled_from([b"", b"\xff", b"\xe9", b"\xf0\x9f"]),
    block=st.integers(1, 30), part=st.integers(1, 30),
    errors=st.sampled_from(["strict", "replace"]),
)  # fmt: skip
def test_plain_text_goes_on_from_every_place(tmp_path_factory, parts, bad, block, part, errors):
    path = tmp_path_factory.mktemp("place") / "a.txt"
    middle = bad if errors == "replace" else b""
    half = len(parts) // 2
    path.write_bytes(
        "".join(parts[:half]).encode() + middle + "".join([*parts[half:], "x"]).encode()
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_module, "BLOCK", block)
        patch.setattr(text_module, "PART", part)
        texts = open_texts([path], TextConfig(errors=errors))
        pieces = list(texts.pieces())
        for i, piece in enumerate(pieces):
            assert joined(texts.pieces(piece.place)) == joined(pieces[i + 1 :])


def test_documents_of_many_files_keep_their_boundaries(tmp_path):
    for name, data in (
        ("1.txt", f"a\n{SEPARATOR}\nb"), ("2.md", "c"), ("3.jsonl", '"d"\n{"text": "e"}'),
        ("4.json", '["f", "g"]'), ("5.csv", "n,text\n1,h\n2,i\n"), ("6.txt", " \n"),
    ):  # fmt: skip
        (tmp_path / name).write_text(data)
    (tmp_path / "7.jsonl.gz").write_bytes(COMPRESS["gz"](b'"j"'))
    wanted = ["a\n", *"bcdefghij"]
    assert list(read_documents([tmp_path])) == wanted
    assert list(read_documents([tmp_path / "*.*"])) == wanted
    assert list(read_documents(sorted(tmp_path.iterdir()))) == wanted


def test_how_much_is_read_grows_to_the_size(tmp_path):
    for name in ("a.txt", "b.jsonl"):
        (tmp_path / name).write_text("1\n" * 10 if name == "a.txt" else '"word"\n' * 10)
    (tmp_path / "c.csv.gz").write_bytes(COMPRESS["gz"](b"text\nword\n"))
    texts = open_texts([tmp_path])
    assert texts.size == sum(path.stat().st_size for path in tmp_path.iterdir())
    consumed = [texts.consumed for _ in texts.pieces()]
    assert consumed == sorted(consumed) and 0 < consumed[0] <= consumed[-1]
    assert texts.consumed == texts.size
    assert texts.text_size == 20 + 70 + 4 * (tmp_path / "c.csv.gz").stat().st_size


def test_files_that_are_not_read_to_their_end_are_closed(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(f"a\n{SEPARATOR}\nb")
    for kind in ("", *KINDS):
        if kind:
            (tmp_path / f"a.txt.{kind}").write_bytes(COMPRESS[kind](path.read_bytes()))
        pieces = open_texts([tmp_path / f"a.txt{kind and '.' + kind}"]).pieces()
        next(pieces)
        del pieces
        gc.collect()  # an open file would be a warning


def test_a_file_that_goes_or_changes_before_it_is_opened_is_told(tmp_path):
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_text(name)
    pieces = open_texts([tmp_path], hint="Look.").pieces()
    assert next(pieces).data == b"a.txt"
    (tmp_path / "b.txt").unlink()
    with pytest.raises(DataError, match=r"there is no text file .*b\.txt") as caught:
        next(pieces)
    assert caught.value.hint == "Look."


def test_a_cut_off_archive_gives_what_it_has_and_then_an_error(tmp_path):
    lines = "".join(json.dumps(f"text {i}" * 50) + "\n" for i in range(20_000))
    for kind in KINDS:
        path = tmp_path / f"a.jsonl.{kind}"
        packed = COMPRESS[kind](lines.encode())
        path.write_bytes(packed[: len(packed) - 20])
        found = []
        with pytest.raises(DataError, match="is cut off: the archive has no end"):
            found.extend(open_texts([path]).pieces())
        assert found or kind == "bz2"
        # When it is whole at last, the rest of it follows.
        path.write_bytes(packed)
        place = found[-1].place if found else BEGIN
        assert len(list(open_texts([path]).pieces(place))) == 20_000 - len(found)


def test_standard_input_is_read_as_any_format(monkeypatch):
    for form, data in (
        ("auto", b"a\n<|endoftext|>\nb"), ("jsonl", b'"a\\n"\n"b"'), ("csv", b'text\n"a\n"\nb\n')
    ):  # fmt: skip
        for keep in (False, True):
            monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
            texts = open_texts(["-"], TextConfig(text_format=form))
            if keep:
                texts.sources = [kept(source) for source in texts.sources]
                assert texts.size == len(data)
                assert list(texts.parts()) == ["a\n", "b"]
            assert list(texts.parts()) == ["a\n", "b"]


def test_parquet_comes_from_standard_input_too(monkeypatch):
    data = written("parquet", ["a", "b"], False)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    assert list(open_texts(["-"], TextConfig(text_format="parquet")).parts()) == ["a", "b"]


@pytest.mark.parametrize("form", ["text", "jsonl", "json", "csv", "parquet"])
def test_addresses_are_read_in_every_format(form):
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("memory")
    name = f"/place/a.{form.replace('text', 'txt')}"
    files.pipe(name, written(form, ["a ", "b"], False))
    try:
        texts = open_texts([f"memory:/{name}"])
        pieces = list(texts.pieces())
        assert [piece.data.strip() for piece in pieces] == [b"a", b"b"]
        assert list(texts.pieces(pieces[0].place)) == pieces[1:]
        assert texts.size == files.info(name)["size"]
    finally:
        files.store.clear()


def test_what_tells_whether_files_have_changed(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("a")
    before = open_texts([path]).identity()
    assert before == json.loads(json.dumps(before))
    assert open_texts([path]).identity() == before
    os.utime(path, ns=(1, 1))
    assert open_texts([path]).identity() != before


def test_no_text_at_all_is_an_error_but_not_where_reading_goes_on(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(" \n")
    texts = open_texts([path], hint="Look.")
    with pytest.raises(DataError, match=r"there is no text in .*a\.txt") as caught:
        list(texts.pieces())
    assert caught.value.hint == "Look."
    assert list(texts.pieces(Place(0, 2))) == []
    assert list(texts.pieces(Place(1, 0))) == []
    with pytest.raises(DataError, match="there is no text in no file"):
        list(Texts([]).pieces())


def test_the_separator_is_the_one_that_is_named_first(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(f"a\n--\nb\n{SEPARATOR}\nc")
    assert len(list(open_texts([path]).parts())) == 2
    assert list(open_texts([path], separator="--").parts()) == ["a\n", f"b\n{SEPARATOR}\nc"]
    config = TextConfig(document_separator="--")
    assert next(open_texts([path], config, separator="b").parts()) == "a\n"


def test_a_source_tells_its_format():
    assert Texts([Source("a", "text", "")]).sources == [Source("a", "text", "")]


# ------------------------------------------------------------------------------------------ memory

READ = """
import sys
from yocto.config import TextConfig
from yocto.dataset.documents import open_texts
from yocto.utils.cuts import last_cut

def most():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))

if sys.argv[1].endswith("parquet"):
    import pyarrow.parquet
last_cut("a b")  # its table is there
before = most()
print(sum(len(piece.data) for piece in open_texts([sys.argv[1]]).pieces()), most() - before)
"""
LINE = "It ends in a full stop, as lines do."
LARGE = ["a.jsonl", "a.jsonl.gz", "a.json", "a.csv", "a.parquet", "a.txt.zst", "a.txt.xz"]


@pytest.mark.parametrize("name", LARGE)
def test_large_files_take_little_memory(tmp_path, name):
    if not Path("/proc/self/status").exists():
        pytest.skip("no /proc")
    texts = [f"{i} {LINE} " * 1000 for i in range(1000)]
    if name == "a.parquet":
        data = written("parquet", texts, False)
    elif name == "a.json":
        data = json.dumps(texts).encode()
    elif name == "a.csv":
        data = ("text\n" + "".join(f'"{text}"\n' for text in texts)).encode()
    elif name.startswith("a.txt"):
        data = "".join(texts).encode()
    else:
        data = "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()
    kind = name.rpartition(".")[2]
    if kind == "zst" and kind not in KINDS:
        pytest.skip("no package for it")
    path = tmp_path / name
    path.write_bytes(COMPRESS[kind](data) if kind in KINDS else data)
    done = subprocess.run([sys.executable, "-c", READ, path], capture_output=True, text=True)
    read, memory = map(int, done.stdout.split())
    assert read == sum(map(len, texts))
    assert memory < 60_000_000


# ---------------------------------------------------------------------------------- a first look


class Counted:
    """Documents that tell how often they were read."""

    size = consumed = 0

    def __init__(self, count: int) -> None:
        self.count = count
        self.read: list[int] = []  # the first document of each reading, and how many were given

    def pieces(self, start: Place = BEGIN) -> Iterator[Piece]:
        for number in range(start.at, self.count):
            self.read.append(number)
            yield Piece(b"x" * 10, True, True, Place(0, number + 1))


@given(count=st.integers(0, 12), looked=st.integers(0, 12), limit=st.integers(0, 150))
def test_what_a_first_look_read_is_given_again_and_not_read_twice(count, looked, limit):
    documents = Counted(count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents_module, "_REMEMBERED", limit)
        seen = LookedThrough(documents)
        first = list(islice(seen.look(), looked))
        again = list(seen.pieces())
    assert again == list(Counted(count).pieces())
    assert first == again[:looked]
    kept = 10 * len(first) <= limit
    assert documents.read == [*range(len(first) * (not kept)), *range(count)]


def test_who_goes_on_elsewhere_reads_from_there():
    documents = Counted(5)
    seen = LookedThrough(documents)
    list(islice(seen.look(), 2))
    assert len(list(seen.pieces(Place(0, 3)))) == 2
    assert len(list(seen.pieces())) == 5
