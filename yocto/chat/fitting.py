"""A conversation of any roles, and the part of it that fits into a model's context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from yocto.chat.roles import Message
from yocto.chat.template import Template


@dataclass(frozen=True)
class Fitted:
    """What a model is shown of a conversation. ids: what it continues. head: the system's turns at
    the start. exchanges: those that are shown, the last one waits for its answer."""

    template: Template
    ids: list[int]
    head: list[Message]
    exchanges: list[list[Message]]

    def reframed(self, answer: Sequence[int], size: int) -> Fitted | None:
        """The same with fewer exchanges, once its answer has filled the context: as many as leave
        room for the answer so far in `size` ids. None where there is no room without any of those
        before the last, either."""
        fitted = _longest(self.template, self.head, self.exchanges[1:], size - len(answer))
        return fitted if fitted and len(fitted.ids) + len(answer) <= size else None


def fit(template: Template, messages: Sequence[Message], most: int) -> Fitted:
    """A conversation in at most `most` ids: the system's turns at its start, and as many of the
    newest exchanges as there is room for: one at least, and then the ids may be more. An exchange
    begins where the user takes the word."""
    first = next((i for i, m in enumerate(messages) if m.role != "system"), len(messages))
    head, exchanges = list(messages[:first]), exchanges_of(messages[first:])
    fitted = _longest(template, head, exchanges, most)
    return fitted or Fitted(template, template.prompt_ids(head), head, [])


def exchanges_of(messages: Sequence[Message]) -> list[list[Message]]:
    """Parts that begin where the user takes the word."""
    found: list[list[Message]] = []
    for i, message in enumerate(messages):
        if not i or (message.role == "user" and messages[i - 1].role != "user"):
            found.append([])
        found[-1].append(message)
    return found


def _longest(
    template: Template, head: list[Message], exchanges: list[list[Message]], most: int
) -> Fitted | None:
    """As many of the newest exchanges as fit, one at least; None where there are none. Found by
    halving, since a long conversation takes long to write out."""

    def shown(start: int) -> Fitted:
        kept = exchanges[start:]
        messages = [*head, *(message for exchange in kept for message in exchange)]
        return Fitted(template, template.prompt_ids(messages), head, kept)

    if not exchanges:
        return None
    low, high = 0, len(exchanges) - 1  # the first that fits lies between, if any does
    best = shown(low)
    if len(best.ids) <= most or high == 0:
        return best
    low, best = 1, shown(high)
    while low < high:
        middle = (low + high) // 2
        found = shown(middle)
        if len(found.ids) <= most:
            high, best = middle, found
        else:
            low = middle + 1
    return best
