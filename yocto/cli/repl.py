"""The chat: a prompt on a terminal, plain lines when piped."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from yocto.cli.render import write
from yocto.errors import ChatError, YoctoError
from yocto.utils.settings import parse_assignments

if TYPE_CHECKING:
    from yocto.api import Chat
    from yocto.commands.chat import OpenChat

HELP = """\
/help             this list
/reset            forget the conversation
/system TEXT      put TEXT before the conversation; without TEXT, take it away
/set KEY VALUE    change a knob: temperature, top_k, top_p, min_p, max_new_tokens, seed, …
/exit             leave (or Ctrl-D)"""


def run_chat(result: OpenChat, as_json: bool = False) -> None:
    """Read messages and commands until /exit or the end of the input."""
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    if interactive:
        print(f"talking to {result.checkpoint} (/help tells the commands)")
    for line in _typed() if interactive else _piped():
        try:
            if line.startswith("/"):
                if not _obey(line, result.chat):
                    return
            elif line:
                _answer(line, result.chat, interactive)
        except YoctoError as error:
            # To a reader of piped answers this is none of them.
            print(
                f"{error.message}. {error.hint}".strip(),
                file=sys.stdout if interactive else sys.stderr, flush=True,
            )  # fmt: skip


def _answer(message: str, chat: Chat, interactive: bool) -> None:
    """Write the answer as it comes; Ctrl-C breaks it off and keeps what came."""
    pieces = chat.send(message)
    if interactive:
        write("Assistant: ")
    said = False
    try:
        for piece in pieces:
            write(piece)
            said = True
    except KeyboardInterrupt:
        if not interactive:
            raise
    finally:
        pieces.close()
    print("" if said else "(the model had no answer)", flush=True)


def _typed() -> Iterator[str]:
    """Lines edited on a terminal, with a history of the session."""
    from prompt_toolkit import PromptSession

    session: PromptSession[str] = PromptSession(enable_suspend=True)
    while True:
        try:
            yield session.prompt("User: ").strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return


def _piped() -> Iterator[str]:
    for line in sys.stdin.buffer:
        yield line.decode("utf-8", errors="replace").strip()


def _obey(line: str, chat: Chat) -> bool:
    """Carry out a slash command; False means to leave."""
    name, _, rest = line[1:].partition(" ")
    if name in ("exit", "quit"):
        return False
    actions: dict[str, Callable[[Chat, str], str]] = {
        "help": lambda chat, rest: HELP,
        "reset": _reset,
        "system": _system,
        "set": _set,
    }
    if name not in actions:
        raise ChatError(f"there is no command /{name}", "/help tells which there are.")
    print(actions[name](chat, rest.strip()), flush=True)
    return True


def _reset(chat: Chat, rest: str) -> str:
    chat.session.reset()
    return "the conversation is forgotten"


def _system(chat: Chat, rest: str) -> str:
    chat.session.system_prompt = rest
    return "the system prompt is set" if rest else "there is no system prompt now"


def _set(chat: Chat, rest: str) -> str:
    key, _, value = rest.partition("=" if "=" in rest.partition(" ")[0] else " ")
    if not key or not value.strip():
        raise ChatError("/set takes a knob and a value", "Like /set temperature 0.5.")
    knobs = parse_assignments([f"{key}={value.strip()}"], texts=["stop"])
    if "stop" in knobs and not knobs["stop"]:
        knobs["stop"] = []  # off
    chat.set(**knobs)
    return f"{key} is {value.strip()}"
