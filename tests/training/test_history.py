"""What a run has come to, read from its folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Project
from hypothesis import given
from hypothesis import strategies as st
from made_runs import evaluation, make_run, training

from yocto.checkpoint import LOCK, Run
from yocto.training.history import StepFacts, all_runs, labels, read_history, run_facts
from yocto.utils.lock import exclusive
from yocto.utils.progress import number


def facts_of(run: Run):
    return run_facts(read_history(run))


def test_a_real_run_is_finished_and_has_all_its_figures(project: Project) -> None:
    facts = facts_of(Run(project.run))
    assert (facts.name, facts.status, facts.note) == (f"{project.mode}-1", "finished", "")
    assert (facts.step, facts.max_iters, facts.last.step) == (20, 20, 20)
    assert facts.tokens == 20 * 4 * 48
    assert facts.parameters > 1000
    assert facts.seconds > 0
    assert facts.tokens_per_second == facts.tokens / facts.seconds
    lines = [json.loads(line) for line in (project.run / "metrics.jsonl").read_text().splitlines()]
    losses = {line["step"]: line["val_loss"] for line in lines if "val_loss" in line}
    assert facts.best.val_loss == losses[facts.best.step]
    assert facts.last.val_loss == losses[20]


def test_the_best_step_is_the_one_that_best_names_and_else_the_lowest(tmp_path: Path) -> None:
    lines = [evaluation(4, 2.0), evaluation(8, 1.5), evaluation(12, 1.8)]
    run = make_run(tmp_path / "a", lines)
    assert facts_of(run).best == StepFacts(8, 1.4, 1.5, 0.75)
    assert facts_of(run).last == StepFacts(12, 1.7, 1.8, 0.9)
    (run.path / "step-000004").mkdir()
    (run.path / "step-000004" / "config.json").write_text("{}")
    run.mark_best(4)
    assert facts_of(run).best.step == 4


@pytest.mark.parametrize(
    ("lines", "step", "status"),
    [
        ([evaluation(12, 1.0)], 12, "finished"),
        ([evaluation(8, 1.0), training(12)], 12, "interrupted"),  # its evaluation is to be made
        ([evaluation(8, 1.0)], 8, "interrupted"),
        ([evaluation(8, 1.0, whole_split=True)], 8, "finished"),  # it stopped early, on purpose
        ([evaluation(4, 1.0, whole_split=True), evaluation(8, 1.0)], 8, "interrupted"),
        ([], 12, "interrupted"),
        (None, 12, "interrupted"),
        ([training(10)], None, "no checkpoint"),
    ],
)
def test_how_a_run_ended_shows_in_its_folder(tmp_path: Path, lines, step, status) -> None:
    assert facts_of(make_run(tmp_path / "a", lines, step)).status == status


def test_a_run_that_is_trained_right_now_stands_at_its_last_line(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", [evaluation(4, 2.0), training(10)], 4)
    assert (facts_of(run).status, facts_of(run).step) == ("interrupted", 4)
    with exclusive(run.path / LOCK):
        facts = facts_of(run)
    assert (facts.status, facts.step, facts.tokens) == ("training", 10, 320)
    assert facts.note.startswith("trained by process ")


def test_a_run_that_has_begun_to_train_is_listed_before_its_first_line(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with exclusive(tmp_path / "a" / LOCK):
        (facts,) = all_runs(tmp_path)
    assert (facts.status, facts.step, facts.best, facts.tokens) == ("training", None, None, None)
    assert all_runs(tmp_path) == []  # an empty folder is no run


def test_figures_end_where_the_checkpoint_stands(tmp_path: Path) -> None:
    # Lines behind it are those of steps that a resumed run takes again.
    run = make_run(tmp_path / "a", [evaluation(4, 2.0), evaluation(8, 1.0), training(10)], 4)
    facts = facts_of(run)
    assert (facts.step, facts.best.step, facts.last.step, facts.seconds) == (4, 4, 4, 0.4)


def test_older_runs_did_not_note_tokens(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", [{"step": 12, "train_loss": 1.0, "seconds": 2.0}])
    facts = facts_of(run)
    assert (facts.tokens, facts.seconds, facts.tokens_per_second) == (12 * 4 * 8, 2.0, 192.0)
    assert facts.best is None


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("damage", "note"),
    [
        (lambda step: cut(step / "config.json"), "config.json is not valid JSON"),
        (lambda step: (step / "config.json").unlink(), "has no whole checkpoint"),
        (lambda step: cut(step / "model.safetensors"), "model.safetensors can't be read"),
        (lambda step: (step / "model.safetensors").unlink(), "model.safetensors can't be read"),
        (lambda step: (step / "trainer.pt").unlink(), "trainer.pt is missing"),
        (lambda step: (step / "vocab.json").unlink(), "vocab.json is missing"),
        (lambda step: (step / "config.json").write_text("[]"), "is not that of a yocto checkpoint"),
    ],
)
def test_a_damaged_run_is_told_with_what_is_known_of_it(tmp_path: Path, damage, note) -> None:
    run = make_run(tmp_path / "a", [evaluation(12, 1.0)])
    damage(run.path / "step-000012")
    facts = facts_of(run)
    assert facts.status == "damaged"
    assert note in facts.note
    assert (facts.step, facts.best.val_loss, facts.seconds) == (12, 1.0, 1.2)


def test_runs_are_listed_the_newest_first_and_nothing_else_is(tmp_path: Path) -> None:
    make_run(tmp_path / "old", [], written=1000)
    make_run(tmp_path / "new", [], written=3000)
    make_run(tmp_path / "damaged", [evaluation(4, 1.0)], None, written=2000)
    (tmp_path / "damaged" / "step-000004").mkdir()
    make_run(tmp_path / ".hidden", [])
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    found = all_runs(tmp_path)
    assert [(run.name, run.written) for run in found] == [
        ("new", 3000), ("damaged", 2000), ("old", 1000),
    ]  # fmt: skip
    assert [run.status for run in found] == ["interrupted", "damaged", "interrupted"]


def test_no_folder_has_no_runs(tmp_path: Path) -> None:
    assert all_runs(tmp_path / "none") == []


def test_names_that_two_runs_share_give_way_to_their_folders(tmp_path: Path) -> None:
    a, b, c = (tmp_path / name for name in ("x/one", "y/one", "y/two"))
    histories = [read_history(make_run(path, [])) for path in (a, b, c)]
    assert labels(histories) == [str(a), str(b), str(c)]
    assert labels(histories[1:]) == ["one", "two"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1.5, 1.5), (2, 2.0), (0, 0.0), (True, None), ("1", None), (None, None), ([], None),
     (float("nan"), None), (float("inf"), None), (10**400, None)],
)  # fmt: skip
def test_a_figure_is_a_finite_number(value, expected) -> None:
    assert number({"loss": value}, "loss") == expected
    assert number({}, "loss") is None


KEYS = ["train_loss", "val_loss", "val_bits_per_byte", "tokens", "seconds", "whole_split"]
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)


@given(st.lists(st.builds(
    lambda step, rest: {"step": step, **rest},
    st.integers(-(10**12), 10**12), st.dictionaries(st.sampled_from(KEYS), VALUES),
)))  # fmt: skip
def test_whatever_the_lines_hold_a_run_can_be_told_of(tmp_path_factory, lines) -> None:
    run = make_run(tmp_path_factory.mktemp("runs") / "a", lines, None)
    facts = facts_of(run)
    assert facts.step == max((line["step"] for line in lines), default=None)
    assert facts.tokens_per_second is None or facts.tokens_per_second > 0
