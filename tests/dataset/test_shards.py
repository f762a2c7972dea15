"""Token files in the making."""

from __future__ import annotations

import copy
import errno
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yocto.dataset import shards
from yocto.dataset.shards import SplitState, SplitWriter, check_size, part_file
from yocto.dataset.tokens import FileMeta
from yocto.errors import DataError, YoctoError

RUNS = st.lists(st.lists(st.integers(0, 65535), max_size=12), max_size=8)


def writer(folder: Path, state: SplitState, limit: int | None = None, dtype="uint16", on_file=None):
    return SplitWriter(folder, "train", dtype, limit, state, on_file or (lambda: None))


def count(state: SplitState, ids: list[int]) -> None:
    """What the encoder does once ids are written."""
    state.tokens += len(ids)


@given(RUNS, st.sampled_from([None, 1, 2, 5, 100]), st.sampled_from(["uint16", "uint32"]))
def test_the_files_hold_the_ids_in_order_cut_at_the_limit(tmp_path_factory, runs, limit, dtype):
    folder = tmp_path_factory.mktemp("shards")
    state = SplitState()
    w = writer(folder, state, limit, dtype)
    for ids in runs:
        w.write(np.array(ids, "uint32"))
        count(state, ids)
    w.finish()
    shards.name_files(folder, state)
    everything = [i for ids in runs for i in ids]
    step = limit or max(1, len(everything))
    parts = [everything[i : i + step] for i in range(0, len(everything), step)]
    if limit is None and not everything:
        parts = [[]]
    assert [file.tokens for file in state.files] == list(map(len, parts))
    little = "<u2" if dtype == "uint16" else "<u4"
    for i, (file, part) in enumerate(zip(state.files, parts, strict=True)):
        assert file.name == ("train.bin" if limit is None else f"train_{i:06d}.bin")
        data = (folder / file.name).read_bytes()
        assert np.frombuffer(data, little).tolist() == part
        assert file.sha256 == hashlib.sha256(data).hexdigest()
    assert {path.name for path in folder.iterdir()} == {file.name for file in state.files}
    meta = state.meta()
    assert (meta.tokens, meta.files) == (len(everything), state.files)


@given(RUNS, RUNS, st.sampled_from([None, 1, 2, 5, 100]), st.booleans(), st.integers(0, 40))
def test_gone_on_with_tokens_that_are_there_are_not_written_again(
    tmp_path_factory, before, after, limit, counted, junk
):
    """The state may be saved between two batches, or within one: files are ahead of it then."""
    folder = tmp_path_factory.mktemp("again")
    state = SplitState()
    w = writer(folder, state, limit)
    for ids in before:
        w.write(np.array(ids, "uint16"))
        if counted:
            count(state, ids)
    w.sync()
    saved = copy.deepcopy(state)
    # More, of which the saved state does not tell; but a file that is full is told of at once.
    w.write(np.arange(min(junk, (limit or 99) - 1 - state.have), dtype="uint16"))
    w.close()
    w = writer(folder, saved, limit)
    for ids in [*([] if counted else before), *after]:
        w.write(np.array(ids, "uint16"))
        count(saved, ids)
    w.finish()
    shards.name_files(folder, saved)
    found = [np.frombuffer((folder / f.name).read_bytes(), "<u2").tolist() for f in saved.files]
    assert [i for ids in found for i in ids] == [i for ids in [*before, *after] for i in ids]
    digests = [hashlib.sha256((folder / f.name).read_bytes()).hexdigest() for f in saved.files]
    assert [f.sha256 for f in saved.files] == digests


def test_a_file_gets_its_name_only_after_the_state_that_tells_of_it(tmp_path):
    state = SplitState()
    seen = []

    def on_file() -> None:
        seen.append((len(state.files), (tmp_path / "train_000000.bin").exists(), state.have))

    w = writer(tmp_path, state, 3, on_file=on_file)
    w.write(np.arange(4, dtype="uint16"))
    assert seen == [(1, False, 0)]
    assert (tmp_path / "train_000000.bin").exists()
    w.close()


def test_a_finished_file_without_its_name_gets_it(tmp_path):
    part_file(tmp_path, "train_000000.bin").write_bytes(b"\1\0\2\0")
    state = SplitState(tokens=2, files=[FileMeta("train_000000.bin", 2, "0" * 64)])
    w = writer(tmp_path, state, 2)
    w.close()
    assert (tmp_path / "train_000000.bin").read_bytes() == b"\1\0\2\0"


def test_the_state_tells_only_of_what_the_disk_has(tmp_path, monkeypatch):
    state = SplitState()
    w = writer(tmp_path, state)
    w.write(np.arange(5, dtype="uint16"))
    assert state.have == 0
    synced = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(state.have))
    w.sync()
    assert (synced, state.have) == ([0], 5)
    w.close()


def test_a_long_file_is_flushed_on_the_way(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "_FLUSHED", 10)
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    w = writer(tmp_path, SplitState())
    for _ in range(10):
        w.write(np.arange(5, dtype="uint16"))
    w.sync()
    assert len(synced) == 11
    w.close()


@pytest.mark.parametrize("problem", [errno.ENOSPC, errno.EIO])
def test_an_error_of_the_disk_in_the_background_is_not_lost(tmp_path, monkeypatch, problem):
    def fails(handle: int) -> None:
        raise OSError(problem, os.strerror(problem))

    w = writer(tmp_path, SplitState())
    monkeypatch.setattr(shards, "_FLUSHED", 2)
    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(YoctoError, match=r"can't write .*train\.bin") as caught:
        for _ in range(20):
            w.write(np.arange(5, dtype="uint16"))
    assert caught.value.hint
    w.close()


def test_a_disk_that_takes_only_a_part_at_a_time_gets_it_all(tmp_path):
    state = SplitState()
    w = writer(tmp_path, state)
    file = w._file

    class Slow:
        closed = False

        def write(self, data) -> int:
            return file.write(data[:3])

        def fileno(self) -> int:
            return file.fileno()

        def close(self) -> None:
            file.close()

    w._file = Slow()
    w.write(np.arange(50, dtype="uint16"))
    w.finish()
    shards.name_files(tmp_path, state)
    assert np.fromfile(tmp_path / "train.bin", "<u2").tolist() == list(range(50))


@pytest.mark.parametrize("size", [None, 0, 3, 5])
def test_a_file_that_is_not_what_it_was_is_told(tmp_path, size):
    path = tmp_path / "train.bin"
    if size is not None:
        path.write_bytes(b"x" * size)
    if size == 5:
        check_size(path, 4, or_more=True)
    with pytest.raises(DataError, match="is gone" if size is None else f"has {size} bytes, not 4"):
        check_size(path, 4)


@pytest.mark.parametrize(
    "change",
    [
        {"tokens": -1}, {"bytes": 1.5}, {"documents": True}, {"have": "1"}, {"unknown": 1 << 63},
        {"tokens": 99}, {"files": 5}, {"files": [{"name": "../x.bin"}]}, {"more": 1},
        {"files": [{"name": "../x.bin", "tokens": 4, "sha256": ""}]},
    ],
)  # fmt: skip
def test_a_state_that_can_t_be_is_refused(change):
    good = {"tokens": 3, "bytes": 9, "documents": 1, "unknown": 0, "files": [], "have": 3}
    assert SplitState.of(good).written == 3
    with pytest.raises((ValueError, KeyError, TypeError)):
        SplitState.of({**good, **change})
