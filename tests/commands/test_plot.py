"""yocto plot: the curves of runs as a picture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Project
from made_runs import evaluation, make_run, training

from yocto.commands import plot
from yocto.config import PlotConfig


def test_the_newest_run_is_drawn_where_none_is_named(yocto, project: Project, tmp_path) -> None:
    target = tmp_path / "new" / "curves.png"
    result = yocto("plot", "--ckpt-dir", project.checkpoints, "--out-path", target)
    assert result.exit_code == 0
    assert result.stdout == f"loss over steps of {project.mode}-1 -> {target}\n"
    assert target.read_bytes()[:4] == b"\x89PNG"


def test_several_runs_are_drawn_each_once(yocto, tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_run(tmp_path / name, [training(10), evaluation(12, 2.0)])
    target = tmp_path / "x.SVG"
    result = yocto("plot", "a", "b", tmp_path / "a", "--ckpt-dir", tmp_path,
                   "--out-path", target, "--json")  # fmt: skip
    assert json.loads(result.stdout) == {
        "out_path": str(target), "x": "steps", "y": "loss", "runs": {"a": 2.0, "b": 2.0},
    }  # fmt: skip
    svg = target.read_text()
    assert [svg.count(f"<!-- {name}: best 2.000 -->") for name in ("a", "b")] == [1, 1]


def test_a_run_without_such_points_is_told_of_and_left_out(yocto, tmp_path: Path) -> None:
    make_run(tmp_path / "a", [training(10)])
    make_run(tmp_path / "old", [{"step": 10, "train_loss": 2.0}])
    result = yocto("plot", "a", "old", "--ckpt-dir", tmp_path, "--y", "grad-norm",
                   "--out-path", tmp_path / "x.png")  # fmt: skip
    assert result.exit_code == 0
    assert "old has measured no grad-norm over steps so far" in result.stderr
    assert "grad-norm over steps of a ->" in result.stdout


def test_a_damaged_run_and_one_before_its_first_checkpoint_are_drawn(yocto, tmp_path) -> None:
    run = make_run(tmp_path / "a", [evaluation(12, 2.0)])
    (run.path / "step-000012" / "config.json").write_text("{")
    make_run(tmp_path / "b", [training(10)], None)
    result = yocto("plot", "a", "b", "--ckpt-dir", tmp_path, "--out-path", tmp_path / "x.png")
    assert result.exit_code == 0


def test_the_picture_that_was_there_stays_when_drawing_fails(tmp_path, monkeypatch) -> None:
    make_run(tmp_path / "a", [training(10)])
    target = tmp_path / "x.png"
    target.write_bytes(b"before")
    monkeypatch.setattr(plot, "draw", lambda *rest: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        plot.run(PlotConfig(run=("a",), ckpt_dir=str(tmp_path), out_path=str(target)), None)
    assert target.read_bytes() == b"before"
