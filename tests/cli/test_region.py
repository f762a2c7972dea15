"""Lines at the bottom of a terminal."""

from __future__ import annotations

import sys

import pytest
from rich.console import Console
from rich.segment import Segment
from rich.text import Text
from screen import Screen

from yocto.cli.region import Line, Region


class Shown:
    """A region of some lines on a screen."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, width: int = 40) -> None:
        monkeypatch.setenv("TERM", "xterm")
        self.screen = Screen()
        self.console = Console(file=self.screen, force_terminal=True, width=width, height=20)
        self.texts = ["one", "two"]
        self.region = Region(self.console, self.lines)

    def lines(self, width: int, height: int) -> list[Line]:
        assert (width, height) == self.console.size
        return [[Segment(text)] for text in self.texts]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    return Shown(monkeypatch)


def test_what_is_printed_stays_above_the_lines_and_the_lines_go(shown: Shown) -> None:
    shown.console.print("before")
    with shown.region.shown():
        assert shown.screen.lines == ["before", "one", "two"]
        shown.console.print("said\ntwice")
        assert shown.screen.lines == ["before", "said", "twice", "one", "two"]
        shown.texts = ["three"]
        shown.region.draw()
        assert shown.screen.lines == ["before", "said", "twice", "three"]
        shown.texts = ["a", "b", "c"]
        shown.console.print("more")
    shown.console.print("after")
    assert shown.screen.lines == ["before", "said", "twice", "more", "after"]


def test_the_lines_go_when_the_work_fails(shown: Shown) -> None:
    stderr = sys.stderr
    with pytest.raises(KeyboardInterrupt), shown.region.shown():
        raise KeyboardInterrupt
    assert shown.screen.lines == [""]
    assert sys.stderr is stderr


def test_a_style_of_what_is_said_is_none_of_the_lines(shown: Shown) -> None:
    with shown.region.shown():
        shown.screen.colours.clear()
        shown.console.print(Text("careful", style="yellow"))
    assert shown.screen.colours == ["33", "0"]


def test_a_terminal_that_becomes_narrow_keeps_no_remains(shown: Shown) -> None:
    shown.texts = ["x" * 39, "y" * 15]
    with shown.region.shown():
        shown.console.print("said")
        shown.console.width = 10
        shown.screen.wrap(10)
        shown.texts = ["narrow"]
        shown.region.draw()
        assert shown.screen.lines == ["said", "narrow"]


def test_a_warning_comes_above_the_lines(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", shown.screen)
    with shown.region.shown():
        print("UserWarning: old hat", file=sys.stderr)
        assert shown.screen.lines == ["UserWarning: old hat", "one", "two"]
    assert sys.stderr is shown.screen


def test_a_terminal_that_is_gone_does_not_end_the_work(shown: Shown) -> None:
    def gone(text: str) -> int:
        raise OSError(5, "Input/output error")

    with shown.region.shown():
        shown.screen.write = gone  # type: ignore[method-assign]
        shown.region.draw()
