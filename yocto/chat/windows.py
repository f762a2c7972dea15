"""Conversations that are longer than a model's context, cut where a chat would cut them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from yocto.chat.roles import Message, conversation_ids
from yocto.tokenizer.base import BaseTokenizer

Learnt = tuple[list[int], list[bool]]  # ids, and which of them are learnt


@dataclass(frozen=True)
class Cut:
    """A conversation in windows. lost: tokens to be learnt that no window has."""

    windows: list[Learnt]
    lost: int


def cut_conversation(tokenizer: BaseTokenizer, messages: Sequence[Message], block_size: int) -> Cut:
    """The ids of a conversation, and which of them are learnt, in windows of block_size inputs.

    Several windows hold whole exchanges, as many as fit, with the system's turns before each: what
    a model is shown when a chat has grown too long for it. Each answer is in one of them. An
    exchange that is too long by itself loses its end, and one without an answer left is left out.
    """
    ids, learnt = conversation_ids(tokenizer, messages)
    if len(ids) - 1 <= block_size:
        return Cut([(ids, learnt)] if any(learnt) else [], 0)
    first = next((i for i, m in enumerate(messages) if m.role != "system"), len(messages))
    head, of_head = conversation_ids(tokenizer, messages[:first])
    windows: list[Learnt] = []
    for exchange in _exchanges(messages[first:]):
        fresh, of_fresh = conversation_ids(tokenizer, exchange)
        fresh, of_fresh = fresh[1:], of_fresh[1:]  # the conversation has begun already
        if windows and len(windows[-1][0]) + len(fresh) - 1 <= block_size:
            windows[-1] = windows[-1][0] + fresh, windows[-1][1] + of_fresh
        else:
            windows.append((head + fresh, of_head + of_fresh))
    windows = [(ids[: block_size + 1], learnt[: block_size + 1]) for ids, learnt in windows]
    kept = sum(sum(learnt) for _, learnt in windows)
    return Cut([w for w in windows if any(w[1])], sum(learnt) - kept)


def _exchanges(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """Parts that begin where the user takes the word."""
    begin = 0
    for i in range(1, len(messages)):
        if messages[i].role == "user" and messages[i - 1].role != "user":
            yield list(messages[begin:i])
            begin = i
    yield list(messages[begin:])
