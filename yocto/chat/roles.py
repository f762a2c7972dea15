"""Conversations of fine-tuned models: each turn between two tokens that no text can become.

    <|endoftext|><|system|>Be brief.<|end|><|user|>Hi<|end|><|assistant|>Hello.<|end|>

<|endoftext|> (or what else ends a document in this tokenizer) begins each conversation, as it
begins each document in training; the system's turn may be left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.roles import END, ROLE, ROLE_TOKENS, Role, has_roles

__all__ = [
    "END", "ROLE", "ROLE_TOKENS", "Message", "Role", "RoleTemplate", "answer_start",
    "conversation_ids", "has_roles",
]  # fmt: skip


@dataclass(frozen=True)
class Message:
    """One turn."""

    role: Role
    text: str


def conversation_ids(
    tokenizer: BaseTokenizer, messages: Sequence[Message]
) -> tuple[list[int], list[bool]]:
    """The ids of a conversation, and which of them a model is to learn to say: the assistant's
    words and the <|end|> after them. Special tokens in the messages are taken as text."""
    assert has_roles(tokenizer) and tokenizer.end_id is not None
    special = tokenizer.special_tokens
    ids, learnt = [tokenizer.end_id], [False]
    for message in messages:
        words = tokenizer.encode(message.text, allowed_special="none")
        ids += [special[ROLE[message.role]], *words, special[END]]
        learnt += [False, *[message.role == "assistant"] * (len(words) + 1)]
    return ids, learnt


def answer_start(tokenizer: BaseTokenizer) -> int:
    """The id after which the model answers."""
    return tokenizer.special_tokens[ROLE["assistant"]]


class RoleTemplate:
    """Turns between role tokens, as `conversation_ids` writes them for training."""

    stop: tuple[str, ...] = ()

    def __init__(self, tokenizer: BaseTokenizer) -> None:
        self._tokenizer = tokenizer
        ends = (tokenizer.end_id, tokenizer.special_tokens[END])
        self.end_ids = frozenset(id_ for id_ in ends if id_ is not None)

    def prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        """The ids that the model continues."""
        ids, _ = conversation_ids(self._tokenizer, messages)
        return [*ids, answer_start(self._tokenizer)]
