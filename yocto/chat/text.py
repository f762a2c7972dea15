"""Conversations of base models: lines of `User: …` and `Assistant: …`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import regex

from yocto.chat.roles import Message
from yocto.errors import TokenizerError
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.roles import ASSISTANT, USER

# A turn's marker at the start of a line, whatever its case, with white space around it or what
# shows as nothing in it.
_NOTHING = r"[\p{C}\p{Default_Ignorable_Code_Point}]*"
_AROUND = r"[\s\p{C}\p{Default_Ignorable_Code_Point}]*"
_WORDS = "|".join(_NOTHING.join(word) for word in ("user", "assistant"))
_MARKER = regex.compile(f"^{_AROUND}(?:{_WORDS}){_AROUND}:", regex.IGNORECASE)
_ROUNDS = 10


class TextTemplate:
    """The text that a model goes on with, which has seen conversations in its corpus, if at all.

    knows_end_token: whether the model learnt from several documents. One that did not never saw an
    end token; its text marks the end of a conversation with a blank line.
    """

    end_ids: frozenset[int] | None = None  # the model's own

    def __init__(self, tokenizer: BaseTokenizer, knows_end_token: bool) -> None:
        self._tokenizer = tokenizer
        turns: tuple[str, ...] = (f"\n{USER}", f"\n{ASSISTANT}")
        # Of a tokenizer of small letters the model writes those.
        others = {self._seen(turn) for turn in turns if self._seen(turn).startswith("\n")}
        turns = (*turns, *sorted(others - {*turns}))
        self.stop = turns if knows_end_token else (*turns, "\n\n")

    def prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        """The ids that the model continues."""
        text = render(messages, self._seen)
        return self._tokenizer.encode(text, allowed_special="none")

    def _seen(self, text: str) -> str:
        """The text as the model sees it, whose tokenizer may bring it into another form."""
        try:
            return self._tokenizer.decode(self._tokenizer.encode(text, allowed_special="none"))
        except TokenizerError:  # it is told when the conversation is encoded
            return text


def render(messages: Sequence[Message], seen: Callable[[str], str] = str) -> str:
    """The conversation so far, up to where the assistant's next words begin.

    No text opens a turn of its own: see `harmless`. seen: a text as the model will see it; neither
    does it there.
    """
    lines = []
    for message in messages:
        text = _harmless_as_seen(message.text, message.role != "system", seen)
        if message.role == "system":
            lines += [text] if text else []
        else:
            marker = USER if message.role == "user" else ASSISTANT
            lines.append(f"{marker} {text}".rstrip())
    return "\n".join([*lines, ASSISTANT])


def _harmless_as_seen(text: str, inside: bool, seen: Callable[[str], str]) -> str:
    for _ in range(_ROUNDS):
        text = harmless(text, inside)
        shown = seen(text)
        if shown == text or not _opens_turn(shown, inside):
            return text
        text = shown
    return harmless(text, inside).replace(":", "")  # no tokenizer that is known of comes here


def _opens_turn(text: str, inside: bool) -> bool:
    lines = (line.rstrip() for line in text.strip().splitlines() if line.strip())
    return harmless(text, inside) != "\n".join(lines)


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
