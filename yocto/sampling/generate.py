"""The generator: requests in, tokens out, one by one. It knows nothing of text."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from yocto.sampling.engine import Engine, kept_when_full
from yocto.sampling.lookup import prompt_lookup
from yocto.sampling.request import Reframe, Request, Token
from yocto.sampling.sampler import Sampler, choose_all

MOST_TEXTS = 16  # that are made at a time
EVERYTHING = 1 << 62  # ids to read at once


class Generation:
    """Several texts in the making, while this is iterated over: yields (which request, its next
    token) until each has max_new_tokens or an end id. A request that comes to an end id says so
    once, with None in place of a token.

    The texts take one step together; one that is done makes room for the next, which joins at the
    next token. More requests may be added meanwhile. The model sees the last block_size tokens of
    each at most: where a text grows longer, its newest three quarters are read in again and the
    rest is forgotten, or what its request's `reframe` says is read in.

    most_texts: that are made at a time. most_read: how many ids of new texts are read between two
    steps, so that a long prompt lets the others go on. full: requests that the last step has ended
    without a token, since their `reframe` wanted so, or they wanted none.
    """

    def __init__(
        self,
        engine: Engine,
        requests: Sequence[Request] = (),
        most_texts: int = MOST_TEXTS,
        most_read: int = EVERYTHING,
    ) -> None:
        self.engine, self.most_texts, self.most_read = engine, most_texts, most_read
        self._added = 0
        self._waiting: deque[_Text] = deque()
        self._texts: list[_Text] = []  # text i has row i of the engine
        self._cancelled: set[int] = set()
        self.full: list[int] = []
        for request in requests:
            self.add(request)

    @property
    def busy(self) -> bool:
        """Whether any text is not done yet."""
        return bool(self._waiting or self._texts)

    @property
    def running(self) -> int:
        """How many texts are being made, those that wait left out."""
        return len(self._texts)

    def add(self, request: Request) -> int:
        """One more request; returns its number: 0 for the first, and so on."""
        self._waiting.append(_Text(self._added, request))
        self._added += 1
        return self._added - 1

    def cancel(self, index: int) -> None:
        """Make no more tokens for this request."""
        self._cancelled.add(index)

    def so_far(self) -> Iterator[tuple[int, Token]]:
        """Nothing: each token was handed on when it was chosen."""
        return iter(())

    def __iter__(self) -> Iterator[tuple[int, Token | None]]:
        while self.busy:
            yield from self.step()

    def step(self) -> Iterator[tuple[int, Token | None]]:
        """The next token of each text that has been read in; nothing while there is none."""
        self.full.clear()
        for text in self._texts:
            text.slide(self.engine.block_size)
        self._leave()
        self._join()
        if not self._texts:
            return
        for text, tokens in self._choose(self._texts):
            for token in tokens:
                ends = token.id in text.request.end_ids
                text.take(token, ends)
                yield text.index, None if ends else token
                if text.done or text.index in self._cancelled:
                    break  # of a guess there may be more

    def _leave(self) -> None:
        """Take out the texts that are done, or that have much to read in again; the last one
        changes places with each."""
        gone, self._cancelled = self._cancelled, set()
        if gone:
            self._waiting = deque(text for text in self._waiting if text.index not in gone)
        for row in range(len(self._texts) - 1, -1, -1):
            text, last = self._texts[row], len(self._texts) - 1
            ended = text.done or text.index in gone
            if ended or self.engine.unread(row, text.visible) > self.most_read:
                if row < last:
                    self.engine.swap(last, row)
                    self._texts[row] = self._texts[last]
                self._texts.pop()
                self._end(text) if ended else self._waiting.appendleft(text)

    def _join(self) -> None:
        """Let waiting texts in, where there is room. The one that comes next is read in at the row
        behind the others', part by part."""
        left = self.most_read
        while self._waiting and len(self._texts) < self.most_texts:
            text, row = self._waiting[0], len(self._texts)
            text.slide(self.engine.block_size)
            if not text.done:
                if left <= 0:
                    return
                left -= self.engine.read_part(row, text.visible, left)
                if self.engine.unread(row, text.visible):
                    return
                self._texts.append(text)
            else:
                self._end(text)
            self._waiting.popleft()

    def _end(self, text: _Text) -> None:
        if text.full:
            self.full.append(text.index)

    def _choose(self, texts: list[_Text]) -> Iterator[tuple[_Text, Iterator[Token]]]:
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
    """One request at work. visible: what the model is shown. left: how many tokens may come. full:
    whether it ends without a token that says so."""

    def __init__(self, index: int, request: Request) -> None:
        self.index, self.request = index, request
        self.sampler = Sampler(request)
        self.visible = list(request.prompt)
        self.left = request.config.max_new_tokens
        self.done = self.full = self.left == 0
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
            self.done = self.full = shown is None
            self.visible = shown or self.visible

    def take(self, token: Token, ends: bool) -> None:
        """Count a token in."""
        self.left -= 1
        self.done = ends or self.left == 0
        if not ends:
            self.visible.append(token.id)
