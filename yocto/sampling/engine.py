"""A model at work on several texts: what it has read of each stays in its cache."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait

import torch
from torch import Tensor

from yocto.model.gpt import GPT
from yocto.model.kv_cache import KVCache
from yocto.model.linear import LEAST_WEIGHTS, MOST_ROWS
from yocto.model.step import Step

LEAST_SHARE = 4  # texts, that a thread is worth waking for


class Engine:
    """Gives the logits that follow texts, and reads of each only what it has not read yet.

    Text i has row i of the cache; whatever it held before, what both begin with is kept. So a
    conversation's next question costs what has come since the last one.
    Where the weights are moved to another place, it begins anew.
    use_cache: False reads every text anew, the slow way that shows the cache right. rows: room for
    so many texts is taken at once, rather than as they come.
    """

    def __init__(self, model: GPT, use_cache: bool = True, rows: int = 0, threads: int = 1) -> None:
        self.model, self.use_cache, self._rows = model, use_cache, rows
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self.block_size = model.config.block_size
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        weight = next(self.model.parameters())
        self._place, self.device, self._dtype = weight.data_ptr(), weight.device, weight.dtype
        self._cache = KVCache(self.model.config, self._rows, self.device, self._dtype)
        self._held: list[list[int]] = [[] for _ in range(self._rows)]  # the ids that each has read
        fits = self.use_cache and Step.fits(self.model)
        self._steps = [Step(self.model) for _ in range(self._threads if fits else 0)]
        # For more ids at a time torch's products are quicker, but of small models all else is not.
        weights = sum(p.numel() for p in self.model.parameters())
        self._most_ids = self.block_size if weights < LEAST_WEIGHTS else MOST_ROWS

    @torch.no_grad()
    def read(self, texts: Sequence[list[int]]) -> Tensor:
        """The logits after each text, (B, V), float32, on the CPU. A text has 1 to block_size
        ids."""
        with self._lock:
            if not self.use_cache:
                return torch.cat([self._logits(self._features([text])[:, -1]) for text in texts])
            self._reserve(len(texts))
            for row, text in enumerate(texts):
                self._catch_up(row, text)
            parts = self._read_last([text[-1:] for text in texts])
            return parts[0] if len(parts) == 1 else torch.cat(parts)

    @torch.no_grad()
    def read_ahead(self, text: list[int], guessed: list[int]) -> Tensor:
        """The logits after a text and after each of the ids guessed to follow it, in one go:
        (1 + guessed, V). The text has row 0; text and guess have at most block_size ids."""
        with self._lock:
            if not self.use_cache:
                return self._logits(self._features([text + guessed])[0, len(text) - 1 :])
            self._reserve(1)
            self._catch_up(0, text)
            return self._logits(self._feed(0, [text[-1:] + guessed])[0])

    def _read_last(self, last: list[list[int]]) -> list[Tensor]:
        """The logits after one more id of each row, in parts. No part has more rows than the
        kernels take: so each row is computed as it is alone. The kernels compute on one thread, so
        that several threads share many rows."""
        threads = min(len(self._steps), len(last) // LEAST_SHARE) or 1
        size = min(MOST_ROWS, -(-len(last) // threads))
        starts = range(0, len(last), size)
        if threads == 1:
            return [self._read_part(0, at, last[at : at + size]) for at in starts]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(len(self._steps) - 1, "yocto-rows")
        parts: list[Tensor] = []
        for turn in range(0, len(starts), threads):
            own, *others = starts[turn : turn + threads]
            found = [
                self._pool.submit(self._read_part, i, at, last[at : at + size])
                for i, at in enumerate(others, 1)
            ]
            try:
                parts.append(self._read_part(0, own, last[own : own + size]))
            finally:  # also where Ctrl-C comes: what they write is not to be touched meanwhile
                wait(found)
            parts += [one.result() for one in found]
        return parts

    @torch.no_grad()
    def _read_part(self, step: int, first: int, last: list[list[int]]) -> Tensor:
        return self._logits(self._feed(first, last, step)[:, -1])

    def unread(self, row: int, text: list[int]) -> int:
        """How many ids of a text, its last one left out, a row has not read yet."""
        if not self.use_cache:
            return 0
        held = self._held[row] if row < len(self._held) else []
        return len(text) - 1 - common_prefix(held, text[:-1])

    @torch.no_grad()
    def read_part(self, row: int, text: list[int], most: int) -> int:
        """Read the next ids of a text into a row, `most` of them, up to the one before its last;
        returns how many. What another row has read of it already is copied from there."""
        if not self.use_cache:
            return 0
        with self._lock:
            self._reserve(row + 1)
            self._borrow(row, text[:-1])
            done = len(text) - 1 - self.unread(row, text)
            part = text[: done + most + 1]
            self._catch_up(row, part)
            return len(part) - 1 - done

    def swap(self, one: int, other: int) -> None:
        """Let the texts in two rows change places."""
        with self._lock:
            if self.use_cache and max(one, other) < len(self._held):
                self._cache.swap(one, other)
                held = self._held
                held[one], held[other] = held[other], held[one]

    def _borrow(self, row: int, wanted: list[int]) -> None:
        """Copy into a row what another one has read of a text, where that is more."""
        if not wanted:
            return
        same = [common_prefix(held, wanted) if held[:1] == wanted[:1] else 0 for held in self._held]
        best = max(range(len(same)), key=same.__getitem__)
        if same[best] > same[row]:
            del self._held[row][same[row] :]  # first: Ctrl-C may come in between
            self._cache.copy(best, row, same[best])
            self._held[row] = self._held[best][: same[best]]

    def _reserve(self, rows: int) -> None:
        if next(self.model.parameters()).data_ptr() != self._place:
            self._begin()
        there = len(self._held)
        if rows > there:
            more = KVCache(self.model.config, rows, self.device, self._dtype)
            more.keys[:, :there], more.values[:, :there] = self._cache.keys, self._cache.values
            more.lengths[:there] = self._cache.lengths
            self._cache = more
            self._held += [[] for _ in range(rows - there)]

    def _catch_up(self, row: int, text: list[int]) -> None:
        """Let a row hold all of a text but its last id."""
        held, wanted = self._held[row], text[:-1]
        if held == wanted and self._cache.lengths[row] == len(held):
            return
        same = common_prefix(held, wanted)
        # Also where nothing differs: Ctrl-C may come between a token and its note in `held`.
        self._cache.cut(row, same)
        del held[same:]
        if same < len(wanted):
            self._feed(row, [wanted[same:]])

    def _feed(self, first: int, ids: list[list[int]], step: int = 0) -> Tensor:
        """Read ids of several rows, from `first` on: (B, T, C). step: which thread's memory to work
        in."""
        rows = self._cache.rows(first, first + len(ids))
        if self._steps and len(ids) == 1 and len(ids[0]) <= self._most_ids:
            parts = [ids[0][at : at + MOST_ROWS] for at in range(0, len(ids[0]), MOST_ROWS)]
            # Copied, as the next part is computed in the same place.
            found = [self._steps[step].chunk(part, rows).clone() for part in parts]
            features = torch.cat(found)[None]
        elif self._steps and len(ids[0]) == 1:
            features = self._steps[step].features([one for (one,) in ids], rows)[:, None]
        else:
            features = self._features(ids, rows)
        self._cache.lengths[first : first + len(ids)] = rows.lengths
        for row, more in enumerate(ids, first):
            self._held[row] += more
        return features

    def _features(self, ids: list[list[int]], cache: KVCache | None = None) -> Tensor:
        return self.model.features(torch.tensor(ids, device=self.device), cache)

    def _logits(self, features: Tensor) -> Tensor:
        logits: Tensor = self.model.lm_head(features)
        return logits.float().cpu()


def kept_when_full(block_size: int) -> int:
    """How many of its newest ids a text keeps that has grown longer than the model sees."""
    return max(1, block_size * 3 // 4)


def common_prefix(one: list[int], other: list[int]) -> int:
    """How many ids two lists begin with in common."""
    same, shorter = 0, min(len(one), len(other))
    if one[:shorter] == other[:shorter]:
        return shorter
    while same < shorter:  # lists are compared quickest whole, and here half by half
        half = (same + shorter + 1) // 2
        if one[same:half] == other[same:half]:
            same = half
        else:
            shorter = half - 1
    return same
