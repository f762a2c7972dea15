"""A conversation with a model."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from yocto.chat.conversation import (
    Conversation,
    conversation_path,
    load_conversation,
    save_conversation,
)
from yocto.chat.roles import Message
from yocto.chat.session import ChatSession, Question
from yocto.config import ChatConfig, SamplingConfig, knobs
from yocto.errors import ChatError, ConfigError, YoctoError
from yocto.sampling.engine import Engine
from yocto.sampling.request import make_generator

if TYPE_CHECKING:
    from yocto.api.language_model import LanguageModel

_DEFAULTS = {f.name: f.default for f in knobs(SamplingConfig)}


@dataclass
class Answer:
    """Figures of an answer; they grow while it is made.

    prompt_tokens: what the model was shown before the answer, of which `shown` exchanges, this one
    included; fewer, once a long answer needed their room. tokens: those made. seconds: since the
    message was sent; first_seconds: until the first text came. finish_reason: as in Completion.
    full: whether it was the context that ended the answer.
    """

    prompt_tokens: int
    shown: int
    tokens: int = 0
    seconds: float = 0.0
    first_seconds: float | None = None
    finish_reason: str | None = None
    full: bool = False

    @property
    def tokens_per_second(self) -> float:
        """The speed, reading the prompt included."""
        return self.tokens / self.seconds if self.seconds > 0 else 0.0


class Chat:
    """A conversation with a model: `send` a message, get the answer as it is made.

    >>> import yocto
    >>> lm = yocto.load("checkpoints/token-1")                        # doctest: +SKIP
    >>> chat = lm.chat("Be brief.", temperature=0.5)                   # doctest: +SKIP
    >>> for piece in chat.send("What is courage?"):                    # doctest: +SKIP
    ...     print(piece, end="", flush=True)
    >>> chat.last.tokens_per_second                                    # doctest: +SKIP
    >>> better = "".join(chat.retry())                                 # doctest: +SKIP
    >>> chat.save("courage.json")                                      # doctest: +SKIP

    last: figures of the last answer, None before the first.
    """

    def __init__(
        self,
        lm: LanguageModel,
        config: SamplingConfig,
        system_prompt: str = "",
        max_ctx_tokens: int | None = None,
    ) -> None:
        lm.check_biases(config)
        limit = ChatConfig.checked({"max_ctx_tokens": max_ctx_tokens})["max_ctx_tokens"]
        if limit is None:
            limit = max(1, lm.block_size * 2 // 3)
        self.lm = lm
        self.config = config
        self.session = ChatSession(
            lm.template, min(limit, lm.block_size), system_prompt, lm.block_size
        )
        self.last: Answer | None = None
        self._generator = make_generator(config.seed)
        self._engine = Engine(lm.model)  # which has read what the next message follows

    # ------------------------------------------------------------------------------- messages

    @property
    def messages(self) -> list[Message]:
        """The conversation: questions and their answers in turns."""
        return list(self.session.messages)

    @property
    def system_prompt(self) -> str:
        """The text that stays before the conversation; "" for none."""
        return self.session.system_prompt

    @system_prompt.setter
    def system_prompt(self, text: str) -> None:
        self.session.system_prompt = text

    def send(self, message: str) -> Generator[str, None, None]:
        """The answer, piece by piece; it joins the conversation when it ends or is broken off.

        Raises ChatError at once when the message is longer than the context.
        """
        start = time.perf_counter()
        return self._answer(self.session.ask(message), start)

    def retry(self) -> Generator[str, None, None]:
        """Another answer to the last message, as in `send`; it takes the place of the last one.
        Raises ChatError at once where there is none."""
        start = time.perf_counter()
        return self._answer(self.session.retry(), start)

    def undo(self) -> str:
        """Take back the last message and its answer; returns the message. Raises ChatError where
        there is none."""
        return self.session.undo().text

    def reset(self) -> None:
        """Forget the conversation; the system prompt stays."""
        self.session.reset()

    def _answer(self, question: Question, start: float) -> Generator[str, None, None]:
        template = self.session.template
        figures = self.last = Answer(len(question.ids), question.shown)
        config, room = self.config, self.lm.block_size - len(question.ids) + 1
        # Beams aren't shown anything anew: they end where the context is full.
        short = config.beam > 1 and room < config.max_new_tokens
        if short:
            config = dataclasses.replace(config, max_new_tokens=room)
        completions = self.lm.complete(
            [question.ids], config, stop=template.stop, end_ids=template.end_ids,
            generators=[self._generator], engine=self._engine,
            reframes=[partial(self._reframe, question, figures)],
        )  # fmt: skip
        (text,) = completions.texts
        said = ""
        try:
            for _, piece in completions:
                fresh = piece if said else piece.lstrip()
                said += fresh
                self._measure(figures, text.ids, text.finish_reason, start, bool(said))
                if fresh:
                    yield fresh
        finally:
            self._measure(figures, text.ids, text.finish_reason, start, bool(said))
            figures.full |= short and figures.finish_reason == "length"
            if said.strip():
                self.session.answer(question, said.strip())

    def _reframe(self, question: Question, figures: Answer, answer: list[int]) -> list[int] | None:
        """What the model is shown where an answer has filled the context: whole turns, and room for
        a quarter of it at least."""
        shorter = self.session.reframed(question, answer, self.lm.block_size * 3 // 4)
        if shorter is None:
            figures.full = True
            return None
        figures.prompt_tokens, figures.shown = len(shorter.ids), shorter.shown
        return [*shorter.ids, *answer]

    @staticmethod
    def _measure(
        answer: Answer, ids: list[int], reason: str | None, start: float, begun: bool
    ) -> None:
        answer.tokens, answer.finish_reason = len(ids), reason
        answer.seconds = time.perf_counter() - start
        if begun and answer.first_seconds is None:
            answer.first_seconds = answer.seconds

    # ------------------------------------------------------------------------- knobs and files

    def set(self, **changes: Any) -> None:
        """Change sampling knobs for the messages to come; one that is set to its default counts as
        if nobody had set it. Raises ConfigError for a wrong one."""
        values = SamplingConfig.checked(changes)
        given = {name for name, value in values.items() if value != _DEFAULTS[name]}
        config = dataclasses.replace(
            self.config, **values, given=self.config.given - values.keys() | given
        )
        self.lm.check_biases(config)
        self.config = config
        if "seed" in changes:
            self._generator = make_generator(self.config.seed)

    def knobs(self) -> dict[str, Any]:
        """The sampling knobs, as `set` takes them."""
        values = self.config.to_dict()
        return {f.name: values[f.name] for f in knobs(SamplingConfig)}

    def save(self, path: str | Path) -> None:
        """Write the conversation to a file (JSON): system prompt, messages and the knobs that were
        turned. Raises ChatError where a file of another sort lies there."""
        checked = SamplingConfig.checked(self.knobs())
        knobs = {k: v for k, v in self.knobs().items() if checked[k] != _DEFAULTS[k]}
        save_conversation(
            conversation_path(path), Conversation(self.system_prompt, self.messages, knobs)
        )

    def load(self, path: str | Path) -> None:
        """Go on with a conversation that `save` wrote, by any model. Raises ChatError, and changes
        nothing, where the file holds none."""
        conversation = load_conversation(conversation_path(path))
        try:
            self.set(**{**_DEFAULTS, **SamplingConfig.checked(conversation.knobs)})
        except ConfigError as error:
            raise ChatError(f"{path} is damaged: {error.message}", error.hint) from error
        self.session.system_prompt = conversation.system_prompt
        self.session.replace(conversation.messages)

    # -------------------------------------------------------------------------------- figures

    def used(self) -> tuple[int, int, int]:
        """How many tokens of the conversation the model would be shown by now, how many there may
        be, and how many exchanges that is."""
        tokens, shown = self.session.used()
        return tokens, self.session.max_tokens, shown

    def warm_up(self) -> None:
        """Do what the first message would wait for: what is loaded and built when it is first
        needed. The conversation, its figures and its seed know nothing of it."""
        template = self.session.template
        try:
            ids = template.prompt_ids([Message("user", "a")])
        except YoctoError:  # an odd vocabulary or template: a message of the user's will tell
            return
        config = SamplingConfig(max_new_tokens=2, ignore_eos=True, seed=0)
        for _ in self.lm.complete([ids], config, end_ids=template.end_ids, engine=self._engine):
            pass
