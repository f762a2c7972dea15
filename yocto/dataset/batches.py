"""Batches of windows from a sequence of tokens."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from yocto.dataset.tokens import Tokens
from yocto.errors import DataError


class RandomBatches:
    """Windows that start at random places, each place equally likely, as in nanoGPT.

    tokens: 1-D; a memory map is read only where a window lies. The generator alone decides which
    windows come, so its state is the position in the data: save it, and the same batches follow.
    """

    def __init__(
        self, tokens: Tokens, block_size: int, batch_size: int, generator: torch.Generator
    ) -> None:
        self.tokens, self.block_size, self.batch_size = tokens, block_size, batch_size
        self.generator = generator
        self.starts = len(tokens) - block_size  # a window takes block_size + 1 tokens
        if self.starts < 1:
            raise _too_short("training", tokens, block_size)

    def next(self) -> tuple[torch.Tensor, torch.Tensor]:
        """idx (B, T) and targets (B, T), which are idx one token on; int64."""
        starts = torch.randint(self.starts, (self.batch_size,), generator=self.generator).tolist()
        windows = [self.tokens[s : s + self.block_size + 1] for s in starts]
        batch = torch.from_numpy(np.stack(windows).astype(np.int64))  # (B, T + 1)
        return batch[:, :-1].contiguous(), batch[:, 1:].contiguous()


def eval_batches(
    tokens: Tokens, block_size: int, batch_size: int, max_batches: int | None = None
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The same windows each time, side by side: each token but the first is a target once.

    Yields idx (B, T) and targets (B, T); the last window may be shorter and comes alone. With
    max_batches, that many batches, spread evenly over the split.
    """
    windows = (len(tokens) - 1) // block_size
    batches = [range(i, min(i + batch_size, windows)) for i in range(0, windows, batch_size)]
    whole = max_batches is None or max_batches > len(batches)
    if not whole:
        assert max_batches is not None
        batches = [batches[i * len(batches) // max_batches] for i in range(max_batches)]
    for batch in batches:
        first, last = batch[0] * block_size, (batch[-1] + 1) * block_size
        span = torch.from_numpy(np.asarray(tokens[first : last + 1]).astype(np.int64))
        yield span[:-1].view(-1, block_size), span[1:].view(-1, block_size)
    rest = np.asarray(tokens[windows * block_size :]).astype(np.int64)
    if whole and len(rest) > 1:
        yield torch.from_numpy(rest[None, :-1]), torch.from_numpy(rest[None, 1:])


def check_validation_split(tokens: Tokens, block_size: int) -> None:
    """Raise a DataError where not even one window fits."""
    if len(tokens) <= block_size:
        error = _too_short("validation", tokens, block_size)
        error.hint += " A larger --val-ratio for yocto encode or prepare-char helps too."
        raise error


def _too_short(split: str, tokens: Tokens, block_size: int) -> DataError:
    n = len(tokens)
    return DataError(
        f"the {split} split has {n} token{'s' if n != 1 else ''}, but block_size {block_size} "
        f"takes at least {block_size + 1}",
        f"Use more text, or --block-size {n - 1}." if n > 1 else "Use more text.",
    )
