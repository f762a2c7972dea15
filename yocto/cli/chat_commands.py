"""The commands of the chat: /help, /set, /retry and so on, each also with ! in front."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from yocto.config import SamplingConfig, knobs, nearest
from yocto.errors import ChatError
from yocto.utils.text import one_line

if TYPE_CHECKING:
    from yocto.api import Chat

SIGNS = "/!"
_AS_MESSAGE = "To say it to the model, put a space before it."


class Leave(Exception):
    """Raised by /exit."""


# What a command gives: lines to print, or the pieces of an answer.
Reply = str | Iterator[str]


@dataclass(frozen=True)
class ChatCommand:
    """One command. argument: what stands behind its name; "" for nothing, in brackets where it may
    be left out. action: gets the chat and the argument."""

    argument: str
    help: str
    action: Callable[[Chat, str], Reply]


def is_command(line: str) -> bool:
    """Whether a line is meant as a command; one that begins with a space is a message."""
    return line.startswith(tuple(SIGNS))


def obey(line: str, chat: Chat) -> Reply:
    """Carry out a command. Raises Leave, or ChatError for what is none."""
    sign, (word, *rest) = line[0], (line[1:].split(maxsplit=1) or [""])
    argument = rest[0].strip() if rest else ""
    name = ALIASES.get(word.lower(), word.lower())
    if name not in COMMANDS:
        close = nearest(name, list(COMMANDS))
        advice = f"Did you mean {sign}{close}?" if close else f"{sign}help tells which there are."
        raise ChatError(
            f"there is no command {sign}{one_line(word)[:40]}",
            f"{advice} {_AS_MESSAGE}",
        )
    command = COMMANDS[name]
    if argument and not command.argument:
        raise ChatError(
            f"{sign}{name} takes nothing behind it",
            "To say it to the model, put a space before it.",
        )
    if not argument and command.argument and not command.argument.startswith("["):
        raise ChatError(f"{sign}{name} takes the name of a file", f"Like {sign}{name} chat.json.")
    return command.action(chat, argument)


def help_rows() -> list[tuple[str, str]]:
    """What can be typed, and what it does."""
    rows = [(f"/{name} {c.argument}".rstrip(), c.help) for name, c in COMMANDS.items()]
    return [
        *rows,
        ('"""', "begins a message of several lines, and ends it"),
        ("Ctrl-C", "breaks an answer off, and keeps what came"),
    ]


def _help(chat: Chat, argument: str) -> Reply:
    rows = help_rows()
    width = max(len(typed) for typed, _ in rows)
    return "\n".join(f"{typed:<{width}}  {does}" for typed, does in rows)


def _reset(chat: Chat, argument: str) -> Reply:
    chat.reset()
    return "the conversation is forgotten"


def _system(chat: Chat, text: str) -> Reply:
    chat.system_prompt = text
    return "the system prompt is set" if text else "there is no system prompt now"


def _set(chat: Chat, argument: str) -> Reply:
    from yocto.utils.settings import parse_assignments

    if not argument:
        values = chat.knobs()
        width = max(map(len, values))
        return "\n".join(f"{name:<{width}}  {_shown(name, v)}" for name, v in values.items())
    key, _, value = argument.partition("=" if "=" in argument.partition(" ")[0] else " ")
    name = key.replace("-", "_")
    if not value.strip():
        SamplingConfig.checked({name: chat.knobs().get(name)})  # an unknown one is an error
        about = next(f.metadata["help"] for f in knobs(SamplingConfig) if f.name == name)
        return f"{name} is {_shown(name, chat.knobs()[name])}. {about}"
    changes = parse_assignments([f"{name}={value.strip()}"], texts=["stop"])
    if name in ("stop", "logit_bias") and not changes[name]:
        changes[name] = []  # off
    chat.set(**changes)
    return f"{name} is {_shown(name, chat.knobs()[name])}"


def _shown(name: str, value: Any) -> str:
    """A knob's value as one would type it."""
    (field,) = (f for f in knobs(SamplingConfig) if f.name == name)
    if value is None:
        return str(field.metadata["default_text"])
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        several = value if len(value) > 1 else "".join(value)
        return json.dumps(several, ensure_ascii=False) if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _retry(chat: Chat, argument: str) -> Reply:
    return chat.retry()


def _undo(chat: Chat, argument: str) -> Reply:
    text = one_line(chat.undo())
    return f"taken back: {text if len(text) <= 60 else text[:59] + '…'}"


def _save(chat: Chat, file: str) -> Reply:
    chat.save(file)
    return f"saved in {file}: {_turns(chat)}"


def _load(chat: Chat, file: str) -> Reply:
    chat.load(file)
    return f"loaded from {file}: {_turns(chat)}"


def _tokens(chat: Chat, argument: str) -> Reply:
    used, limit, shown = chat.used()
    turns = len(chat.messages) // 2
    which = f", the last {shown} of them in sight" if shown < turns else ""
    return f"{used} of at most {limit} tokens of conversation; {_turns(chat)}{which}"


def _turns(chat: Chat) -> str:
    count = len(chat.messages) // 2
    return f"{count} turn" + ("s" if count != 1 else "")


def _exit(chat: Chat, argument: str) -> Reply:
    raise Leave


COMMANDS = {
    "help": ChatCommand("", "this list", _help),
    "reset": ChatCommand("", "forget the conversation", _reset),
    "retry": ChatCommand("", "another answer to the last message", _retry),
    "undo": ChatCommand("", "take back the last message and its answer", _undo),
    "system": ChatCommand("[TEXT]", "put TEXT before the conversation, or nothing", _system),
    "set": ChatCommand("[KNOB VALUE]", "show the knobs, or turn one: /set temperature 0.7", _set),
    "tokens": ChatCommand("", "how much of the conversation the model sees", _tokens),
    "save": ChatCommand("FILE", "write the conversation to FILE", _save),
    "load": ChatCommand("FILE", "go on with the conversation in FILE", _load),
    "exit": ChatCommand("", "leave (or Ctrl-D)", _exit),
}
ALIASES = {"quit": "exit"}
