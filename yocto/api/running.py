"""Texts that join while others are made, and leave when they are done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from yocto.api.completion import Completion, Writing
from yocto.sampling.generate import Generation
from yocto.sampling.request import Request
from yocto.tokenizer.base import BaseTokenizer


class Running:
    """A batch without an end: `join` and `leave` between two steps, from the thread that takes the
    steps. What a text has become is in its Completion, which nothing here keeps once it is done."""

    def __init__(self, generation: Generation, tokenizer: BaseTokenizer) -> None:
        self._generation, self._tokenizer = generation, tokenizer
        self._writings: dict[int, Writing] = {}
        self._numbers: dict[int, int] = {}  # of a completion's id()

    @property
    def busy(self) -> bool:
        """Whether there is a text to be made."""
        return bool(self._writings)

    @property
    def running(self) -> int:
        """How many texts take part in a step; the others wait."""
        return self._generation.running

    def join(self, request: Request, stops: Sequence[str]) -> Completion:
        """One more text; it waits where there is no room yet."""
        writing = Writing(self._tokenizer, request, stops)
        number = self._generation.add(request)
        self._writings[number] = writing
        self._numbers[id(writing.text)] = number
        return writing.text

    def leave(self, text: Completion) -> None:
        """Make no more of a text; one that is done already has left."""
        number = self._numbers.get(id(text))
        if number is not None:
            self._generation.cancel(number)
            self._drop(number)

    def step(self) -> Iterator[tuple[Completion, str]]:
        """Each text that has got a token, and what it has grown by. Those with a finish_reason have
        left."""
        for number, token in self._generation.step():
            writing = self._writings.get(number)
            if writing is not None:
                piece = writing.take(token)
                if writing.stopped:
                    self._generation.cancel(number)
                yield self._told(number, writing, piece)
        for number in self._generation.full:
            if (writing := self._writings.get(number)) is not None:
                yield self._told(number, writing, writing.finish("length"))

    def _told(self, number: int, writing: Writing, piece: str) -> tuple[Completion, str]:
        if writing.text.finish_reason is not None:
            self._drop(number)
        return writing.text, piece

    def _drop(self, number: int) -> None:
        writing = self._writings.pop(number)
        del self._numbers[id(writing.text)]
