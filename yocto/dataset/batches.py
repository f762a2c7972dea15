"""Batches of windows from a sequence of tokens, at random or each window once an epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import torch

from yocto.dataset.shuffle import shuffled
from yocto.dataset.tokens import Ids, Tokens
from yocto.errors import DataError

IGNORED = -100  # a target that is none: what torch's cross_entropy leaves out by default
Batch = tuple[torch.Tensor, torch.Tensor]


class Batches(Protocol):
    """What a training run draws from, endlessly.

    epoch_tokens: how many targets it takes to read the text once, missing ones counted in.
    """

    epoch_tokens: int

    def next(self) -> Batch:
        """idx (B, T) and targets (B, T), which are idx one token on; int64. A target that is
        missing is IGNORED. Raises DataError for ids that the vocabulary does not have."""

    def state(self) -> Any:
        """The position in the data, as a tensor or plain values: the same batches follow it."""

    def load_state(self, state: Any) -> None:
        """Go on there. Raises ValueError, TypeError, LookupError or RuntimeError for what is no
        position."""


class RandomBatches:
    """Windows that start at random places, each place equally likely, as in nanoGPT.

    tokens: 1-D; a memory map is read only where a window lies. vocab_size: ids that are not below
    it are refused; None where all are known to be. The generator alone decides which windows come,
    so its state is the position in the data.
    """

    def __init__(
        self,
        tokens: Tokens,
        block_size: int,
        batch_size: int,
        generator: torch.Generator,
        vocab_size: int | None = None,
    ) -> None:
        self.tokens, self.block_size, self.batch_size = tokens, block_size, batch_size
        self.generator, self.vocab_size = generator, vocab_size
        _check_length("training", tokens, block_size)
        self.starts = len(tokens) - block_size  # a window takes block_size + 1 tokens
        self.epoch_tokens = len(tokens)

    def next(self) -> Batch:
        """idx (B, T) and targets (B, T), int64; no target is missing."""
        starts = torch.randint(self.starts, (self.batch_size,), generator=self.generator).tolist()
        windows = [self.tokens[s : s + self.block_size + 1] for s in starts]
        batch = _checked("training", np.stack(windows), self.vocab_size)  # (B, T + 1)
        return batch[:, :-1].contiguous(), batch[:, 1:].contiguous()

    def state(self) -> torch.Tensor:
        """The generator's."""
        return self.generator.get_state()

    def load_state(self, state: Any) -> None:
        """Set the generator's."""
        self.generator.set_state(state)


