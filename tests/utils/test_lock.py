"""A lock that one process has at a time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from yocto.utils.lock import Held, exclusive

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
    process.communicate()


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
