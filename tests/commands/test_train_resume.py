"""train --resume auto after damage, kills and explosions; --dry-run; running out of memory."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import SHAPE, Project
from safetensors.torch import load_file
from tiny import Recorder

import yocto.training.trainer as trainer_module
from yocto.commands import train
from yocto.config import TrainConfig
from yocto.errors import CheckpointError, RunError
from yocto.training import pace
from yocto.training.trainer import Trainer

KNOBS = {**SHAPE, "max_iters": 12, "eval_interval": 4, "dropout": 0.2, "keep_last": 3}


@pytest.fixture(autouse=True)
def _known_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """To measure how fast the machine is takes longer than a tiny run."""
    monkeypatch.setattr(trainer_module, "matmul_rate", lambda device, dtype: 1e10)


def run(project: Project, progress: Recorder | None = None, **knobs: Any) -> Any:
    values = {
        "mode": project.mode, "data_dir": str(project.data),
        "ckpt_dir": str(project.checkpoints), **knobs,
    }  # fmt: skip
    return train.run(TrainConfig.from_dict(values), progress or Recorder())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, token_project: Project) -> Project:
    """A run `r` of 12 steps with checkpoints at 4, 8 and 12. Read only."""
    project = token_project.copy_to(tmp_path_factory.mktemp("whole"))
    run(project, run_name="r", **KNOBS)
    return project


@pytest.fixture
def project(whole: Project, tmp_path: Path) -> Project:
    return whole.copy_to(tmp_path)


def run_folder(project: Project) -> Path:
    return project.checkpoints / "r"


def assert_same(step: Path, other: Path) -> None:
    """The same weights and trainer state, to the last bit."""
    weights, expected = (load_file(folder / "model.safetensors") for folder in (step, other))
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    ours, theirs = (torch.load(f / "trainer.pt", weights_only=True) for f in (step, other))
    assert flat({**ours, "seconds": 0}) == flat({**theirs, "seconds": 0})


def flat(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.dtype, value.tolist()
    if isinstance(value, dict):
        return {key: flat(item) for key, item in value.items()}
    return [flat(item) for item in value] if isinstance(value, list | tuple) else value


def damage(file: Path, how: str) -> None:
    data = file.read_bytes()
    if how == "missing":
        file.unlink()
    elif how == "cut off":
        file.write_bytes(data[: len(data) // 2])
    else:
        at = len(data) // 2
        file.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


FILES = ["model.safetensors", "trainer.pt", "config.json", "tokenizer.json"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["missing", "cut off", "altered"])
def test_a_damaged_newest_step_is_passed_over_and_the_run_ends_the_same(
    project: Project, whole: Project, name: str, how: str
) -> None:
    folder, progress = run_folder(project), Recorder()
    damage(folder / "step-000012" / name, how)
    result = run(project, progress, run_name="r", resume="auto")
    assert (result.step, result.exit_code) == (12, 0)
    told = "\n".join(progress.notices)
    assert "step-000008" in told if how != "missing" or name != "config.json" else True
    assert f"going on with {folder} at step 8" in progress.said
    assert_same(folder / "step-000012", run_folder(whole) / "step-000012")
    assert (folder / "latest").read_text() == "step-000012\n"


def test_two_damaged_steps_are_both_passed_over(project: Project, whole: Project) -> None:
    folder, progress = run_folder(project), Recorder()
    damage(folder / "step-000012" / "trainer.pt", "altered")
    damage(folder / "step-000008" / "model.safetensors", "cut off")
    run(project, progress, run_name="r", resume="auto")
    assert [("step-000012/trainer.pt" in n, "step-000008/model" in n, "step-000004" in n)
            for n in progress.notices] == [
        (True, False, False), (False, True, False), (False, False, True),
    ]  # fmt: skip
    assert_same(folder / "step-000012", run_folder(whole) / "step-000012")


def test_where_all_are_damaged_one_error_tells_of_the_newest(project: Project) -> None:
    folder = run_folder(project)
    for step in folder.glob("step-*"):
        damage(step / "model.safetensors", "altered")
    with pytest.raises(CheckpointError, match=r"step-000012/model\.safetensors is missing"):
        run(project, run_name="r", resume="auto")
    assert (folder / "latest").read_text() == "step-000012\n"


def test_a_latest_that_names_nothing_is_the_newest_step(project: Project) -> None:
    (run_folder(project) / "latest").write_text("step-000777\n")
    assert run(project, run_name="r", resume="auto").finished_before


# ------------------------------------------------------------------------------------------ minutes


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    take = Trainer.train_step

    def stopping(self: Trainer) -> None:
        take(self)
        if self.step == step:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Trainer, "train_step", stopping)


@pytest.mark.parametrize("step", [3, 30])  # before the length is fixed, and after
def test_a_run_of_minutes_that_was_stopped_ends_as_one_of_as_many_steps(
    project: Project, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    monkeypatch.setattr(pace, "MOST", 6)
    knobs = {k: v for k, v in KNOBS.items() if k != "max_iters"} | {"eval_interval": 10**6}
    with monkeypatch.context() as patch:
        stop_at(patch, step)
        stopped = run(project, run_name="m", minutes=0.02, **knobs)
    assert (stopped.step, stopped.exit_code) == (step, 130)
    result = run(project, run_name="m", resume="auto")
    assert result.exit_code == 0
    assert result.step == result.max_iters > 30
    settings = (project.checkpoints / "m" / "config.yaml").read_text()
    assert f"max_iters: {result.max_iters}\n" in settings
    assert "\nminutes:" not in settings
    plain = run(project, run_name="n", **{**knobs, "max_iters": result.max_iters})
    name = f"step-{result.step:06d}"
    assert_same(Path(result.run) / name, Path(plain.run) / name)
    if step == 30:
        assert stopped.max_iters == result.max_iters


# ------------------------------------------------------------------------------------------ dry run


def test_a_dry_run_tells_parameters_memory_and_time_and_leaves_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "MOST", 6)
    before = set(project.root.rglob("*"))
    result = run(project, run_name="dry", dry_run=True, **KNOBS)
    assert set(project.root.rglob("*")) == before
    text = "\n".join(result.summary())
    assert f"parameters  {result.parameters:,}" in text
    for part in ("memory      about", "iterations  12 of", "time        about"):
        assert part in text
    assert result.memory > 1e7 and result.seconds > 0
    assert result.iterations == 12
    timed = run(project, run_name="dry", dry_run=True, minutes=1.0,
                **{k: v for k, v in KNOBS.items() if k != "max_iters"})  # fmt: skip
    assert timed.seconds == pytest.approx(60, rel=0.1)


def test_a_dry_run_of_a_run_that_goes_on_changes_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "MOST", 6)
    files = {p: p.read_bytes() for p in run_folder(project).rglob("*") if p.is_file()}
    result = run(project, run_name="r", resume="auto", max_iters=40, dry_run=True)
    assert result.iterations == 28
    assert {p: p.read_bytes() for p in run_folder(project).rglob("*") if p.is_file()} == files


# --------------------------------------------------------------------------------------- in the end


@pytest.mark.parametrize(
    "error",
    [RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
     torch.OutOfMemoryError("CUDA out of memory.")],
)  # fmt: skip
def test_out_of_memory_in_a_step_tells_what_to_lower(
    project: Project, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Trainer) -> None:
        raise error

    monkeypatch.setattr(Trainer, "train_step", fail)
    with pytest.raises(RunError, match="out of memory: training takes about") as caught:
        run(project, run_name="r", resume="auto", max_iters=20)
    # A model so small could not be helped by a smaller batch.
    assert caught.value.hint == "Free some memory, then go on with --resume auto."
    monkeypatch.undo()
    knobs = {"batch_size": 2, "gradient_accumulation_steps": 2}
    assert run(project, run_name="r", resume="auto", max_iters=20, **knobs).step == 20


def test_a_run_that_explodes_ends_with_advice_that_works(project: Project, yocto: Any) -> None:
    def train_on(*more: str) -> Any:
        return yocto(
            "train", "--mode", "token", "--data-dir", project.data, "--ckpt-dir",
            project.checkpoints, "--run-name", "r", "--max-iters", "300", *more,
        )  # fmt: skip

    failed = train_on("--resume", "auto", "--learning-rate", "10")
    assert failed.exit_code == 1, failed.stderr
    assert re.search("error: the loss has exploded|error: the loss is nan", failed.stderr)
    assert "the learning rate (10) is probably too high" in failed.stderr
    advice = re.search(r"Step (\d+) is saved and whole: add (.*)", failed.stderr)
    assert advice
    latest = (run_folder(project) / "latest").read_text().strip()
    assert latest == f"step-{int(advice[1]):06d}"
    weights = load_file(run_folder(project) / latest / "model.safetensors")
    assert all(p.isfinite().all() for p in weights.values())
    # What it says to type is taken; a rate that is low enough goes on to the end.
    again = train_on(*advice[2].split())
    assert again.exit_code in (0, 1) and "Traceback" not in again.stderr
    assert "going on with" in again.stdout + again.stderr
    rate = float(advice[2].split()[-1])
    while again.exit_code == 1 and rate > 1e-3:
        rate /= 3
        again = train_on("--resume", "auto", "--learning-rate", f"{rate:.2g}")
    assert again.exit_code == 0, again.stderr
    lines = (run_folder(project) / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["val_loss"] < 5.8  # ln 300 is 5.7: it has learnt again


def test_the_old_runs_steps_are_not_taken_for_the_new_ones_where_a_kill_left_them(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--overwrite deletes the old steps once one of the new is there: a kill between the two."""

    class Kill(BaseException):
        pass

    def killed(*args: Any) -> None:
        raise Kill

    with monkeypatch.context() as patch:
        patch.setattr("yocto.checkpoint.run.Run.keep_only", killed)
        with pytest.raises(Kill):
            run(project, run_name="r", overwrite=True, **{**KNOBS, "seed": 5})
    folder = run_folder(project)
    assert len(list(folder.glob("step-*"))) == 3  # the new step 4, the old 8 and 12
    assert run(project, run_name="r", resume="auto").step == 12
    other = Project(project.root / "other", "token")
    shutil.copytree(project.data, other.data)
    run(other, run_name="r", **{**KNOBS, "seed": 5})
    assert_same(folder / "step-000012", other.checkpoints / "r" / "step-000012")
