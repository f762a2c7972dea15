"""The chat on a terminal."""

from __future__ import annotations

import io
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Project
from rich.console import Console

import yocto as library
from yocto.api import Chat
from yocto.cli.repl import NO_ANSWER, Terminal
from yocto.errors import ChatError


@pytest.fixture(scope="module")
def chat(token_project: Project) -> Chat:
    return library.load(token_project.run).chat(max_new_tokens=4, seed=1, ignore_eos=True)


@pytest.fixture
def room(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Terminal, io.StringIO]]:
    """A chat on a screen of 40 columns."""
    monkeypatch.setenv("TERM", "xterm")
    chat.reset()
    made, screen = Terminal(chat), io.StringIO()
    made.console = Console(file=screen, force_terminal=True, width=40, highlight=False, _environ={})
    yield made, screen
    assert "\x1b[2J" not in screen.getvalue()


def seen(screen: io.StringIO) -> str:
    """What is read, without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())


def test_an_answer_comes_with_its_figures(room) -> None:
    terminal, screen = room
    terminal.take("so")
    first, *rest = seen(screen).split("\n")
    assert first.startswith("Assistant: ")
    assert "4 tokens · " in "\n".join(rest)
    assert "of 48 · cut at max_new_tokens" in " ".join(" ".join(rest).split())
    assert "\x1b[2m4 tokens" in screen.getvalue()  # dim


def test_a_context_that_is_full_is_told(room, chat: Chat) -> None:
    terminal, screen = room
    chat.set(max_new_tokens=100)
    terminal.take("so")
    chat.set(max_new_tokens=4)
    shown = " ".join(seen(screen).split())
    assert "the context is full" in shown
    assert "max_new_tokens" not in shown


def test_what_a_model_writes_does_not_reach_the_terminal_as_a_command(room, chat: Chat) -> None:
    terminal, screen = room
    terminal.answer(piece for piece in ["a\x1b", "[2J\x07", "b\x9b2Jc"])
    assert "a[2Jb2Jc" in seen(screen)
    for hostile in ("\x1b[2J", "\x07", "\x9b"):
        assert hostile not in screen.getvalue()
    terminal.complain(ChatError("a\x1b[2Jb", "c\x1b[2Jd"))
    terminal.say("\x1b[2J")


def test_an_answer_that_is_broken_off_is_told_and_kept(room, chat: Chat) -> None:
    terminal, screen = room
    pieces = chat.send("so")

    def interrupted() -> Iterator[str]:
        try:
            yield next(pieces)
            raise KeyboardInterrupt
        finally:
            pieces.close()

    terminal.answer(interrupted())
    assert "broken off" in " ".join(seen(screen).split())
    assert len(chat.messages) == 2


def test_no_answer_is_told(room) -> None:
    terminal, screen = room
    terminal.answer(piece for piece in [])
    assert NO_ANSWER in seen(screen)


def test_long_lines_go_on_below_their_second_column(room) -> None:
    terminal, screen = room
    terminal.take("/help")
    rows = seen(screen).split("\n")
    assert all(len(row) < 40 for row in rows)
    assert any(re.match(r" {19}\S", row) for row in rows)
    assert any(row.startswith("/tokens            how") for row in rows)


pty = pytest.importorskip("pty", reason="a pseudo-terminal takes POSIX")


class Conversation:
    """`yocto chat` on a pseudo-terminal."""

    def __init__(self, project: Project, home: Path) -> None:
        arguments = ["chat", "--ckpt-dir", str(project.checkpoints), "--seed", "1",
                     "--ignore-eos", "--max-new-tokens", "5"]  # fmt: skip
        own = {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", "XDG_STATE_HOME": str(home)}
        self.handle, inside = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "yocto", *arguments],
            stdin=inside, stdout=inside, stderr=inside, env={**os.environ, **own},
            cwd=Path(library.__file__).parent.parent, start_new_session=True,
        )  # fmt: skip
        os.close(inside)

    def type(self, text: str) -> None:
        os.write(self.handle, text.encode())

    def until(self, pattern: str, seconds: float = 120) -> str:
        """What comes until something is seen, colours and line breaks left out."""
        shown, end = b"", time.monotonic() + seconds
        while time.monotonic() < end:
            if select.select([self.handle], [], [], 0.2)[0]:
                shown += os.read(self.handle, 1 << 16)
            text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode(errors="replace"))
            text = " ".join(text.split())
            if re.search(pattern, text, re.DOTALL):
                return text
        raise AssertionError(f"{pattern!r} did not come: {shown!r}")

    def left(self) -> int:
        """The exit status."""
        status = self.process.wait(60)
        os.close(self.handle)
        return status


def test_a_chat_from_the_prompt_to_leaving(token_project: Project, tmp_path: Path) -> None:
    terminal = Conversation(token_project, tmp_path)
    terminal.until(r"/help tells the commands.*User:")
    terminal.type("so\r")
    terminal.until(r"Assistant: .*5 tokens · .*tokens/s · context \d+ of 48.*User:")
    terminal.type('"""\rone\r"""\r')
    terminal.until(r"Assistant: .*5 tokens.*User:")
    terminal.type("/to\t")
    terminal.until("/tokens")
    terminal.type("\r")
    terminal.until(r"2 turns.*User:")
    terminal.type("abc\x03")
    terminal.until(r"Ctrl-C again, or Ctrl-D.*User:")
    terminal.type("\x03")
    assert terminal.left() == 0
    history = (tmp_path / "yocto" / "chat_history").read_text("utf-8")
    assert "+so\n" in history
    assert '+"""\n+one\n+"""\n' in history
    assert "abc" not in history


def test_a_colour_that_is_typed_does_no_harm(token_project: Project, tmp_path: Path) -> None:
    terminal = Conversation(token_project, tmp_path)
    terminal.until(r"/help tells the commands.*User:")
    terminal.type("x\x1b[31my\r")
    shown = terminal.until(r"5 tokens.*User:")
    assert "exception" not in shown
    terminal.type("/exit\r")
    assert terminal.left() == 0
