"""What marks the turns of a conversation: the tokens of fine-tuned models, the words of others."""

from __future__ import annotations

from typing import Literal

from yocto.tokenizer.base import BaseTokenizer

Role = Literal["system", "user", "assistant"]
ROLE: dict[Role, str] = {
    "system": "<|system|>", "user": "<|user|>", "assistant": "<|assistant|>",
}  # fmt: skip
END = "<|end|>"
ROLE_TOKENS = (*ROLE.values(), END)

USER, ASSISTANT = "User:", "Assistant:"  # at the start of a line


def has_roles(tokenizer: BaseTokenizer) -> bool:
    """Whether the tokenizer has the tokens that turns stand between."""
    return all(token in tokenizer.special_tokens for token in ROLE_TOKENS)
