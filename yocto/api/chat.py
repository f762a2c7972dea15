"""A conversation with a model."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from yocto.chat.session import ChatSession
from yocto.chat.template import stop_strings
from yocto.config import SamplingConfig
from yocto.sampling.request import make_generator

if TYPE_CHECKING:
    from yocto.api.language_model import LanguageModel


class Chat:
    """A conversation with a model: `send` a message, get the answer as it is made."""

    def __init__(
        self,
        lm: LanguageModel,
        config: SamplingConfig,
        system_prompt: str = "",
        max_ctx_tokens: int | None = None,
    ) -> None:
        self.lm = lm
        self.config = config
        limit = max_ctx_tokens or max(1, lm.block_size * 2 // 3)
        self.session = ChatSession(
            lambda text: lm.tokenizer.encode(text, allowed_special="none"),
            min(limit, lm.block_size), system_prompt, lm.block_size,
        )  # fmt: skip
        self._generator = make_generator(config.seed)

    def set(self, **knobs: Any) -> None:
        """Change sampling knobs for the messages to come. Raises ConfigError for a wrong one."""
        checked = SamplingConfig.from_dict(knobs)
        self.config = dataclasses.replace(self.config, **{k: getattr(checked, k) for k in knobs})
        if "seed" in knobs:
            self._generator = make_generator(self.config.seed)

    def send(self, message: str) -> Generator[str, None, None]:
        """The answer, piece by piece; it joins the conversation when it ends or is broken off.

        Raises ChatError at once when the message is longer than the context.
        """
        return self._answer(self.session.ask(message))

    def _answer(self, ids: list[int]) -> Generator[str, None, None]:
        stops = stop_strings(knows_end_token=self.lm.end_id is not None)
        said = ""
        try:
            for piece in self.lm.stream_ids(ids, self.config, stops, generators=[self._generator]):
                fresh = piece if said else piece.lstrip()
                said += fresh
                if fresh:
                    yield fresh
        finally:
            if said.strip():
                self.session.answer(said.strip())
            else:
                self.session.take_back()
