"""The folder that token files are made in, and work that is killed at any moment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from encoding import MAKER, Told, files_in, write

import yocto
from yocto.config import END_OF_TEXT
from yocto.dataset import encode
from yocto.dataset.documents import BEGIN, Place, open_texts
from yocto.dataset.shards import SplitState
from yocto.dataset.split import SplitPlan
from yocto.dataset.tokens import FileMeta
from yocto.dataset.work import BESIDE, STATE_FILE, Work, WorkState
from yocto.errors import DataError, YoctoError
from yocto.utils.progress import SilentProgress

TESTS = Path(__file__).parent.parent
SCENARIOS = [
    "shards", "shards seldom", "plain", "plain twice", "old", "old shards", "old shards twice",
    "shards stop", "old stop", "lost shards stop", "old lost stop", "old lost",
]  # fmt: skip


def killed_everywhere(folder: Path, scenario: str, step: int) -> None:
    if not hasattr(__import__("os"), "fork"):
        pytest.skip("takes fork")
    environment = {"PYTHONPATH": f"{Path(yocto.__file__).parent.parent}:{TESTS}", "PATH": ""}
    done = subprocess.run(
        [sys.executable, TESTS / "kill_worker.py", folder, scenario, str(step)],
        capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *faults, tried = done.stdout.splitlines()
    assert not faults
    assert int(tried.removeprefix("tried ")) > 10


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_killed_at_some_lines_and_gone_on_the_files_are_the_same(tmp_path, scenario) -> None:
    killed_everywhere(tmp_path, scenario, 101)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_killed_at_any_line_and_gone_on_the_files_are_the_same(tmp_path, scenario) -> None:
    killed_everywhere(tmp_path, scenario, 2)


# ----------------------------------------------------------------------------------- the state

IDENTITY = {"tokenizer": "0" * 64, "val_ratio": 0.1, "inputs": [["a.txt", 100, "1"]],
            "sources": ["a.txt"], "settings": {}}  # fmt: skip


def state() -> WorkState:
    return WorkState(
        {
            "train": SplitState(5, 20, 2, 1, [FileMeta("train_000000.bin", 4, "0" * 64)], 3),
            "val": SplitState(),
        },
        SplitPlan(0.1), Place(0, 17, True), "train", 18, False, [],
    )  # fmt: skip


def begun(folder: Path, **changes: object) -> WorkState:
    return Work(folder, {**IDENTITY, **changes}).begin(True, True, SilentProgress())


def test_a_state_comes_back_as_it_was_saved(tmp_path):
    Work(tmp_path, IDENTITY).save(state())
    assert begun(tmp_path) == state()


def test_the_state_is_plain_json_that_tells_of_the_format(tmp_path):
    Work(tmp_path, IDENTITY).save(state())
    content = json.loads((tmp_path / STATE_FILE).read_text())
    assert (content["format"], content["version"]) == ("yocto-encoding", 1)
    assert content["place"] == [0, 17, True]


DAMAGES = {
    "no format": ("format", None), "another version": ("version", 2),
    "no splits": ("splits", None), "a split that is missing": ("splits", {}),
    "a place too short": ("place", [1]), "a place before the start": ("place", [0, -1, False]),
    "a place that is no number": ("place", ["0", 1, False]),
    "a place without truth": ("place", [0, 1, 2]), "another split": ("split", "test"),
    "a plan that can't be": ("plan", {"limit": 7}), "a count that is none": ("consumed", "5"),
    "no identity": ("identity", None), "old files that are none": ("old", 5),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_state_is_refused_by_name_and_left_alone(tmp_path, name):
    Work(tmp_path, IDENTITY).save(state())
    path = tmp_path / STATE_FILE
    key, value = DAMAGES[name]
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    before = files_in(tmp_path)
    with pytest.raises(DataError, match=r"\.encoding\.json is damaged") as caught:
        begun(tmp_path)
    assert "without --resume" in caught.value.hint
    assert files_in(tmp_path) == before


@pytest.mark.parametrize("content", ["", "{", "[]", "7", "null"])
def test_a_state_cut_off_is_refused_by_name_and_starting_anew_helps(tmp_path, content):
    (tmp_path / STATE_FILE).write_text(content)
    with pytest.raises(DataError, match=r"\.encoding\.json is"):
        begun(tmp_path)
    Work(tmp_path, IDENTITY).begin(False, False, SilentProgress())
    assert files_in(tmp_path) == {}


@pytest.mark.parametrize(
    ("inputs", "plan", "place", "same"),
    [
        ([["a.txt", 100, "1"]], SplitPlan(0.1), (0, 17), True),
        ([["a.txt", 100, "2"]], SplitPlan(0.1), (0, 17), True),  # touched
        ([["a.txt", 200, "2"]], SplitPlan(0.1), (0, 17), True),  # a download goes on
        ([["a.txt", 99, "2"]], SplitPlan(0.1), (0, 17), False),
        ([["b.txt", 100, "1"]], SplitPlan(0.1), (0, 17), False),
        ([], SplitPlan(0.1), (0, 17), False),
        ([["a.txt", 100, "1"], ["b.txt", 1, "1"]], SplitPlan(0.1), (0, 17), True),
        ([["a.txt", 99, "2"]], SplitPlan(0.1), (0, 0), True),  # nothing of it was read
        ([["a.txt", 99, "2"]], None, (0, 0), True),
        ([["a.txt", 100, "2"]], SplitPlan(0.1), (1, 0), False),  # all of it was read
        ([["a.txt", 200, "2"]], SplitPlan(0.0, 50), (0, 17), False),  # one document, cut elsewhere
        ([["a.txt", 100, "1"]], SplitPlan(0.0, 50), (0, 17), True),
        ([["a.txt", 200, "2"]], SplitPlan(0.3), (0, 17), False),  # chance was mended
    ],
)
def test_which_changes_of_the_text_are_refused(tmp_path, inputs, plan, place, same):
    old = state()
    old.plan, old.place = plan, Place(*place)
    Work(tmp_path, IDENTITY).save(old)
    if same:
        assert begun(tmp_path, inputs=inputs) == old
        return
    with pytest.raises(DataError, match="files have changed since"):
        begun(tmp_path, inputs=inputs)


def test_a_fresh_start_is_at_the_beginning_and_leaves_other_files_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    fresh = Work(tmp_path, IDENTITY).begin(False, False, SilentProgress())
    assert (fresh.place, fresh.written, fresh.plan) == (BEGIN, 0, None)
    assert files_in(tmp_path) == {"notes.txt": b"mine"}


def test_a_file_of_somebody_else_is_not_touched_until_the_end(tmp_path):
    text = tmp_path / "a.txt"
    text.write_text(f"one\n{END_OF_TEXT}\ntwo\n")
    out = tmp_path / "o"
    out.mkdir()
    (out / "train.bin").write_bytes(b"nanoGPT")
    work = Work(out, IDENTITY)
    work.begin(False, True, SilentProgress())
    assert work.folder == out / BESIDE
    assert (out / "train.bin").read_bytes() == b"nanoGPT"
    write(out, open_texts([text]))
    assert sorted(files_in(out)) == ["meta.json", "train.bin", "val.bin"]


class Stop(BaseException):
    pass


def interrupted(tmp_path: Path, monkeypatch) -> Path:
    """A folder with finished shards and a state."""
    monkeypatch.setattr(encode, "_BATCH", 10)
    text = tmp_path / "a.txt"
    text.write_text(f"\n{END_OF_TEXT}\n".join(f"some words {i} of it" for i in range(40)))
    left = [10]

    def failing(parts):
        left[0] -= 1
        if left[0] < 0:
            raise Stop
        return MAKER.encode(parts)

    maker = encode.TokenMaker(failing, MAKER.vocab_size, MAKER.end_id, MAKER.sha256)
    with pytest.raises(Stop):
        write(tmp_path / "o", open_texts([text]), maker, shard_tokens=8, keep=True)
    assert (tmp_path / "o/train_000001.bin").exists()
    return text


@pytest.mark.parametrize("name", ["train_000000.bin", ".train_000004.bin.part"])
@pytest.mark.parametrize("cut", [True, False])
def test_finished_work_that_is_gone_or_cut_off_is_told(tmp_path, monkeypatch, name, cut):
    monkeypatch.setattr(encode, "_SAVED", -1)
    text = interrupted(tmp_path, monkeypatch)
    path = tmp_path / "o" / name
    if not path.exists():
        (path,) = (tmp_path / "o").glob(".train_*.part")
    if cut:
        path.write_bytes(path.read_bytes()[:1])
    else:
        path.unlink()
    with pytest.raises(DataError) as caught:
        write(tmp_path / "o", open_texts([text]), shard_tokens=8, keep=True, resume=True)
    assert str(path) in caught.value.message
    assert "without --resume" in caught.value.hint
    write(tmp_path / "o", open_texts([text]), shard_tokens=8, keep=True)  # as the hint says
    write(tmp_path / "whole", open_texts([text]), shard_tokens=8, keep=True)
    assert files_in(tmp_path / "o") == files_in(tmp_path / "whole")


def test_starting_anew_after_work_that_was_done_but_for_its_state_harms_nothing(tmp_path):
    text = tmp_path / "a.txt"
    text.write_text(f"one\n{END_OF_TEXT}\ntwo\n")
    out = tmp_path / "o"
    write(out, open_texts([text]))
    whole = files_in(out)
    done = WorkState(complete=True)
    done.splits["train"].files = [FileMeta("train.bin", 1, "0" * 64)]
    Work(out, IDENTITY).save(done)
    told = Told()
    with pytest.raises(DataError):  # the new work fails at once
        write(out, open_texts([tmp_path / "none.txt"]), progress=told)
    assert files_in(out) == whole
    assert not any("interrupted" in line for line in told.lines)


def test_what_belongs_to_the_files_is_written_before_old_ones_go(tmp_path):
    text = tmp_path / "a.txt"
    text.write_text(f"one\n{END_OF_TEXT}\ntwo\n")
    out = tmp_path / "o"
    write(out, open_texts([text]))
    whole = files_in(out)

    def refuses(folder: Path) -> None:
        raise YoctoError("another tokenizer lies there", "Choose another folder.")

    with pytest.raises(YoctoError, match="another tokenizer"):
        write(out, open_texts([text]), val_ratio=0.5, finish=refuses)
    assert files_in(out) == whole


def test_killed_before_the_first_note_old_files_are_not_taken_for_the_new_ones(tmp_path):
    text = tmp_path / "a.txt"
    text.write_text(f"one\n{END_OF_TEXT}\ntwo\n")
    out = tmp_path / "o"
    write(out, open_texts([text]), keep=True)
    text.write_text(f"one\n{END_OF_TEXT}\nsix\n")  # as long as before
    work = Work(out, encode._identity(MAKER, target_of(out, text)))
    work.begin(False, True, SilentProgress())  # and here it is killed
    write(out, open_texts([text]), keep=True, resume=True)
    write(tmp_path / "whole", open_texts([text]), keep=True)
    assert files_in(out) == files_in(tmp_path / "whole")


def target_of(out: Path, text: Path) -> encode.Target:
    inputs = open_texts([text]).identity()
    return encode.Target(out, 0.1, ["a.txt"], "encode", keep=True, inputs=inputs)


def test_a_folder_that_can_t_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "a.txt").write_text("some text")
    with pytest.raises(YoctoError, match="can't write"):
        write(tmp_path / "file" / "o", open_texts([tmp_path / "a.txt"]))
