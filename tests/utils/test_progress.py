"""How long work tells of itself."""

import sys
from types import SimpleNamespace

import pytest

from yocto.utils.progress import (
    Progress,
    SilentProgress,
    TqdmProgress,
    default_progress,
    evaluation_line,
    number,
    training_status,
)


def work(progress: Progress) -> None:
    progress.say("starting")
    progress.notice("something unexpected")
    with progress.task("counting", 10, "step", done=3) as task:
        for _ in range(5):
            task.advance()
        task.advance(2)
        task.status("loss 1.23")


def test_silence_is_silent(capfd):
    work(SilentProgress())
    assert capfd.readouterr() == ("", "")


def test_tqdm_draws_a_bar_and_the_lines(capfd):
    work(TqdmProgress())
    out, err = capfd.readouterr()
    assert "starting\n" in out
    assert "note: something unexpected\n" in out
    assert "counting" in err
    assert "10.0/10.0" in err
    assert "loss 1.23" in err


def train(progress: Progress) -> None:
    with progress.training("token-1", None, 3, []) as watch:
        watch.expect(1000)
        watch.advance()
        watch.record({"step": 4, "train_loss": 3.5, "tokens_per_second": 12_345.0})
        watch.status("evaluating")
        watch.record({"step": 4, "val_loss": 3.25, "tokens": 10, "seconds": 2.0})
        watch.sample("To be,\n  or \x1b[31mnot")
        watch.status("")
        watch.advance(996)


def test_silence_is_silent_about_training(capfd):
    train(SilentProgress())
    assert capfd.readouterr() == ("", "")


def test_tqdm_draws_a_bar_of_steps_and_says_evaluations(capfd):
    train(TqdmProgress())
    out, err = capfd.readouterr()
    assert out.splitlines() == ["step 4: val loss 3.250, 5 tok/s", "  To be, or [31mnot"]
    last = err.split("\r")[-1]
    assert "token-1: 100%" in last
    assert "1000/1000" in last
    assert "loss 3.500, 12,345 tok/s" in last  # back when the evaluation is over
    assert "evaluating" in err


def test_lines_of_older_runs_are_told_as_far_as_they_go():
    assert evaluation_line({"step": 5, "val_loss": 2.0}) == "step 5: val loss 2.000"
    assert evaluation_line({"step": 5, "tokens": 5, "seconds": 0.0, "val_loss": None}) == "step 5: "
    assert training_status({"step": 5, "grad_norm": 2.0}) == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, 1.0), (0.5, 0.5), (True, None), ("1", None), (None, None), (10**400, None)],
)
def test_a_value_that_is_no_number_is_none(value, expected):
    assert number({"x": value}, "x") == expected
    assert number({}, "x") is None


@pytest.mark.parametrize("progress", [SilentProgress(), TqdmProgress()])
def test_an_error_inside_a_task_comes_through(progress, capfd):
    with pytest.raises(ValueError, match="inside"), progress.task("counting", 10, "step"):
        raise ValueError("inside")


def test_the_library_draws_bars_in_a_notebook_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert isinstance(default_progress(), SilentProgress)
    for shell, expected in (
        (None, SilentProgress),
        (SimpleNamespace(), SilentProgress),  # of a terminal
        (SimpleNamespace(kernel=1), TqdmProgress),
    ):
        ipython = SimpleNamespace(get_ipython=lambda shell=shell: shell)
        monkeypatch.setitem(sys.modules, "IPython", ipython)
        assert isinstance(default_progress(), expected)
