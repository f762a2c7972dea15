"""train --dry-run: what a run would take, with nothing done and nothing left behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import SHAPE, Project
from tiny import Recorder

import yocto.training.plan as plan_module
from yocto.commands import train
from yocto.config import TrainConfig
from yocto.training.trainer import Trainer


@pytest.fixture(autouse=True)
def _short_rehearsals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yocto.training.pace.SECONDS", 0.0)


def rehearse(project: Project, **knobs) -> train.Rehearsed:
    values = {
        "mode": project.mode, "data_dir": str(project.data), "dry_run": True,
        "ckpt_dir": str(project.checkpoints), **knobs,
    }  # fmt: skip
    result = train.run(TrainConfig.from_dict(values), Recorder())
    assert isinstance(result, train.Rehearsed)
    return result


def files(folder: Path) -> dict[str, float]:
    return {str(path): path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


def test_it_tells_parameters_memory_steps_and_time_and_leaves_nothing(
    project: Project,
) -> None:
    before = files(project.root)
    result = rehearse(project, **SHAPE)
    assert files(project.root) == before
    assert result.exit_code == 0
    assert result.iterations == SHAPE["max_iters"]  # those of the rehearsal are not missing
    assert result.memory > 0
    assert result.seconds > 0
    told = "\n".join(result.summary())
    for part in ("device", "parameters", "in blocks", "memory", "iterations  20 of", "time"):
        assert part in told


def test_it_makes_no_folder_for_the_first_run_of_all(project: Project, tmp_path: Path) -> None:
    rehearse(project, **SHAPE, run_name="first", ckpt_dir=str(tmp_path / "checkpoints"))
    assert not (tmp_path / "checkpoints").exists()


def test_json_has_every_figure(char_project: Project, yocto) -> None:
    result = yocto(
        "train", "--mode", "char", "--data-dir", char_project.data, "--dry-run", "--json",
        "--ckpt-dir", char_project.checkpoints, "--n-embd", "16", "--n-head", "2",
        "--n-layer", "1", "--max-iters", "30", "--block-size", "32", "--device", "cpu",
    )  # fmt: skip
    assert result.exit_code == 0
    figures = json.loads(result.stdout)
    assert figures["iterations"] == 30
    assert figures["too_large"] is None
    assert {
        "parameters", "embedding_parameters", "memory", "free_memory", "tokens_per_iteration",
        "epoch_tokens", "seconds",
    } <= figures.keys()  # fmt: skip


def test_a_run_that_does_not_fit_is_told_with_what_to_lower_and_no_model_is_made(
    char_project: Project, yocto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_module, "available_memory", lambda device: 300_000_000)
    monkeypatch.setattr(Trainer, "rehearse", lambda self: pytest.fail("it took steps"))
    monkeypatch.setattr(train, "_make_model", lambda *rest: pytest.fail("it made the model"))
    command = [
        "train", "--mode", "char", "--data-dir", char_project.data, "--block-size", "64",
        "--ckpt-dir", char_project.checkpoints, "--dry-run", "--batch-size", "256",
    ]  # fmt: skip
    result = yocto(*command)
    assert result.exit_code == 1
    for part in ("parameters", "memory", "does not fit", "300 MB are free", "--batch-size"):
        assert part in result.stdout
    figures = json.loads(yocto(*command, "--json").stdout)
    assert figures["memory"] > 300_000_000
    assert (figures["iterations"], figures["seconds"]) == (0, 0.0)
    assert "--batch-size" in figures["hint"]


def test_a_large_preset_is_weighed_without_its_weights(
    char_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_module, "available_memory", lambda device: 200_000_000)
    shape = {"n_layer": 12, "n_head": 12, "n_embd": 768, "block_size": 64, "family": "gpt2"}
    result = rehearse(char_project, **shape, device="cpu")
    assert result.exit_code == 1
    assert 80e6 < result.parameters < 90e6
    assert result.memory > 16 * result.parameters
    assert result.hint is not None
    assert "--n-embd" in result.hint


def test_minutes_say_how_many_steps_there_are_time_for(char_project: Project) -> None:
    shape = {name: value for name, value in SHAPE.items() if name != "max_iters"}
    result = rehearse(char_project, **shape, minutes=0.5)
    assert result.iterations > 20
    assert result.seconds == pytest.approx(30, rel=0.1)


def test_of_a_run_that_goes_on_it_tells_what_is_left(char_project: Project, tmp_path: Path) -> None:
    project = char_project.copy_to(tmp_path)
    before = files(project.root)
    result = rehearse(project, run_name="char-1", resume="auto", max_iters=50)
    assert result.iterations == 30
    assert files(project.root).keys() == before.keys()
    assert (project.run / "latest").read_text() == "step-000020\n"


def test_a_depth_is_weighed_too(char_project: Project) -> None:
    result = rehearse(char_project, depth=1, block_size=32, batch_size=4, device="cpu")
    assert result.iterations == 1000
