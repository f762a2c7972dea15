"""The live view of a training run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from rich.console import Console
from screen import Screen

import yocto.cli.live as live
from yocto.cli.live import LiveView
from yocto.cli.progress import RichProgress
from yocto.utils.progress import Progress

TRAINING = {
    "step": 10, "train_loss": 3.5, "learning_rate": 6e-4, "grad_norm": 0.8, "tokens": 40_960,
    "tokens_per_second": 12_345.0, "utilisation": 0.83, "memory": 512e6, "seconds": 3.3,
}  # fmt: skip
EVALUATION = {
    "step": 20, "train_loss": 3.4, "val_loss": 3.6, "val_bits_per_byte": 1.234, "tokens": 81_920,
    "seconds": 6.6,
}  # fmt: skip


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Screen()


@pytest.fixture
def progress(screen: Screen) -> RichProgress:
    return RichProgress(Console(file=screen, force_terminal=True, width=80, height=24))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let time pass by hand."""
    now = [100.0]
    monkeypatch.setattr(live.time, "monotonic", lambda: now[0])

    def wait(seconds: float) -> None:
        now[0] += seconds

    return wait


Clock = Callable[[float], None]


def count_drawings(view: LiveView) -> list[int]:
    """One more number for each drawing to come."""
    drawn: list[int] = []
    draw = view.region.draw

    def counted() -> None:
        drawn.append(view.done)
        draw()

    view.region.draw = counted  # type: ignore[method-assign]
    return drawn


def test_a_run_is_shown_and_what_was_said_stays(
    screen: Screen, progress: RichProgress, clock: Clock
) -> None:
    progress.say("run         checkpoints/token-3")
    with progress.training("token-3", 100, 0, []) as watch:
        for _ in range(20):
            clock(0.3)
            watch.advance()
        watch.record(TRAINING)
        watch.status("evaluating")
        assert screen.lines[3] == "6 s so far, 24 s left  evaluating"
        watch.record(EVALUATION)
        watch.sample("To be,\n or \x1b[31mnot")
        watch.status("")
        progress.notice("careful")
        assert screen.lines == [
            "run         checkpoints/token-3",
            "step 20: train loss 3.400, val loss 3.600, 1.234 bits/byte, 12,412 tok/s",
            "  To be, or [31mnot",
            "note: careful",
            "── token-3 " + "─" * 68,
            "━" * 11 + "─" * 47 + "  20%  step 20 of 100",
            "6 s so far, 24 s left",
            "train loss  ▁" + " " * 46 + "   3.500  best 3.500",
            "val loss    ▁" + " " * 46 + "   3.600  best 3.600",
            "12,345 tok/s  83% utilisation  512 MB memory  learning rate 6.00e-04",
            "gradient norm 0.8  1.234 bits/byte  81.9K tokens",
            "» To be, or [31mnot",
        ]
    assert len(screen.lines) == 4
    assert screen.lines[-1] == "note: careful"


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_the_panel_goes_when_the_run_fails(
    screen: Screen, progress: RichProgress, error: type[BaseException]
) -> None:
    with pytest.raises(error), progress.training("a", 10, 0, []) as watch:
        watch.record(EVALUATION)
        raise error
    assert [line[:8] for line in screen.lines] == ["step 20:"]
    with progress.training("again", 10, 0, []):
        assert "again" in screen.lines[1]


def test_a_resumed_run_shows_its_whole_past(
    screen: Screen, progress: RichProgress, clock: Clock
) -> None:
    past: list[Mapping[str, Any]] = [
        {**TRAINING, "train_loss": 9.0}, {**EVALUATION, "val_loss": 3.1}, TRAINING, EVALUATION,
        {"step": 20, "seconds": "?", "memory": None, "train_loss": 10**400, "grad_norm": True},
    ]  # fmt: skip
    with progress.training("a", 100, 20, past):
        assert screen.lines[2] == "7 s so far"  # nothing is known of how fast it is now
        assert screen.lines[3].startswith("train loss  █▁ ")
        assert screen.lines[4].startswith("val loss    ▁█ ")
        assert screen.lines[4].endswith("3.600  best 3.100")
        assert not any(line.startswith("step") for line in screen.lines)


def test_quick_steps_are_drawn_twice_a_second_at_most(progress: RichProgress, clock: Clock) -> None:
    with progress.training("a", 1000, 0, []) as watch:
        assert isinstance(watch, LiveView)
        watch.advance()
        drawn = count_drawings(watch)
        for _ in range(500):
            clock(0.002)
            watch.advance()
            watch.record(TRAINING)
    assert len(drawn) in (1, 2)


def test_a_slow_terminal_is_drawn_to_less_often(
    progress: RichProgress, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with progress.training("a", 1000, 0, []) as watch:
        assert isinstance(watch, LiveView)
        lines = watch.region.lines
        watch.region.lines = lambda *size: (clock(0.1), lines(*size))[1]
        drawn = count_drawings(watch)
        for _ in range(1000):
            clock(0.1)
            watch.advance()
    assert 9 <= len(drawn) <= 11  # a tenth of a second in ten


def test_what_begins_besides_training_is_shown_at_once(
    progress: RichProgress, clock: Clock
) -> None:
    with progress.training("a", 1000, 0, []) as watch:
        assert isinstance(watch, LiveView)
        watch.advance()
        drawn = count_drawings(watch)
        watch.status("evaluating 1 of 100")
        for i in range(2, 101):
            clock(0.001)
            watch.status(f"evaluating {i} of 100")
        watch.status("")
    assert len(drawn) == 1


def test_the_number_of_steps_may_come_late(
    screen: Screen, progress: RichProgress, clock: Clock
) -> None:
    with progress.training("a", None, 0, []) as watch:
        watch.advance(5)
        assert screen.lines[1] == "step 5"
        watch.expect(50)
        clock(1.0)
        watch.advance()
        assert screen.lines[1].endswith("12%  step 6 of 50")


@pytest.mark.parametrize("no_color", [True, False])
def test_no_color_is_honoured(
    screen: Screen, no_color: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    console = Console(file=screen, force_terminal=True, width=80, color_system="standard")
    with RichProgress(console).training("a", 10, 5, [TRAINING]):
        pass
    colours = {n for code in screen.colours for n in code.split(";") if n.startswith("3")}
    assert bool(colours - {"3"}) is not no_color  # 3 is italic


def test_a_terminal_without_blocks_gets_plain_characters(
    screen: Screen, progress: RichProgress
) -> None:
    screen.encoding = "ascii"
    with progress.training("a", 10, 5, [TRAINING, EVALUATION]) as watch:
        watch.sample("é")
        assert all(line.isascii() for line in screen.lines[1:])


def test_a_watch_is_what_the_protocol_says(progress: Progress) -> None:
    with progress.training("a", 10, 0, []) as watch:
        for name in ("advance", "status", "expect", "record", "sample"):
            assert callable(getattr(watch, name))
