"""Files that are whole or not there."""

import errno
import hashlib
import json
import os
import stat
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from yocto.errors import CheckpointError, DataError, YoctoError
from yocto.utils.files import (
    atomic_dir,
    atomic_file,
    read_json,
    sha256_file,
    shipped_file,
    write_json,
    write_text,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fill_the_disk(writing: AbstractContextManager[object]) -> None:
    with writing:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_an_atomic_file_holds_what_was_written(tmp_path):
    with atomic_file(tmp_path / "new" / "a.bin") as file:
        file.write(b"\0one")
        file.write(b"two")
    assert (tmp_path / "new" / "a.bin").read_bytes() == b"\0onetwo"
    assert names(tmp_path / "new") == ["a.bin"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, YoctoError])
def test_the_old_file_stays_whole_when_writing_fails(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error), atomic_file(path) as file:
        file.write(b"half of the n")
        raise error("stop")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_until_it_is_done_the_old_file_is_there_and_the_new_one_is_hidden(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with atomic_file(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
        (hidden,) = set(names(tmp_path)) - {"a.txt"}
        assert hidden.startswith(".")
    assert path.read_text() == "new"


def test_a_full_disk_is_an_error_that_names_the_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(YoctoError, match=r"can't write .*a\.txt: No space left") as caught:
        fill_the_disk(atomic_file(path))
    assert "another disk" in caught.value.hint
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("write", [write_text, lambda path, text: write_json(path, text)])
def test_a_folder_that_is_a_file_is_an_error_that_names_the_file(tmp_path, write):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(YoctoError, match=r"can't write .*file"):
        write(tmp_path / "file" / "a.txt", "text")


def test_the_data_reach_the_disk_before_the_name_does(tmp_path, monkeypatch):
    happened = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (happened.append("fsync"), fsync(fd)))
    monkeypatch.setattr(
        Path, "replace", lambda self, to: (happened.append("rename"), replace(self, to))[1]
    )
    write_text(tmp_path / "a.txt", "text")
    assert happened == ["fsync", "rename", "fsync"]


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_the_file_mode_respects_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_text(tmp_path / "a.txt", "text")
        assert os.umask(umask) == umask  # and the umask is as it was
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o666 & ~umask


# --------------------------------------------------------------------------------------- folders


def fill(folder: Path, text: str) -> None:
    (folder / "a.txt").write_text(text)
    (folder / "deep").mkdir()
    (folder / "deep" / "b.txt").write_text(text)


def test_an_atomic_folder_holds_what_was_put_into_it(tmp_path):
    path = tmp_path / "new" / "step-1"
    with atomic_dir(path) as folder:
        assert not path.exists()
        fill(folder, "text")
    assert names(path) == ["a.txt", "deep"]
    assert (path / "deep" / "b.txt").read_text() == "text"
    assert names(tmp_path / "new") == ["step-1"]


def test_an_atomic_folder_replaces_the_old_one_whole(tmp_path):
    (tmp_path / "step-1").mkdir()
    (tmp_path / "step-1" / "stale.txt").write_text("old")
    with atomic_dir(tmp_path / "step-1") as folder:
        fill(folder, "new")
    assert names(tmp_path / "step-1") == ["a.txt", "deep"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_old_folder_stays_whole_when_filling_fails(tmp_path, error):
    (tmp_path / "step-1").mkdir()
    fill(tmp_path / "step-1", "old")
    with pytest.raises(error), atomic_dir(tmp_path / "step-1") as folder:
        fill(folder, "new")
        raise error("stop")
    assert (tmp_path / "step-1" / "deep" / "b.txt").read_text() == "old"
    assert names(tmp_path) == ["step-1"]


def test_what_a_killed_writer_left_does_not_get_into_a_folder(tmp_path):
    left = tmp_path / f".step-1.{os.getpid()}.tmp"
    left.mkdir()
    (left / "half.txt").write_text("half")
    with atomic_dir(tmp_path / "step-1") as folder:
        fill(folder, "new")
    assert names(tmp_path / "step-1") == ["a.txt", "deep"]
    assert names(tmp_path) == ["step-1"]


def test_a_full_disk_while_filling_a_folder_is_an_error_that_names_it(tmp_path):
    with pytest.raises(YoctoError, match=r"can't write .*step-1: No space left"):
        fill_the_disk(atomic_dir(tmp_path / "step-1"))
    assert names(tmp_path) == []


# ------------------------------------------------------------------------------------ text, JSON


def test_text_is_written_as_utf_8_with_its_newlines(tmp_path):
    write_text(tmp_path / "a.txt", "é\r\n\n🙂")
    assert (tmp_path / "a.txt").read_bytes() == "é\r\n\n🙂".encode()


def test_json_comes_back_and_is_readable_by_people(tmp_path):
    value = {"ünï": [1, 2.5, None, True], "🙂": {"a": "b"}}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json", DataError) == value
    content = (tmp_path / "a.json").read_text("utf-8")
    assert "ünï" in content and content.endswith("}\n")
    write_json(tmp_path / "b.json", value, indent=None)
    assert (tmp_path / "b.json").read_text("utf-8").count("\n") == 1


@pytest.mark.parametrize("error", [DataError, CheckpointError])
@pytest.mark.parametrize(
    "data", [b"", b"{", b'{"a": 1', b"[1] 2", b"\xff\xfe\xff", b"[" * 100_000, b"9" * 5000, b"'a'"]
)
def test_broken_json_is_refused_by_name(tmp_path, data, error):
    path = tmp_path / "a.json"
    path.write_bytes(data)
    with pytest.raises(error, match=r"a\.json is not valid JSON") as caught:
        read_json(path, error, "what to do")
    assert caught.value.hint == "what to do"


def test_json_that_is_missing_or_a_folder_is_refused_by_name(tmp_path):
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(DataError, match="can't read ") as caught:
            read_json(path, DataError, "what to do")
        assert str(path) in caught.value.message


def test_the_sha256_of_a_file(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"abc" * 100_000)
    assert sha256_file(tmp_path / "a.bin") == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_shipped_files_are_found():
    corpus = shipped_file("philosophy.txt")
    assert corpus is not None and corpus.is_file()
    assert shipped_file("nothing.txt") is None


def test_json_is_what_other_tools_read(tmp_path):
    write_json(tmp_path / "a.json", {"a": 1})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": 1}
