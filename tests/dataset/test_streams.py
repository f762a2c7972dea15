"""Files as streams of bytes."""

import builtins
import gc
import io
import os
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from packed import COMPRESS, KINDS

from yocto.dataset import streams
from yocto.dataset.sources import Source
from yocto.dataset.streams import kept, opened, reading, seekable, size_of, state_of
from yocto.errors import DataError

DATA = bytes(range(256)) * 3000


def source_of(path, compression="") -> Source:
    return Source(str(path), "text", compression)


@pytest.fixture
def packed(tmp_path):
    def pack(kind: str, data: bytes = DATA) -> Source:
        path = tmp_path / f"a.{kind or 'txt'}"
        path.write_bytes(COMPRESS[kind](data) if kind else data)
        return source_of(path, kind)

    return pack


def give(monkeypatch, data: bytes) -> None:
    """Put bytes on standard input."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))


def read_all(source: Source) -> bytes:
    with opened(source, "Look.") as stream, reading(source, "Look."):
        return stream.file.read()


def fail(source: Source, error: BaseException) -> None:
    with reading(source, "Look."):
        raise error


@pytest.mark.parametrize("kind", ["", *KINDS])
@pytest.mark.parametrize("offset", [0, 1, 1000, streams.BLOCK, streams.BLOCK + 1, len(DATA)])
def test_a_file_is_open_at_an_offset_of_what_it_holds(packed, kind, offset):
    source = packed(kind)
    with opened(source, "") as stream:
        assert stream.consumed() == 0
    with opened(source, "", offset) as stream:
        assert stream.file.read() == DATA[offset:]
        assert stream.consumed() == Path(source.path).stat().st_size


@pytest.mark.parametrize("kind", KINDS)
def test_an_offset_behind_the_end_of_an_archive_is_told(packed, kind):
    with pytest.raises(DataError, match="is cut off"), opened(packed(kind), "", len(DATA) + 1):
        pass


@pytest.mark.parametrize("kind", ["", *KINDS])
def test_files_are_closed_whatever_happens(packed, kind):
    source = packed(kind)
    with opened(source, "") as stream:
        stream.file.read(10)
    assert stream._raw.closed
    with pytest.raises(KeyError), opened(source, "") as stream:
        raise KeyError
    assert stream._raw.closed
    gc.collect()  # an open file that is collected is a warning, and so a failure


def test_what_goes_wrong_is_told_in_one_line_with_the_name(tmp_path, packed, monkeypatch):
    def fault(source: Source) -> DataError:
        with pytest.raises(DataError) as caught:
            read_all(source)
        assert (
            source.path in caught.value.message or "no file can be called" in caught.value.message
        )
        assert "\n" not in caught.value.message
        return caught.value

    assert "there is no text file" in fault(source_of(tmp_path / "nothing.txt")).message
    assert fault(source_of(tmp_path / "nothing.txt")).hint == "Look."
    assert "is a folder" in fault(source_of(tmp_path)).message
    assert "no file can be called 'a\\x00b'" in fault(source_of("a\0b")).message
    assert "no file can be called 'a\\ud800'" in fault(source_of("a\ud800")).message
    assert "File name too long" in fault(source_of("a" * 300)).message
    for kind in KINDS:
        source = packed(kind)
        path = Path(source.path)
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        assert fault(source).message == f"{path} is cut off: the archive has no end"
        path.write_bytes(b"this is no archive at all, it is text")
        assert f"{path} is damaged, or no .{kind} archive" in fault(source).message

    def refuse(self, mode, buffering):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert "can't read" in fault(source_of(tmp_path / "a.gz")).message


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all files")
def test_a_file_that_may_not_be_read_is_told(packed):
    source = packed("")
    Path(source.path).chmod(0)
    with pytest.raises(DataError, match="Permission denied"), opened(source, ""):
        pass


def test_errors_of_a_disk_while_it_is_read_are_told():
    with pytest.raises(DataError, match=r"can't read a\.txt: Input/output error") as caught:
        fail(source_of("a.txt"), OSError(5, "Input/output error"))
    assert caught.value.hint == "Look."
    for error in (KeyboardInterrupt, MemoryError, ZeroDivisionError):  # none of the file's
        with pytest.raises(error):
            fail(source_of("a.txt"), error())
    with pytest.raises(DataError, match="can't read s3://a: ZeroDivisionError"):
        fail(source_of("s3://a"), ZeroDivisionError())


# ------------------------------------------------------------------------------------------- pipes


def test_standard_input_is_read_once_or_kept(monkeypatch, tmp_path):
    give(monkeypatch, b"hello")
    with opened(source_of("-"), "") as stream:
        assert stream.file.read() == b"hello"
    assert not sys.stdin.buffer.closed
    give(monkeypatch, b"hello")
    source = kept(source_of("-"), tmp_path)
    for _ in range(2):
        with opened(source, "", 1) as stream:
            assert stream.file.read() == b"ello"
            assert stream.consumed() == 5
    assert size_of(source) == 5
    assert kept(source) is source
    copy = source.copy
    del source
    gc.collect()
    assert copy.closed
    assert list(tmp_path.iterdir()) == []


def test_standard_input_that_is_closed_is_told(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    for read in (lambda: kept(source_of("-")), lambda: opened(source_of("-"), "").__enter__()):
        with pytest.raises(DataError, match="standard input is closed"):
            read()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
@pytest.mark.parametrize("kind", ["", *KINDS])
def test_a_pipe_with_a_name_is_kept_as_it_comes(tmp_path, kind):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    data = COMPRESS[kind](DATA) if kind else DATA
    writer = threading.Thread(target=path.write_bytes, args=(data,))
    writer.start()
    source = kept(source_of(path, kind))
    writer.join()
    for _ in range(2):
        with opened(source, "", 7) as stream:
            assert stream.file.read() == DATA[7:]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_how_far_a_pipe_is_read_cannot_be_told_and_harms_nothing(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"hello",))
    writer.start()
    with opened(source_of(path), "") as stream:
        assert stream.file.read(100) == b"hello"
        assert stream.consumed() == 0
    writer.join()


def test_a_file_is_not_copied_to_be_kept(packed):
    source = packed("")
    assert kept(source) is source
    assert kept(source_of("nothing")) == source_of("nothing")


def test_what_can_be_read_from_any_place(packed, monkeypatch):
    for kind in ("", *KINDS):
        source = packed(kind)
        with opened(source, "") as stream, seekable(stream, source) as file:
            assert (file is stream.file) == (kind == "")
            assert file.seek(-5, io.SEEK_END) == len(DATA) - 5
            assert file.read() == DATA[-5:]
        assert file.closed


# ------------------------------------------------------------------------------------------ remote


@pytest.fixture
def memory():
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("memory")
    files.store.clear()
    yield files
    files.store.clear()


@pytest.mark.parametrize("kind", ["", *KINDS])
def test_addresses_are_opened_by_fsspec(memory, kind):
    data = COMPRESS[kind](DATA) if kind else DATA
    memory.pipe("/d/a.txt", data)
    source = Source("memory://d/a.txt", "text", kind)
    with opened(source, "", 300) as stream:
        assert stream.file.read() == DATA[300:]
        assert stream.consumed() == len(data)
    assert size_of(source) == len(data)
    assert kept(source) is source


def test_addresses_of_files_here_are_opened(tmp_path):
    pytest.importorskip("fsspec")
    (tmp_path / "a b.txt").write_bytes(b"hello")
    source = source_of(f"file://{tmp_path}/a b.txt")
    with opened(source, "") as stream:
        assert stream.file.read() == b"hello"
    size, told = state_of(source)
    assert size == 5 and told


def test_what_is_wrong_with_an_address_is_told(memory):
    with pytest.raises(DataError, match="there is no text file memory://nothing"):
        read_all(source_of("memory://nothing"))
    with pytest.raises(DataError, match=r"can't read nonsense://a: .*nonsense"):
        read_all(source_of("nonsense://a"))
    assert state_of(source_of("memory://nothing")) == (None, None)
    assert state_of(source_of("nonsense://a")) == (None, None)


def test_without_fsspec_it_is_named(monkeypatch):
    imported = builtins.__import__

    def refuse(name, *rest):
        if name == "fsspec":
            raise ImportError(name)
        return imported(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(DataError, match="s3://a takes the package fsspec") as caught:
        read_all(source_of("s3://a"))
    assert caught.value.hint == "pip install 'yocto[data]'"
    assert state_of(source_of("s3://a")) == (None, None)


# -------------------------------------------------------------------------------------------- state


def test_the_state_of_a_file_changes_with_it(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"hello")
    before = state_of(source_of(path))
    assert before[0] == size_of(source_of(path)) == 5
    os.utime(path, ns=(1, 1))
    assert state_of(source_of(path)) != before
    assert state_of(source_of(path)) == state_of(source_of(path))
    assert state_of(source_of(tmp_path / "nothing")) == (None, None)
    assert state_of(source_of("-")) == (None, None)
