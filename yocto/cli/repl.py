"""The chat: a prompt on a terminal, plain lines when piped."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from yocto.cli.chat_commands import Leave, is_command, obey
from yocto.cli.chat_input import piped, typed, unquoted
from yocto.errors import YoctoError
from yocto.utils.text import without_control

if TYPE_CHECKING:
    from yocto.api import Chat
    from yocto.commands.chat import OpenChat

ASSISTANT = "Assistant:"
NO_ANSWER = "(the model had no answer)"


def on_terminal() -> bool:
    """Whether somebody sits before it."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def run_chat(result: OpenChat, as_json: bool = False) -> None:
    """Read messages and commands until /exit or the end of the input."""
    room: Pipe = Terminal(result.chat) if on_terminal() else Pipe(result.chat)
    room.begin(result.checkpoint)
    for line in room.lines():
        try:
            room.take(line)
        except Leave:
            return
        except YoctoError as error:
            room.complain(error)
        except KeyboardInterrupt:
            if not isinstance(room, Terminal):
                raise
            room.say("")


class Pipe:
    """A chat whose lines come from a pipe, and whose answers go to one."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat

    def begin(self, checkpoint: str) -> None:
        """What comes before the first line: nothing."""

    def lines(self) -> Iterator[str]:
        """What the user says."""
        return piped()

    def take(self, line: str) -> None:
        """Obey a command, or answer a message."""
        if is_command(line):
            reply = obey(line.rstrip(), self.chat)
            self.say(reply) if isinstance(reply, str) else self.answer(reply)
        elif message := unquoted(line):
            self.answer(self.chat.send(message))

    def answer(self, pieces: Iterator[str]) -> None:
        """Write an answer as it comes."""
        said = False
        for piece in pieces:
            sys.stdout.write(piece)
            sys.stdout.flush()
            said = True
        print("" if said else NO_ANSWER, flush=True)

    def say(self, text: str) -> None:
        """Write a command's reply."""
        print(text, flush=True)

    def complain(self, error: YoctoError) -> None:
        """Tell what is wrong: to a reader of answers it is none of them."""
        print(f"{error.message}. {error.hint}".strip(), file=sys.stderr, flush=True)


class Terminal(Pipe):
    """A chat with somebody who sits there."""

    def __init__(self, chat: Chat) -> None:
        from rich.console import Console

        super().__init__(chat)
        self.console = Console(highlight=False, markup=False, emoji=False)

    def begin(self, checkpoint: str) -> None:
        """Tell who speaks, and be quick from the first answer on."""
        self.say(f"talking to {checkpoint} (/help tells the commands)")
        self.chat.warm_up()

    def lines(self) -> Iterator[str]:
        """What the user types."""
        return typed(self.whisper)

    def answer(self, pieces: Iterator[str]) -> None:
        """Write an answer as it comes; Ctrl-C breaks it off and keeps what came."""
        from yocto.cli.flow import Flow

        console, said, broken = self.console, False, False
        console.print(f"[bold]{ASSISTANT}[/bold]", end=" ", markup=True)
        write = Flow(console.file.write, lambda: console.width, len(ASSISTANT) + 1).push
        if console.is_dumb_terminal:
            write = console.file.write  # type: ignore[assignment]
        try:
            for piece in pieces:
                write(without_control(piece))
                console.file.flush()
                said = True
        except KeyboardInterrupt:
            broken = True
        finally:
            pieces.close()  # type: ignore[attr-defined]
        self.console.print("" if said or broken else NO_ANSWER)
        if self.chat.last is not None:
            self.whisper(figures(self.chat) + (" · broken off" if broken else ""))

    def say(self, text: str) -> None:
        """Write a command's reply; a long line goes on below its second column."""
        for line in without_control(text).split("\n"):
            column = re.match(r"\S.*?\s{2,}", line)
            indent = " " * min(len(column[0]) if column else 0, self.console.width // 2)
            width = max(10, self.console.width - 1)
            self.console.print(textwrap.fill(line, width, subsequent_indent=indent))

    def whisper(self, text: str) -> None:
        """Write something of less importance."""
        self.console.print(without_control(text), style="dim")

    def complain(self, error: YoctoError) -> None:
        """Tell what is wrong, and what to do."""
        self.console.print(without_control(error.message), style="red")
        if error.hint:
            self.console.print(without_control(error.hint))


def figures(chat: Chat) -> str:
    """The last answer in figures, one line."""
    last = chat.last
    assert last is not None
    speed = last.tokens_per_second
    size = chat.lm.block_size
    parts = [
        f"{last.tokens} tokens",
        f"{speed:,.0f} tokens/s" if speed >= 10 else f"{speed:.1f} tokens/s",
        f"context {min(last.prompt_tokens + last.tokens, size)} of {size}",
    ]
    if last.finish_reason == "length":
        parts.append("the context is full" if last.full else "cut at max_new_tokens")
    return " · ".join(parts)
