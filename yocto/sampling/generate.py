"""The generator: requests in, tokens out, one by one. It knows nothing of text."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from yocto.sampling.engine import Engine, kept_when_full
from yocto.sampling.lookup import prompt_lookup
from yocto.sampling.request import Reframe, Request, Token
from yocto.sampling.sampler import Sampler, choose_all

MOST_TEXTS = 16  # that are made at a time


class Generation:
    """Several texts in the making, while this is iterated over: yields (which request, its next
    token) until each has max_new_tokens or an end id. A request that comes to an end id says so
    once, with None in place of a token.

    The texts take one step together; one that is done makes room for the next, which joins at the
    next token. The model sees the last block_size tokens of each at most: where a text grows
    longer, its newest three quarters are read in again and the rest is forgotten, or what its
    request's `reframe` says is read in.
    """

    def __init__(
        self, engine: Engine, requests: Sequence[Request], most_texts: int = MOST_TEXTS
    ) -> None:
        self.engine, self.requests, self.most_texts = engine, requests, most_texts
        self._cancelled: set[int] = set()

    def cancel(self, index: int) -> None:
        """Make no more tokens for this request."""
        self._cancelled.add(index)

    def so_far(self) -> Iterator[tuple[int, Token]]:
        """Nothing: each token was handed on when it was chosen."""
        return iter(())

    def __iter__(self) -> Iterator[tuple[int, Token | None]]:
        waiting = deque(enumerate(self.requests))
        texts: list[_Text] = []  # text i has row i of the engine
        while waiting or texts:
            while waiting and len(texts) < self.most_texts:
                texts.append(_Text(*waiting.popleft()))
            for text in texts:
                text.slide(self.engine.block_size)
            self._leave(texts)
            if not texts:
                continue
            for text, tokens in self._step(texts):
                for token in tokens:
                    ends = token.id in text.request.end_ids
                    text.take(token, ends)
                    yield text.index, None if ends else token
                    if text.done or text.index in self._cancelled:
                        break  # of a guess there may be more

    def _leave(self, texts: list[_Text]) -> None:
        """Take out the texts that are done; the last one moves to the place of each."""
        for row in range(len(texts) - 1, -1, -1):
            if texts[row].done or texts[row].index in self._cancelled:
                last = len(texts) - 1
                if row < last:
                    self.engine.move(last, row)
                    texts[row] = texts[last]
                texts.pop()

    def _step(self, texts: list[_Text]) -> Iterator[tuple[_Text, Iterator[Token]]]:
        """The next token of each text, or, of a text alone, as many as were guessed right."""
        alone = texts[0]
        guess = self._guess(alone) if len(texts) == 1 else []
        if not guess:
            logits = self.engine.read([text.visible for text in texts])
            tokens = choose_all(logits, [text.sampler for text in texts])
            yield from ((text, iter([token])) for text, token in zip(texts, tokens, strict=True))
        else:
            yield alone, self._guessed(alone, guess)

    def _guess(self, text: _Text) -> list[int]:
        room = self.engine.block_size - len(text.visible)
        most = min(text.request.config.prompt_lookup, room, text.left - 1)
        return prompt_lookup(text.visible, most)

    def _guessed(self, text: _Text, guess: list[int]) -> Iterator[Token]:
        """Tokens that are chosen as if one by one, as long as each is what was guessed: what they
        are does not depend on the guess, only how many come of one step does."""
        logits = self.engine.read_ahead(text.visible, guess)
        for place, row in enumerate(logits):
            token = text.sampler.choose(row)
            yield token
            if place == len(guess) or token.id != guess[place]:
                return


class _Text:
    """One request at work. visible: what the model is shown. left: how many tokens may come."""

    def __init__(self, index: int, request: Request) -> None:
        self.index, self.request = index, request
        self.sampler = Sampler(request)
        self.visible = list(request.prompt)
        self.left = request.config.max_new_tokens
        self.done = self.left == 0
        self._begun = False

    def slide(self, block_size: int) -> None:
        """Forget what the model can't see: of a prompt what is too much, later a quarter."""
        if self._begun and self.request.reframe is not None:
            self._reframe(self.request.reframe, block_size)
        if len(self.visible) > block_size:
            kept = kept_when_full(block_size) if self._begun else block_size
            del self.visible[:-kept]
        self._begun = True

    def _reframe(self, reframe: Reframe, block_size: int) -> None:
        if len(self.visible) > block_size and not self.done:
            made = self.request.config.max_new_tokens - self.left
            shown = reframe(self.visible[-made:])
            self.done = shown is None
            self.visible = shown or self.visible

    def take(self, token: Token, ends: bool) -> None:
        """Count a token in."""
        self.left -= 1
        self.done = ends or self.left == 0
        if not ends:
            self.visible.append(token.id)
