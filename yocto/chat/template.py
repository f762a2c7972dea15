"""Messages as the text that a base model continues: lines of `User: …` and `Assistant: …`."""

from __future__ import annotations

from collections.abc import Sequence

from yocto.chat.roles import Message

USER = "User:"
ASSISTANT = "Assistant:"


def render(messages: Sequence[Message], system_prompt: str = "") -> str:
    """The conversation so far, up to where the assistant's next words begin.

    A message stands on one line: a line break in it becomes a space, so that no text of a user can
    open a turn of its own.
    """
    lines = [one_line(system_prompt)] if system_prompt.strip() else []
    for message in messages:
        marker = USER if message.role == "user" else ASSISTANT
        lines.append(f"{marker} {one_line(message.text)}")
    return "\n".join([*lines, ASSISTANT])


def one_line(text: str) -> str:
    """Text with every run of white space made one space."""
    return " ".join(text.split())


def stop_strings(knows_end_token: bool) -> tuple[str, ...]:
    """What ends an answer: the next turn. A model of a single document never saw an end token; its
    text marks the end of a conversation with a blank line."""
    turns = (f"\n{USER}", f"\n{ASSISTANT}")
    return turns if knows_end_token else (*turns, "\n\n")
