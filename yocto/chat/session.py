"""The turns of a conversation, and the part of them that the model is shown."""

from __future__ import annotations

from collections.abc import Callable

from yocto.chat.roles import Message
from yocto.chat.template import render
from yocto.errors import ChatError


class ChatSession:
    """Keeps all turns; trims what the model sees by whole turns, the oldest first.

    encode: text -> ids. max_tokens: most ids of conversation, the system prompt included. most:
    what max_tokens may be at the highest.
    """

    def __init__(
        self,
        encode: Callable[[str], list[int]],
        max_tokens: int,
        system_prompt: str = "",
        most: int = 1 << 30,
    ) -> None:
        self.encode = encode
        self.max_tokens = max_tokens
        self.most = most
        self.system_prompt = system_prompt
        self.messages: list[Message] = []

    def ask(self, text: str) -> list[int]:
        """Add a user's message; returns the ids that the model continues.

        Raises ChatError, and adds nothing, when the message alone is longer than max_tokens.
        """
        message = Message("user", text)
        ids = self.encode(render([message], self.system_prompt))
        if len(ids) > self.max_tokens:
            raise ChatError(
                f"the message is {len(ids)} tokens long with what surrounds it, and the model is "
                f"shown at most {self.max_tokens}",
                "Say it in fewer words"
                + (", or raise --max-ctx-tokens." if self.max_tokens < self.most else "."),
            )
        messages = [*self.messages, message]
        # One exchange (a question and its answer) after the other goes, until the rest fits.
        for start in range(0, len(messages), 2):
            ids = self.encode(render(messages[start:], self.system_prompt))
            if len(ids) <= self.max_tokens:
                break
        self.messages.append(message)
        return ids

    def answer(self, text: str) -> None:
        """Add the assistant's message."""
        self.messages.append(Message("assistant", text))

    def take_back(self) -> None:
        """Remove a question that got no answer, so that turns go on alternating."""
        if self.messages and self.messages[-1].role == "user":
            self.messages.pop()

    def reset(self) -> None:
        """Forget all turns; the system prompt stays."""
        self.messages.clear()
