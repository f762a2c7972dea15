"""A run that is killed at any moment ends with the very weights of an undisturbed one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import yocto

TESTS = Path(__file__).parent.parent
RUNS = [(o, way) for o in ("muon", "adamw") for way in ("random", "sequential")]
RUNS += [("muon", "chat"), ("adamw", "lora")]


def killed(folder: Path, optimizer: str, order: str, kills: int, seed: int) -> int:
    """Kill a run so often; returns how many kills left a checkpoint half written."""
    if not hasattr(os, "fork"):
        pytest.skip("takes fork")
    done = subprocess.run(
        [sys.executable, TESTS / "train_kill_worker.py", folder, optimizer, order, str(kills),
         str(seed)],
        capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": f"{Path(yocto.__file__).parent.parent}:{TESTS}",
             "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    *faults, told = done.stdout.splitlines()
    assert not faults
    words = told.split()
    assert words[0] == "killed" and int(words[1]) == kills
    return int(words[3])


def test_a_run_killed_three_times_ends_with_the_same_weights(tmp_path: Path) -> None:
    killed(tmp_path, "muon", "random", 3, 1)


@pytest.mark.parametrize("order", ["chat", "lora"])
def test_a_fine_tuned_run_killed_three_times_ends_with_the_same_weights(
    tmp_path: Path, order: str
) -> None:
    killed(tmp_path, "adamw", order, 3, 1)


@pytest.mark.slow
@pytest.mark.parametrize(("optimizer", "order"), RUNS)
def test_a_run_killed_thirty_times_ends_with_the_same_weights(
    tmp_path: Path, optimizer: str, order: str
) -> None:
    assert killed(tmp_path, optimizer, order, 30, 7) >= 5  # some within the writing
