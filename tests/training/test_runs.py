"""Which run: names, what may change on a resume, and runs that a kill left odd."""

import dataclasses
import shutil

import pytest
from conftest import Project
from tiny import Recorder

from yocto.checkpoint import Checkpoint, Run, find_checkpoint
from yocto.config import TrainConfig
from yocto.errors import RunError
from yocto.training.runs import (
    find_resumed,
    latest,
    new_run,
    next_run_name,
    resumed_config,
)
from yocto.utils.progress import SilentProgress


@pytest.fixture
def project(char_project: Project, tmp_path) -> Project:
    return char_project.copy_to(tmp_path)


def config(project: Project, **knobs) -> TrainConfig:
    values = {"mode": project.mode, "ckpt_dir": str(project.checkpoints), **knobs}
    return TrainConfig.from_dict(values)


def test_names_count_on_from_the_highest_number(tmp_path):
    assert next_run_name(tmp_path, "token") == "token-1"
    for name in ("token-2", "token-10", "token-x", "char-40"):
        (tmp_path / name).mkdir()
    assert next_run_name(tmp_path, "token") == "token-11"


@pytest.mark.parametrize("name", ["a/b", "../x", ".hidden", ""])
def test_a_name_that_is_no_plain_name_is_refused(project, name):
    if name == "":  # the same as none given
        assert new_run(config(project, run_name=None), "char").name == "char-2"
        return
    with pytest.raises(RunError, match="can't be a run's name"):
        new_run(config(project, run_name=name), "char")


def test_an_existing_run_is_refused_with_the_three_ways_on(project):
    with pytest.raises(RunError) as error:
        new_run(config(project, run_name="char-1"), "char")
    for way in ("--resume auto", "--overwrite", "--run-name char-2"):
        assert way in error.value.hint
    assert new_run(config(project, run_name="char-1", overwrite=True), "char") == project.run


def test_resume_and_overwrite_contradict_each_other(project):
    with pytest.raises(RunError, match="contradict"):
        find_resumed(config(project, resume="auto", overwrite=True), "char", SilentProgress())


def test_a_run_whose_latest_was_never_written_is_found_by_its_newest_step(project):
    (project.run / "latest").unlink()  # as a kill between the two writes leaves it
    (project.run / "best").unlink(missing_ok=True)
    assert Run(project.run).pointer("best") is None
    found = find_resumed(config(project, resume="auto"), "char", SilentProgress())
    assert found is not None and found.path == project.run
    assert find_checkpoint("char-1", project.checkpoints) == latest(found).path


def test_a_damaged_run_of_another_mode_is_passed_over_with_a_notice(project):
    shutil.copytree(project.run, project.checkpoints / "token-9")
    for file in (project.checkpoints / "token-9").glob("step-*/config.json"):
        file.write_text("{")
    progress = Recorder()
    found = find_resumed(config(project, resume="auto"), "char", progress)
    assert found is not None and found.name == "char-1"
    assert any("passing over the run token-9" in notice for notice in progress.notices)


@pytest.mark.parametrize(
    "change",
    [
        {"n_layer": 9}, {"seed": 5}, {"preset": "gpu-char"}, {"order": "sequential"},
        {"respect_documents": True},
    ],
)  # fmt: skip
def test_what_made_the_first_weights_and_the_order_of_the_text_can_not_change(project, change):
    checkpoint = Checkpoint.open(project.step)
    with pytest.raises(RunError, match=next(iter(change))):
        resumed_config(config(project, **change), checkpoint)


def test_what_the_user_gives_anew_counts_and_the_rest_is_the_run_s_own(project):
    checkpoint = Checkpoint.open(project.step)
    resumed = resumed_config(config(project, max_iters=77, weight_decay=0.1), checkpoint)
    assert resumed.max_iters == 77 and resumed.weight_decay == 0.1
    saved = TrainConfig.from_dict(checkpoint.train)
    same = dataclasses.replace(resumed, max_iters=saved.max_iters, weight_decay=saved.weight_decay,
                               ckpt_dir=saved.ckpt_dir)  # fmt: skip
    assert same == saved


def test_a_replaced_run_stays_until_the_new_one_has_a_step(project):
    (project.run / "notes.txt").write_text("mine")
    run, step = Run(project.run), project.step
    run.set_aside()
    assert not (project.run / "metrics.jsonl").exists()
    assert run.pointer("latest") == step
    assert Checkpoint.open(step).load_model()
    shutil.copytree(step, project.run / "step-000001")
    run.keep_only(1)
    assert {p.name for p in project.run.iterdir()} == {"notes.txt", "latest", "step-000001"}
    assert run.pointer("latest") == project.run / "step-000001"