class SequentialBatches:
    """Windows side by side, each once an epoch: every token but the first is a target once.

    The last window may be shorter; it is filled up, and its missing targets are IGNORED. Each epoch
    has an order of its own, which follows from (seed, epoch) alone; a batch that reaches the end of
    one goes on with the next. The position counts windows, so that it holds for any batch_size.
    tokens, vocab_size: as for RandomBatches.
    """

    def __init__(
        self,
        tokens: Tokens,
        block_size: int,
        batch_size: int,
        seed: int,
        vocab_size: int | None = None,
    ) -> None:
        self.tokens, self.block_size, self.batch_size = tokens, block_size, batch_size
        self.seed, self.vocab_size = seed, vocab_size
        _check_length("training", tokens, block_size)
        self.windows = -(-(len(tokens) - 1) // block_size)
        self.epoch_tokens = self.windows * block_size
        self.epoch, self.index = 0, 0  # of the next window; index is below self.windows

    def next(self) -> Batch:
        """idx (B, T) and targets (B, T), int64."""
        T = self.block_size
        windows = [self.tokens[w * T : (w + 1) * T + 1] for w in self._next_windows()]
        filled = np.zeros((len(windows), T + 1), self.tokens.dtype)
        for row, window in zip(filled, windows, strict=True):
            row[: len(window)] = window
        batch = _checked("training", filled, self.vocab_size)  # (B, T + 1)
        idx = batch[:, :-1].contiguous()
        # A copy in any case: `contiguous` leaves a batch of one window in the memory of idx.
        targets = batch[:, 1:].clone(memory_format=torch.contiguous_format)
        for target, window in zip(targets, windows, strict=True):
            target[len(window) - 1 :] = IGNORED
        return idx, targets

    def _next_windows(self) -> list[int]:
        found: list[int] = []
        while wanted := self.batch_size - len(found):
            end = min(self.index + wanted, self.windows)
            places = np.arange(self.index, end, dtype=np.uint64)
            found += shuffled(places, self.windows, self.seed, self.epoch).tolist()
            self.index = end
            if self.index == self.windows:
                self.epoch, self.index = self.epoch + 1, 0
        return found

    def state(self) -> dict[str, int]:
        """The epoch and, within it, the index of the next window."""
        return {"epoch": self.epoch, "index": self.index}

    def load_state(self, state: Any) -> None:
        """Go on there."""
        epoch, index = state["epoch"], state["index"]
        whole = type(epoch) is int and type(index) is int
        if not whole or not 0 <= epoch < 1 << 62 or not 0 <= index < self.windows:
            raise ValueError("the position in the training split is none")
        self.epoch, self.index = epoch, index


class OneBatch:
    """The same batch, over and over."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.epoch_tokens = batch[0].numel()

    def next(self) -> Batch:
        """The batch."""
        return self.batch

    def state(self) -> dict[str, int]:
        """There is no position."""
        return {}

    def load_state(self, state: Any) -> None:
        """Nothing to go on with."""


def count_eval_batches(
    tokens: Tokens, block_size: int, batch_size: int, max_batches: int | None = None
) -> int:
    """How many batches eval_batches yields, at most one less."""
    there = -(-((len(tokens) - 1) // block_size) // batch_size)
    return there if max_batches is None else min(there, max_batches)


def eval_batches(
    tokens: Tokens,
    block_size: int,
    batch_size: int,
    max_batches: int | None = None,
    vocab_size: int | None = None,
) -> Iterator[Batch]:
    """The same windows each time, side by side: each token but the first is a target once.

    Yields idx (B, T) and targets (B, T); the last window may be shorter and comes alone. With
    max_batches, that many batches, spread evenly over the split. vocab_size: as for RandomBatches.
    """
    windows = (len(tokens) - 1) // block_size
    there = -(-windows // batch_size)
    whole = max_batches is None or max_batches > there
    wanted = there if whole or max_batches is None else max_batches
    for i in range(wanted):
        first = i * there // wanted * batch_size  # window
        last = min(first + batch_size, windows)
        ids = tokens[first * block_size : last * block_size + 1]
        span = _checked("validation", ids, vocab_size)
        yield span[:-1].view(-1, block_size), span[1:].view(-1, block_size)
    rest = tokens[windows * block_size :]
    if whole and len(rest) > 1:
        span = _checked("validation", rest, vocab_size)
        yield span[None, :-1], span[None, 1:]


def check_validation_split(tokens: Tokens, block_size: int) -> None:
    """Raise a DataError where not even one window fits."""
    _check_length(
        "validation", tokens, block_size,
        " A larger --val-ratio for yocto encode or prepare-char helps too.",
    )  # fmt: skip


def _check_length(split: str, tokens: Tokens, block_size: int, more: str = "") -> None:
    n = len(tokens)
    if n <= block_size:
        hint = f"Use more text, or --block-size {n - 1}." if n > 1 else "Use more text."
        raise DataError(
            f"the {split} split has {n} token{'s' if n != 1 else ''}, but block_size {block_size} "
            f"takes at least {block_size + 1}",
            hint + more,
        )


def _checked(split: str, ids: Ids, vocab_size: int | None) -> torch.Tensor:
    """Ids as int64. Splits too long to look through when they are opened are looked at here, batch
    by batch: an embedding that is asked for an id it does not have ends in a riddle."""
    if vocab_size is not None and ids.size and int(ids.max()) >= vocab_size:
        raise DataError(
            f"the {split} split is damaged: it holds id {int(ids.max())}, but the vocabulary ends "
            f"at {vocab_size - 1}",
            "Encode the text anew: yocto encode, or yocto prepare-char.",
        )
    return torch.from_numpy(np.asarray(ids).astype(np.int64))
