"""Log-probabilities of given tokens without all logits in memory at once."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from yocto.training.cross_entropy import chunk_rows

# Rows that go through the head together: for fewer the matrix would be read too often.
_ROWS = 1 << 10
_ALIGNED = (
    64  # logits of a piece's row: whole cache lines, for any other number products are slower
)


def token_logprobs(
    features: Tensor, weight: Tensor, targets: Tensor, greedy: bool = False
) -> tuple[Tensor, Tensor | None]:
    """log softmax(features weightᵀ)[target], in nats, (R,); and whether the target is the likeliest
    token, the first of equals, (R,) bool, where that is asked for.

    features (R, C), weight (V, C), targets (R,). A piece of logits has so many numbers as in
    training; of a large vocabulary it covers a part for all its rows, and the parts' normalisers
    are added up.
    """
    rows = max(_ROWS, chunk_rows(len(weight), features.device))
    numbers = chunk_rows(1, features.device)
    logprobs = features.new_empty(len(targets), dtype=torch.float32)
    hits = torch.empty_like(targets, dtype=torch.bool) if greedy else None
    for first in range(0, len(targets), rows):
        part = slice(first, first + rows)
        x, y = features[part], targets[part]
        best = _Best(y) if greedy else None
        size = max(_ALIGNED, numbers // len(x) // _ALIGNED * _ALIGNED)
        logprobs[part] = _logprobs(x, weight, y, size, best)
        if hits is not None and best is not None:
            hits[part] = best.place == y
    return logprobs, hits


def _logprobs(x: Tensor, weight: Tensor, y: Tensor, size: int, best: _Best | None) -> Tensor:
    """x (R, C), weight (V, C), y (R,) -> (R,), with logits (R, size) at a time."""
    wanted = total = None  # the targets' logits, and the log of the sum of all exponentials
    for start in range(0, len(weight), size):
        logits = (x @ weight[start : start + size].T).float()  # (R, size)
        width = logits.shape[1]
        place = (y - start).clamp(0, width - 1)[:, None]  # (R, 1)
        if best is not None:
            best.look(logits, start)
        # torch's log_softmax is quicker than its logsumexp.
        logprob = F.log_softmax(logits, dim=1).gather(1, place)[:, 0]
        if width == len(weight):
            return logprob
        found = logits.gather(1, place)[:, 0]
        if wanted is None or total is None:
            wanted, total = found, found - logprob
        else:
            wanted = torch.where(y >= start, found, wanted)
            total = torch.logaddexp(total, found - logprob)
    assert wanted is not None
    assert total is not None
    return wanted - total


class _Best:
    """The likeliest token of each row, the first of equals."""

    def __init__(self, targets: Tensor) -> None:
        self.place = torch.zeros_like(targets)
        self._logit = torch.full(targets.shape, -torch.inf, device=targets.device)

    def look(self, logits: Tensor, start: int) -> None:
        """Look at the logits (R, size) of the tokens from `start` on."""
        highest, place = logits.max(dim=1)
        higher = highest > self._logit
        self._logit = torch.where(higher, highest, self._logit)
        self.place = torch.where(higher, place + start, self.place)
