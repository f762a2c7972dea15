"""Texts in the making: tokens become text, and stop strings end it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from yocto.sampling.engine import Engine
from yocto.sampling.generate import MOST_TEXTS, Generation
from yocto.sampling.request import Request, Token
from yocto.tokenizer.base import BaseTokenizer
from yocto.utils.stop import StopFilter

if TYPE_CHECKING:
    from yocto.sampling.beam import BeamSearch


@dataclass
class Completion:
    """What continues one prompt; it grows while it is made.

    text: without a stop string. ids: all that were chosen, those of a stop string too; an end id is
    none of them. logprobs, top_logprobs: one for each id, where asked for. finish_reason: "stop" at
    an end id or a stop string, "length" at max_new_tokens or where a request's `reframe` ends it,
    None while it is made.
    """

    prompt_ids: list[int]
    text: str = ""
    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    top_logprobs: list[tuple[tuple[int, float], ...]] = field(default_factory=list)
    finish_reason: Literal["stop", "length"] | None = None

    def add(self, token: Token) -> None:
        """Count a token in."""
        self.ids.append(token.id)
        if token.logprob is not None:
            self.logprobs.append(token.logprob)
            self.top_logprobs.append(token.top)


class Writing:
    """One text in the making: tokens in, text out."""

    def __init__(self, tokenizer: BaseTokenizer, request: Request, stops: Sequence[str]) -> None:
        self.text = Completion(list(request.prompt))
        self._length = request.config.max_new_tokens
        self._special = frozenset(tokenizer.special_tokens.values())
        self._decoder = tokenizer.stream_decoder(after=request.prompt[-1])
        self._filter = StopFilter(stops)

    @property
    def stopped(self) -> bool:
        """Whether a stop string has ended it."""
        return self._filter.stopped

    def take(self, token: Token | None) -> str:
        """What the text grows by with a token; None is the end that the model gives it."""
        if self.text.finish_reason is not None:  # by a stop string in what a search has found
            return ""
        if token is None:
            return self.finish("stop")
        self.text.add(token)
        piece = "" if token.id in self._special else self._decoder.push(token.id)
        grown = self._grow(piece)
        if len(self.text.ids) == self._length and self.text.finish_reason is None:
            grown += self.finish("length")
        return grown

    def finish(self, reason: Literal["stop", "length"]) -> str:
        """Let the rest of the text through, which may have waited for more of a character."""
        grown = self._grow(self._decoder.finish())
        if self.text.finish_reason is None:
            rest = self.rest()
            self.text.finish_reason = reason
            grown += rest
        return grown

    def rest(self) -> str:
        """Let through what was held back as the possible start of a stop string."""
        rest = self._filter.finish()
        self.text.text += rest
        return rest

    def _grow(self, piece: str) -> str:
        certain = self._filter.push(piece)
        self.text.text += certain
        if self.stopped:
            self.text.finish_reason = "stop"
        return certain


class Completions:
    """Several texts that are made together, while this is iterated over: each step gives one of
    `texts` and what it has grown by, which is "" where a token brings no text yet."""

    def __init__(
        self, engine: Engine, tokenizer: BaseTokenizer, requests: Sequence[Request],
        stops: Sequence[str], batch_size: int = MOST_TEXTS,
    ) -> None:  # fmt: skip
        self._writings = [Writing(tokenizer, request, stops) for request in requests]
        self.texts = [writing.text for writing in self._writings]
        self._tokens: Generation | BeamSearch
        if any(request.config.beam > 1 for request in requests):
            from yocto.sampling.beam import BeamSearch  # a start without one is quicker

            self._tokens = BeamSearch(engine.model, requests)
        else:
            self._tokens = Generation(engine, requests, batch_size)

    def __iter__(self) -> Iterator[tuple[Completion, str]]:
        for index, token in self._tokens:
            yield self.texts[index], self._take(index, token)
        for writing in self._writings:
            if writing.text.finish_reason is None:  # of no token at all, or ended by reframe
                yield writing.text, writing.finish("length")

    def break_off(self) -> None:
        """Let through what was held back, as the possible start of a stop string or by a search
        that is not at its end: no more comes."""
        for index, token in self._tokens.so_far():
            self._take(index, token)
        for writing in self._writings:
            writing.rest()

    def _take(self, index: int, token: Token | None) -> str:
        writing = self._writings[index]
        grown = writing.take(token)
        if writing.stopped:
            self._tokens.cancel(index)
        return grown
