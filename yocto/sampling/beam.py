"""Beam search: the likeliest of several texts that are followed at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from yocto.model.gpt import GPT
from yocto.model.kv_cache import KVCache
from yocto.sampling.engine import kept_when_full
from yocto.sampling.penalties import Penalties, check_likeliest
from yocto.sampling.request import Request, Token
from yocto.sampling.sampler import told


class BeamSearch:
    """Texts found by beam search, one after the other, while this is iterated over: in place of a
    Generation where config.beam is above 1. What is yielded is the same, once a text is found."""

    def __init__(self, model: GPT, requests: Sequence[Request]) -> None:
        self.model, self.requests = model, requests
        self._cancelled: set[int] = set()
        self._best: tuple[int, Beam] | None = None  # of a search that is not at its end

    def cancel(self, index: int) -> None:
        """Hand on no more tokens of this request."""
        self._cancelled.add(index)

    def __iter__(self) -> Iterator[tuple[int, Token | None]]:
        for index, request in enumerate(self.requests):
            for beam in search(self.model, request):
                self._best = index, beam
            if self._best is None:  # no token is wanted
                continue
            (_, found), self._best = self._best, None
            for token in found.tokens:
                if index in self._cancelled:
                    break
                yield index, token
            else:
                if found.ended:
                    yield index, None

    def so_far(self) -> Iterator[tuple[int, Token]]:
        """What a search that was broken off has found by then."""
        if self._best is not None:
            index, beam = self._best
            yield from ((index, token) for token in beam.tokens)


@dataclass(frozen=True)
class Beam:
    """One of the texts that are followed.

    tokens: an end id is none of them. score: the sum of their logprobs, once penalties are counted;
    of a finished one divided by length ** length_penalty, where the length counts the end id.
    """

    tokens: tuple[Token, ...]
    score: float
    penalties: Penalties
    ended: bool = False  # by an end id


@torch.no_grad()
def search(model: GPT, request: Request) -> Iterator[Beam]:
    """The best text of a beam search so far, after every step; the last one is what transformers'
    generate finds with num_beams, do_sample=False and length_penalty.

    A text that ends joins the finished ones if it is among the `beam` likeliest of its step. The
    search ends when `beam` are finished and the likeliest unfinished one, as long as it is by then,
    has a lower score than all of them; or at max_new_tokens.
    """
    config = request.config
    live, finished = [Beam((), 0.0, Penalties(request))], list[Beam]()
    rows, reader = [0], _Reader(model, request.prompt, config.beam)
    for length in range(1, config.max_new_tokens + 1):
        logits = reader.read([[t.id for t in beam.tokens[-1:]] for beam in live], rows)
        rows, following = [], list[Beam]()
        for rank, (row, token_id, score) in enumerate(_candidates(logits, live, request)):
            ended = token_id in request.end_ids
            if ended or length == config.max_new_tokens:
                if rank < config.beam:
                    beam = _extended(live[row], token_id, logits[row], request, ended)
                    score /= length**config.length_penalty
                    finished.append(Beam(beam.tokens, score, beam.penalties, ended))
            elif len(following) < config.beam:
                beam = _extended(live[row], token_id, logits[row], request, ended)
                following.append(Beam(beam.tokens, score, beam.penalties))
                rows.append(row)
        live = following
        finished = sorted(finished, key=lambda beam: -beam.score)[: config.beam]
        yield finished[0] if finished else live[0]
        if not live:
            break
        if len(finished) == config.beam:
            best = live[0].score / length**config.length_penalty
            if best <= finished[-1].score:
                break


def _candidates(
    logits: Tensor, live: Sequence[Beam], request: Request
) -> list[tuple[int, int, float]]:
    """The likeliest continuations of all beams, the likeliest first: (beam, id, score). So many
    that enough are left when all that can end does. logits: (beams, V)."""
    scores = []
    for row, beam in zip(logits.log_softmax(dim=-1), live, strict=True):
        scores.append(beam.penalties.apply(row) + beam.score)
        check_likeliest(float(scores[-1].max()))
    count = max(2, 1 + len(request.end_ids)) * request.config.beam
    flat = torch.cat(scores)
    values, places = flat.topk(min(count, len(flat)))
    vocab_size = logits.shape[1]
    return [
        (place // vocab_size, place % vocab_size, value)
        for value, place in zip(values.tolist(), places.tolist(), strict=True)
        if value != -torch.inf
    ]


def _extended(beam: Beam, token_id: int, logits: Tensor, request: Request, ended: bool) -> Beam:
    """A beam with one more token; an end id is none."""
    penalties = beam.penalties.copy()
    penalties.count(token_id)
    tokens = () if ended else (told(token_id, logits, request.logprobs),)
    return Beam((*beam.tokens, *tokens), beam.score, penalties)


class _Reader:
    """Shows the beams to the model; all are equally long.

    The model sees the last block_size tokens of each at most. When the cache is full, the newest
    three quarters are read in again, as in Generation.
    """

    def __init__(self, model: GPT, prompt: Sequence[int], beams: int) -> None:
        self._model, self._beams = model, beams
        weight = next(model.parameters())
        self._device, self._dtype = weight.device, weight.dtype
        self._block_size = model.config.block_size
        self._texts = [list(prompt)[-self._block_size :]]  # of each beam, what the model is shown
        self._cache = KVCache(model.config, 1, self._device, self._dtype)

    def read(self, newest: Sequence[Sequence[int]], rows: Sequence[int]) -> Tensor:
        """Logits (beams, V), float32, on the CPU, of what follows each beam.

        newest: what each has since the last time. rows: which of the beams of the last time each
        goes on from.
        """
        cache = self._cache
        self._texts = [[*self._texts[row], *new] for row, new in zip(rows, newest, strict=True)]
        length = len(self._texts[0])
        if length > self._block_size:
            keep = kept_when_full(self._block_size)
            self._texts = [text[-keep:] for text in self._texts]
            cache.reset()
        if cache.length or len(rows) > 1:
            self._cache = cache = self._follow(cache, rows)
        chunk = torch.tensor([text[cache.length :] for text in self._texts], device=self._device)
        # The cache has as many rows as there can be beams: those to spare repeat the last.
        spare = len(cache.lengths) - len(chunk)
        chunk = torch.cat([chunk, chunk[-1:].expand(spare, -1)])
        logits: Tensor = self._model.lm_head(self._model.features(chunk, cache)[:, -1])
        return logits[: len(rows)].float().cpu()  # (beams, V)

    def _follow(self, cache: KVCache, rows: Sequence[int]) -> KVCache:
        """The cache, each row of it what a beam goes on from."""
        if len(cache.lengths) < self._beams:  # that of the prompt alone
            wide = KVCache(self._model.config, self._beams, self._device, self._dtype)
            for ours, theirs in ((wide.keys, cache.keys), (wide.values, cache.values)):
                ours[:, :, :, : cache.length] = theirs[:, :, :, : cache.length]
            wide.lengths = cache.lengths * self._beams
            return wide
        cache.select([*rows, *[rows[-1]] * (self._beams - len(rows))])
        return cache
