"""A lock that one process has at a time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from yocto.utils.lock import Held, exclusive
from yocto.utils.lock import holder as holder_of

HOLDER = """
import sys, pathlib
from yocto.utils.lock import exclusive
with exclusive(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path):
    """Another process that holds the lock until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "lock")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_a_second_process_is_told_who_has_the_lock(tmp_path: Path, holder) -> None:
    with pytest.raises(Held, match=f"process {holder.pid}"), exclusive(tmp_path / "lock"):
        pass
    assert (tmp_path / "lock").read_text() == str(holder.pid)  # its file is as it was


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path, holder) -> None:
    holder.kill()
    holder.wait()
    assert (tmp_path / "lock").exists()
    with exclusive(tmp_path / "lock"):
        assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_one_process_has_a_lock_only_once(tmp_path: Path) -> None:
    with (
        exclusive(tmp_path / "lock"),
        pytest.raises(Held),
        exclusive(tmp_path / "lock"),
    ):
        pass


def test_the_file_goes_with_the_lock_and_it_can_be_taken_again(tmp_path: Path) -> None:
    for _ in range(2):
        with exclusive(tmp_path / "lock"):
            assert (tmp_path / "lock").exists()
        assert not (tmp_path / "lock").exists()


SWAPPER = """
import sys, time, pathlib
from contextlib import ExitStack
from yocto.config import TrainConfig
from yocto.errors import RunError
from yocto.training.runs import hold
folder = pathlib.Path(sys.argv[1])
end = time.monotonic() + 2
while time.monotonic() < end:
    try:
        with hold(folder / "run"):
            mark = folder / "mark"
            mark.touch(exist_ok=False)
            mark.unlink()
            print("held")
    except RunError:
        pass
"""


def test_processes_that_take_and_leave_a_run_never_hold_it_together(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SWAPPER, str(tmp_path)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    ended = [process.communicate() for process in processes]
    assert [err for _, err in ended] == ["", "", ""]
    assert sum(out.count("held") for out, _ in ended) > 20
    assert not (tmp_path / "run").exists()


def test_who_waits_gets_the_lock_when_it_is_free(tmp_path: Path, holder) -> None:
    waiting = subprocess.Popen(
        [sys.executable, "-c", HOLDER.replace("1]))", "1]), wait=True)"), str(tmp_path / "lock")],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(1)
    holder.stdin.close()
    assert waiting.communicate(timeout=30)[0] == "held\n"


def test_one_can_ask_who_has_a_lock(tmp_path: Path, holder) -> None:
    assert holder_of(tmp_path / "lock") == f"process {holder.pid}"
    assert (tmp_path / "lock").read_text() == str(holder.pid)
    holder.kill()
    holder.wait()
    assert holder_of(tmp_path / "lock") is None
    assert (tmp_path / "lock").exists()  # as it was left


def test_asking_makes_no_lock_and_keeps_none(tmp_path: Path) -> None:
    assert holder_of(tmp_path / "lock") is None
    assert not any(tmp_path.iterdir())
    (tmp_path / "lock").write_text("123")  # of a process that was killed
    assert holder_of(tmp_path / "lock") is None
    with exclusive(tmp_path / "lock"):
        assert holder_of(tmp_path / "lock") == f"process {os.getpid()}"


def test_a_lock_whose_owner_left_no_name_is_held_by_another_process(tmp_path: Path) -> None:
    with exclusive(tmp_path / "lock"):
        (tmp_path / "lock").write_text("")
        assert holder_of(tmp_path / "lock") == "another process"
