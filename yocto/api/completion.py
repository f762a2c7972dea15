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


class Completions:
    """Several texts that are made together, while this is iterated over: each step gives one of
    `texts` and what it has grown by, which is "" where a token brings no text yet."""

    def __init__(
        self, engine: Engine, tokenizer: BaseTokenizer, requests: Sequence[Request],
        stops: Sequence[str], batch_size: int = MOST_TEXTS,
    ) -> None:  # fmt: skip
        self.texts = [Completion(list(request.prompt)) for request in requests]
        self._lengths = [request.config.max_new_tokens for request in requests]
        self._special = frozenset(tokenizer.special_tokens.values())
        self._tokens: Generation | BeamSearch
        if any(request.config.beam > 1 for request in requests):
            from yocto.sampling.beam import BeamSearch  # a start without one is quicker

            self._tokens = BeamSearch(engine.model, requests)
        else:
            self._tokens = Generation(engine, requests, batch_size)
        self._decoders = [tokenizer.stream_decoder(after=r.prompt[-1]) for r in requests]
        self._filters = [StopFilter(stops) for _ in requests]

    def __iter__(self) -> Iterator[tuple[Completion, str]]:
        for index, token in self._tokens:
            if token is None:
                yield self.texts[index], self._finish(index, "stop")
            else:
                yield self.texts[index], self._take(index, token)
        for index, text in enumerate(self.texts):
            if text.finish_reason is None:  # of no token at all, or ended by reframe
                yield text, self._finish(index, "length")

    def break_off(self) -> None:
        """Let through what was held back, as the possible start of a stop string or by a search
        that is not at its end: no more comes."""
        for index, token in self._tokens.so_far():
            self._take(index, token)
        for text, stops in zip(self.texts, self._filters, strict=True):
            text.text += stops.finish()

    def _take(self, index: int, token: Token) -> str:
        text = self.texts[index]
        if text.finish_reason is not None:  # by a stop string in what a search has found
            return ""
        text.add(token)
        piece = "" if token.id in self._special else self._decoders[index].push(token.id)
        grown = self._grow(index, piece)
        if len(text.ids) == self._lengths[index] and text.finish_reason is None:
            grown += self._finish(index, "length")
        return grown

    def _grow(self, index: int, piece: str) -> str:
        text, stops = self.texts[index], self._filters[index]
        certain = stops.push(piece)
        text.text += certain
        if stops.stopped:
            text.finish_reason = "stop"
            self._tokens.cancel(index)
        return certain

    def _finish(self, index: int, reason: Literal["stop", "length"]) -> str:
        """Let the rest of the text through, which may have waited for more of a character."""
        grown = self._grow(index, self._decoders[index].finish())
        text = self.texts[index]
        if text.finish_reason is None:
            rest = self._filters[index].finish()
            text.text += rest
            text.finish_reason = reason
            grown += rest
        return grown
