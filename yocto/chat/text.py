"""Conversations of base models: lines of `User: …` and `Assistant: …`."""

from __future__ import annotations

from collections.abc import Sequence

import regex

from yocto.chat.roles import Message
from yocto.tokenizer.base import BaseTokenizer

USER, ASSISTANT = "User:", "Assistant:"

# A turn's marker at the start of a line, whatever its case, with white space or what shows as
# nothing around it.
_MARKER = regex.compile(r"^[\s\p{C}]*(?:user|assistant)[\s\p{C}]*:", regex.IGNORECASE)


class TextTemplate:
    """The text that a model goes on with, which has seen conversations in its corpus, if at all.

    knows_end_token: whether the model learnt from several documents. One that did not never saw an
    end token; its text marks the end of a conversation with a blank line.
    """

    end_ids: frozenset[int] | None = None  # the model's own

    def __init__(self, tokenizer: BaseTokenizer, knows_end_token: bool) -> None:
        self._tokenizer = tokenizer
        turns = (f"\n{USER}", f"\n{ASSISTANT}")
        self.stop = turns if knows_end_token else (*turns, "\n\n")

    def prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        """The ids that the model continues."""
        return self._tokenizer.encode(render(messages), allowed_special="none")


def render(messages: Sequence[Message]) -> str:
    """The conversation so far, up to where the assistant's next words begin.

    No text opens a turn of its own: see `harmless`.
    """
    lines = []
    for message in messages:
        text = harmless(message.text, inside=message.role != "system")
        if message.role == "system":
            lines += [text] if text else []
        else:
            marker = USER if message.role == "user" else ASSISTANT
            lines.append(f"{marker} {text}".rstrip())
    return "\n".join([*lines, ASSISTANT])


def harmless(text: str, inside: bool = True) -> str:
    """Text in which no line looks like the start of a turn, without blank lines, which end a
    conversation.

    A line that begins with a marker joins the one before it. inside: whether something stands
    before the first line; otherwise a marker there loses its colon.
    """
    lines: list[str] = []
    for line in text.strip().splitlines():
        if line.strip():
            lines.append(line.rstrip())
        # Again, as the line before may show as nothing, and then they begin with a marker together.
        while len(lines) > 1 and _MARKER.match(lines[-1]):
            last = lines.pop().strip()
            lines[-1] = f"{lines[-1]} {last}"
        while lines and not inside and _MARKER.match(lines[0]):
            lines[0] = lines[0].replace(":", "", 1)
    return "\n".join(lines)
