"""The one core of all evaluation: sequences of ids in, log-probabilities of some of them out.

Rows of like length are read together, filled up on the right: to a causal model what comes later is
as if it were not there. Only what is scored goes through the head, and a part at a time, so that
the logits, by far the largest tensor where the vocabulary is large, take no more than in training.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from yocto.dataset.tokens import Ids
from yocto.errors import CheckpointError, DataError
from yocto.evaluation.likelihood import memory_for, token_logprobs
from yocto.model.gpt import GPT

CPU_TOKENS, GPU_TOKENS = 1 << 12, 1 << 15  # in a batch


class Row(NamedTuple):
    """ids[begin:] are scored, each from all before it; at most block_size + 1 ids, of which the
    last one is only predicted. begin: at least 1."""

    ids: Ids
    begin: int


class Score(NamedTuple):
    """logprob: the sum over all scored tokens, in nats. greedy: whether each of them was the
    likeliest; False where nobody asked."""

    logprob: float
    tokens: int
    greedy: bool


class _Launched(NamedTuple):
    """A batch that the device may still be at."""

    counts: list[int]
    logprobs: Tensor
    hits: Tensor | None


class Scorer:
    """Scores rows with a model, in eval mode, on the device where it lies.

    document_start: the id that starts a document, where the model learnt with no token seeing
    another document's. batch_tokens: most tokens that are read at once, filled-up places counted;
    None: what suits the device.
    """

    def __init__(
        self, model: GPT, document_start: int | None = None, batch_tokens: int | None = None
    ) -> None:
        self.model, self.document_start = model.eval(), document_start
        self.device = next(model.parameters()).device
        on_cpu = self.device.type == "cpu"
        self._memory = memory_for(model.lm_head.weight) if on_cpu else None
        self.batch_tokens = batch_tokens or (CPU_TOKENS if on_cpu else GPU_TOKENS)

    @property
    def block_size(self) -> int:
        """The most tokens that the model sees."""
        return self.model.config.block_size

    def stream(
        self, rows: Iterable[Row], most: int | None = None, greedy: bool = False
    ) -> Iterator[list[Score]]:
        """Scores in the order of the rows, a batch at a time.

        most: rows in a batch. greedy: whether to look at what the likeliest tokens are.
        """
        # While the device is at one batch the next one is put together.
        launched: _Launched | None = None
        for batch in batches(rows, self.batch_tokens, most):
            following = self._launch(batch, greedy)
            if launched is not None:
                yield _scores(launched)
            launched = following
        if launched is not None:
            yield _scores(launched)

    def batched(self, rows: Sequence[Row], greedy: bool = False) -> Iterator[tuple[int, Score]]:
        """The place of each row and its score, the longest rows first: so that those of like length
        are read together, and memory that does not suffice is found at once."""
        order = sorted(range(len(rows)), key=lambda i: -len(rows[i].ids))
        places = iter(order)
        for scores in self.stream((rows[i] for i in order), greedy=greedy):
            for score in scores:
                yield next(places), score

    @torch.inference_mode()
    def _launch(self, rows: Sequence[Row], greedy: bool) -> _Launched:
        idx, places, targets = self._laid_out(rows)
        idx = self._to_device(idx)  # (B, T)
        starts = self.document_start
        segments = None if starts is None else (idx == starts).cumsum(dim=1)  # (B, T)
        features = self.model.features(idx, segments=segments).flatten(0, 1)  # (B T, C)
        if places is not None:
            features = features[self._to_device(places)]  # (R, C)
        logprobs, hits = token_logprobs(
            features,
            self.model.lm_head.weight,
            self._to_device(targets),
            greedy,
            self._memory,
        )
        return _Launched([len(row.ids) - row.begin for row in rows], logprobs, hits)

    def _laid_out(self, rows: Sequence[Row]) -> tuple[Tensor, Tensor | None, Tensor]:
        """Inputs (B, T), which of the B T places are scored (None: all), and their targets (R,)."""
        T = max(len(row.ids) for row in rows) - 1
        assert 1 <= T <= self.block_size
        ids = np.zeros((len(rows), T + 1), np.int64)
        scored = np.zeros((len(rows), T), np.bool_)
        for i, row in enumerate(rows):
            assert 1 <= row.begin < len(row.ids)
            ids[i, : len(row.ids)] = row.ids
            scored[i, row.begin - 1 : len(row.ids) - 1] = True
        if (highest := int(ids.max())) >= self.model.config.vocab_size:
            raise DataError(
                f"the tokens are damaged: there is id {highest}, but the model knows only those "
                f"below {self.model.config.vocab_size}",
                "Encode the text anew: yocto encode, or yocto prepare-char.",
            )
        places = None if scored.all() else torch.from_numpy(np.flatnonzero(scored))
        targets = torch.from_numpy(ids[:, 1:][scored])
        return torch.from_numpy(np.ascontiguousarray(ids[:, :-1])), places, targets

    def _to_device(self, x: Tensor) -> Tensor:
        if self.device.type == "cuda":
            return x.pin_memory().to(self.device, non_blocking=True)
        return x.to(self.device)


def batches(rows: Iterable[Row], batch_tokens: int, most: int | None = None) -> Iterator[list[Row]]:
    """Rows in order, as many together as so many tokens allow with the shorter ones filled up; one
    at least."""
    batch: list[Row] = []
    longest = 0
    for row in rows:
        size = max(longest, len(row.ids) - 1)
        if batch and (size * (len(batch) + 1) > batch_tokens or len(batch) == most):
            yield batch
            batch, size = [], len(row.ids) - 1
        batch.append(row)
        longest = size
    if batch:
        yield batch


def _scores(launched: _Launched) -> list[Score]:
    """The sums, in float64. Raises CheckpointError where one is no number."""
    counts, logprobs, hits = launched
    values: NDArray[np.float64] = logprobs.cpu().numpy().astype(np.float64)
    if not np.isfinite(values).all():
        raise CheckpointError(
            "the model's log-probabilities are no numbers: its weights are damaged",
            "Use another step of the run (--ckpt takes a step's folder), or train it anew.",
        )
    found = None if hits is None else hits.cpu().numpy()
    ends = np.cumsum([0, *counts]).tolist()
    return [
        Score(float(values[a:b].sum()), b - a, found is not None and bool(found[a:b].all()))
        for a, b in pairwise(ends)
    ]
