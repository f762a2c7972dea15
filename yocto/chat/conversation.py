"""Conversations in files.

{"format": "yocto-chat", "version": 1, "system_prompt": "",
 "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}],
 "knobs": {"temperature": 0.7, …}}
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yocto.chat.roles import Message
from yocto.errors import ChatError
from yocto.utils.files import check_version, read_json, write_json
from yocto.utils.text import one_line

FORMAT, VERSION = "yocto-chat", 1
_HINT = "Name a file that /save wrote."


@dataclass(frozen=True)
class Conversation:
    """What a file holds. messages: questions and answers in turns. knobs: as they are written,
    not checked."""

    system_prompt: str = ""
    messages: list[Message] = field(default_factory=list)
    knobs: dict[str, Any] = field(default_factory=dict)


def conversation_path(name: str | Path) -> Path:
    """The file of this name, ~ being the user's home. Raises ChatError where there can be none."""
    try:
        path = Path(name).expanduser()
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        pass  # who reads or writes it will tell
    except (OSError, ValueError, RuntimeError) as error:  # too long, a NUL, nobody's home
        reason = getattr(error, "strerror", None) or error
        raise ChatError(
            f"can't use the file {one_line(str(name))[:80]}: {reason}", "Choose another name."
        ) from error
    return path


def save_conversation(path: Path, conversation: Conversation) -> None:
    """Write a conversation, atomically. Raises ChatError where another sort of file lies there, and
    YoctoError where the disk refuses."""
    if path.is_dir():
        raise ChatError(f"{path} is a folder", "Name a file in it, such as chat.json.")
    if path.exists():
        try:
            load_conversation(path)
        except ChatError as error:
            raise ChatError(
                f"{path} is there, and holds something else", "Choose another name."
            ) from error
    messages = [{"role": m.role, "content": m.text} for m in conversation.messages]
    write_json(path, {
        "format": FORMAT, "version": VERSION, "system_prompt": conversation.system_prompt,
        "messages": messages, "knobs": conversation.knobs,
    })  # fmt: skip


def load_conversation(path: Path) -> Conversation:
    """Read a conversation. Raises ChatError, which names the file and the fault."""
    if path.exists() and not path.is_file() and not path.is_dir():  # a pipe would never end
        raise ChatError(f"{path} is no file that can be read whole", _HINT)
    content = read_json(path, ChatError, _HINT)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ChatError(f"{path} is not a conversation of yocto's", _HINT)
    check_version(path, content.get("version"), VERSION, ChatError, _HINT)
    try:
        return _conversation(content)
    except (KeyError, TypeError, ValueError) as error:
        raise ChatError(f"{path} is damaged: {error}", _HINT) from error


def _conversation(content: dict[str, Any]) -> Conversation:
    turns = content["messages"]
    if not isinstance(turns, list) or len(turns) % 2:
        raise ValueError("messages is no list of questions and answers")
    messages = []
    for at, turn in enumerate(turns):
        role = "assistant" if at % 2 else "user"
        if not isinstance(turn, dict) or turn.get("role") != role:
            raise ValueError(f"message {at + 1} is not the {role}'s")
        messages.append(Message("assistant" if at % 2 else "user", _text(turn["content"])))
    if not isinstance(content["knobs"], dict):
        raise ValueError("knobs is no table")
    return Conversation(_text(content["system_prompt"]), messages, content["knobs"])


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{str(value)[:80]!r} is no text")
    value.encode("utf-8")  # half a character can't be shown to a model
    return value
