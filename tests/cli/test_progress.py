"""Progress: plain lines when piped, bars on a terminal."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
import regex
from rich.console import Console

import yocto.cli.progress as progress_module
from yocto.cli.progress import PlainProgress, RichProgress, make_progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let time pass by hand."""
    now = [100.0]
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: now[0])

    def wait(seconds: float) -> None:
        now[0] += seconds

    return wait


def test_piped_progress_is_plain_and_on_a_terminal_it_is_bars(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert isinstance(make_progress(), PlainProgress)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(make_progress(), RichProgress)
    monkeypatch.setenv("TERM", "dumb")  # can't go back to a line
    assert isinstance(make_progress(), PlainProgress)


def test_plain_lines_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    progress = PlainProgress()
    progress.say("[bold]1 of 3[/bold]")
    progress.notice("careful")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "[bold]1 of 3[/bold]\nnote: careful\n"


def test_a_quick_task_says_nothing_when_piped(
    capsys: pytest.CaptureFixture[str], clock: Callable[[float], None]
) -> None:
    with PlainProgress().task("encoding", 100, "char") as task:
        for _ in range(100):
            clock(0.01)
            task.advance()
    assert capsys.readouterr().err == ""


def test_a_long_task_says_a_line_now_and_then_with_what_is_left(
    capsys: pytest.CaptureFixture[str], clock: Callable[[float], None]
) -> None:
    with PlainProgress().task("training", 2000, "step", done=1100) as task:
        task.status("loss 2.500")
        for _ in range(90):
            clock(1.0)
            task.advance(10)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "training: 1,250 of 2,000 steps, loss 2.500, 75 s left"
    assert len(lines) == 5  # every 15 seconds, but for the last when all is done
    assert not any("2,000 of 2,000" in line for line in lines)


def test_a_long_task_of_unknown_length_says_how_far_it_came(
    capsys: pytest.CaptureFixture[str], clock: Callable[[float], None]
) -> None:
    with PlainProgress().task("a.txt", None, "byte", done=1000) as task:
        for _ in range(40):
            clock(1.0)
            task.advance(10)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["a.txt: 1,150 bytes so far", "a.txt: 1,300 bytes so far"]


def test_a_piped_run_says_its_evaluations_and_now_and_then_how_far_it_is(
    capsys: pytest.CaptureFixture[str], clock: Callable[[float], None]
) -> None:
    with PlainProgress().training("token-1", None, 0, []) as watch:
        clock(16)
        watch.advance(100)
        watch.expect(2000)
        watch.record({"step": 100, "train_loss": 4.5, "tokens_per_second": 12_345.6})
        clock(15)
        watch.advance(100)
        watch.status("evaluating")
        clock(10)
        watch.record({
            "step": 200, "train_loss": 4.4, "val_loss": 4.6, "val_bits_per_byte": 1.5,
            "tokens": 200_000, "seconds": 31.0, "whole_split": True,
        })  # fmt: skip
        watch.sample("To be,\n  or not")
        watch.status("")
        clock(10)
        watch.advance(10)  # too soon after the evaluation's line
        clock(5)
        watch.advance(10)
    assert capsys.readouterr().err.splitlines() == [
        "step 100",
        "step 200 of 2000: loss 4.500, 12,346 tok/s, 4 min 30 s left",
        "step 200: train loss 4.400, val loss 4.600, 1.500 bits/byte, 6,452 tok/s, whole split",
        "  To be, or not",
        "step 220 of 2000: loss 4.500, 12,346 tok/s, 37 min 5 s left",
    ]


def test_the_log_of_a_long_piped_run_stays_short(
    capsys: pytest.CaptureFixture[str], clock: Callable[[float], None]
) -> None:
    with PlainProgress().training("token-1", 86_400, 0, []) as watch:
        for _ in range(86_400):
            clock(1.0)
            watch.advance()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "step 15 of 86400: 23 h 59 min left"
    assert lines[1].startswith("step 30 of")
    assert 300 < len(lines) < 400  # one in five minutes, and some more at first


def test_a_bar_of_unknown_length_promises_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    drawn = io.StringIO()
    console = Console(file=drawn, force_terminal=True, width=80, color_system=None)
    with RichProgress(console).task("a.txt", None, "byte") as task:
        task.status("5.0 MB, 1.0 MB/s")
        task.advance(3)
    assert "5.0 MB, 1.0 MB/s" in drawn.getvalue()
    assert "%" not in drawn.getvalue()
    assert "left" not in drawn.getvalue()


def test_bars_are_drawn_on_a_terminal_and_lines_stay_above_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    screen = io.StringIO()
    console = Console(force_terminal=True, file=screen, width=80, highlight=False)
    progress = RichProgress(console)
    progress.say("a [line] that stays")
    with progress.task("training", 10, "step", done=5) as task:
        task.advance(2)
        task.status("loss 1.234")
        progress.notice("careful")
    drawn = screen.getvalue()
    assert "a [line] that stays" in drawn
    assert "note: careful" in drawn
    assert "training" in drawn
    assert "━" in drawn
    assert "70%" in drawn
    assert "loss 1.234" in drawn
    assert "\x1b[" in drawn


def test_a_bar_is_gone_when_its_task_fails() -> None:
    console = Console(force_terminal=True, file=io.StringIO(), width=80)
    progress = RichProgress(console)
    with pytest.raises(ZeroDivisionError), progress.task("training", 10, "step"):
        raise ZeroDivisionError
    with progress.task("again", 10, "step") as task:  # rich allows one live display at a time
        task.advance()


@pytest.mark.parametrize("width", [20, 40, 60, 80, 160])
def test_a_bar_fits_on_one_line_whatever_the_width(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")  # Rich draws nothing on a dumb one
    drawn = io.StringIO()
    console = Console(file=drawn, force_terminal=True, width=width, color_system=None)
    with RichProgress(console).task("training", 3000, "step", done=1500) as task:
        task.status("loss 2.345 · 12,345 tok/s")
        task.advance(3)
    lines = regex.split(r"[\r\n]|\x1b\[[0-9;?]*[a-zA-Z]", drawn.getvalue())
    assert max(map(len, lines)) <= width
    assert any("50%" in line for line in lines)
    assert any("tok/s" in line for line in lines) == (width >= 60)


def test_a_terminal_that_is_gone_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    progress = RichProgress(Console(file=Gone(), force_terminal=True, width=80))
    monkeypatch.setenv("TERM", "xterm")
    with progress.training("a", 10, 0, []) as watch:
        progress.say("said")
        progress.notice("careful")
        watch.advance()
