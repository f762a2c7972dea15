"""What a user says in the chat: lines typed at a prompt, or piped.

A message of several lines stands between two times three double quotes; what is pasted with its
line breaks is one message anyway.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from yocto.cli.chat_commands import COMMANDS, SIGNS
from yocto.config import SamplingConfig, knobs
from yocto.errors import YoctoError
from yocto.utils.files import atomic_file

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import CompleteEvent, Completion
    from prompt_toolkit.document import Document
    from prompt_toolkit.history import History

QUOTES = '"""'
_MOST = 1 << 20  # bytes of history


def is_open(text: str) -> bool:
    """Whether a text begins with quotes that it does not close."""
    text = text.strip()
    closed = len(text) >= 2 * len(QUOTES) and text.endswith(QUOTES)
    return text.startswith(QUOTES) and not closed


def unquoted(text: str) -> str:
    """A message without the quotes, and without white space around it."""
    text = text.strip()
    if text.startswith(QUOTES):
        text = text.removeprefix(QUOTES).removesuffix(QUOTES)
    return text.strip()


def piped() -> Iterator[str]:
    """Lines of standard input, those between quotes together."""
    return _joined(line.decode("utf-8", errors="replace") for line in sys.stdin.buffer)


def _joined(lines: Iterable[str]) -> Iterator[str]:
    held = ""
    for line in lines:
        held += line
        if not is_open(held):
            yield held
            held = ""
    if held:
        yield held


def typed(say: Callable[[str], None]) -> Iterator[str]:
    """What is typed at a prompt, edited, with the history of all chats. say: tells how to leave,
    where Ctrl-C does not."""
    session = _session()
    again = False  # whether the last that came was Ctrl-C, too
    while True:
        try:
            line = session.prompt([("bold", "User: ")])
        except KeyboardInterrupt:
            if again and not session.default_buffer.text:
                return
            again = True
            say("(Ctrl-C again, or Ctrl-D, leaves)")
            continue
        except EOFError:
            return
        again = False
        # What a terminal sends that is no UTF-8.
        yield line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _session() -> PromptSession[str]:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.application import get_app
    from prompt_toolkit.completion import Completer, Completion
    from prompt_toolkit.filters import Condition
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.keys import Keys
    from prompt_toolkit.shortcuts import CompleteStyle

    class Words(Completer):
        """The names of commands, and of knobs behind /set."""

        def get_completions(self, document: Document, event: CompleteEvent) -> Iterator[Completion]:
            for word, typed in completions(document.text_before_cursor):
                yield Completion(word, -len(typed))

    keys = KeyBindings()
    # A colour that is pasted looks like a mouse's message, and prompt_toolkit stumbles over what it
    # lacks; there is no mouse here.
    keys.add(Keys.Vt100MouseEvent, eager=True)(lambda event: None)
    return PromptSession(
        key_bindings=keys,
        history=history(history_file()),
        completer=Words(),
        complete_while_typing=False,
        complete_style=CompleteStyle.READLINE_LIKE,
        reserve_space_for_menu=0,
        multiline=Condition(lambda: is_open(get_app().current_buffer.text)),
        prompt_continuation=" " * len("User: "),
        enable_suspend=True,
    )


def completions(text: str) -> list[tuple[str, str]]:
    """The words that may stand at the end of a line, each with what of it is there."""
    if match := re.fullmatch(rf"[{SIGNS}](\w*)", text):
        return [(name, match[1]) for name in COMMANDS if name.startswith(match[1])]
    if match := re.fullmatch(rf"[{SIGNS}]set +(\w*)", text):
        names = [f.name for f in knobs(SamplingConfig)]
        return [(name, match[1]) for name in names if name.startswith(match[1])]
    return []


def history_file() -> Path | None:
    """Where the history of chats lies; None for a user without a home."""
    folder = Path(os.environ.get("XDG_STATE_HOME", ""))
    try:
        folder = folder if folder.is_absolute() else Path.home() / ".local" / "state"
    except RuntimeError:
        return None
    return folder / "yocto" / "chat_history"


def history(path: Path | None) -> History:
    """What was typed before: kept in a file that only its owner can read, or, where there can be
    none, for this chat alone."""
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    class Kept(FileHistory):
        """A file; that it can't be written must not end the chat."""

        def store_string(self, string: str) -> None:
            with suppress(OSError, UnicodeError):
                super().store_string(string)

        def load_history_strings(self) -> list[str]:
            try:
                return list(super().load_history_strings())
            except OSError:
                return []

    if path is None:
        return InMemoryHistory()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        path.chmod(0o600)
        _shorten(path)
    except OSError:
        return InMemoryHistory()
    return Kept(path)


def _shorten(path: Path) -> None:
    """Drop the older half of a history that has grown large. Entries begin with "\\n#"."""
    if path.stat().st_size > _MOST:
        newer = path.read_bytes()[-_MOST // 2 :]
        # Where it can't be written it stays as long as it is.
        with suppress(YoctoError), atomic_file(path, mode=0o600) as file:
            file.write(newer[max(0, newer.find(b"\n#")) :])
