"""Log-probabilities of given tokens without all logits in memory at once."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from yocto.training.cross_entropy import chunk_rows

# Rows that go through the head together: for fewer the matrix would be read too often.
_ROWS = 1 << 10
# Logits of a piece's row: whole cache lines, for any other number products are slower.
_ALIGNED = 64
# Logits of a piece on a CPU: those of 4 MB are still near when they are summed.
_CPU_LOGITS = 1 << 20


def token_logprobs(
    features: Tensor,
    weight: Tensor,
    targets: Tensor,
    greedy: bool = False,
    memory: Tensor | None = None,
) -> tuple[Tensor, Tensor | None]:
    """log softmax(features weightᵀ)[target], in nats, (R,); and whether the target is the likeliest
    token, the first of equals, (R,) bool, where that is asked for.

    features (R, C), weight (V, C), targets (R,). A piece of logits has so many numbers as in
    training, on a CPU half as many; of a large vocabulary it covers a part for all its rows, and
    the parts' normalisers are added up. memory: what `memory_for` gives, to be used again.
    """
    on_cpu = features.device.type == "cpu"
    numbers = _CPU_LOGITS if on_cpu else chunk_rows(1, features.device)
    rows = max(_ROWS, numbers // len(weight))
    if on_cpu:
        features = features * (1 / math.log(2))  # the logits are powers of two, then
        memory = memory_for(features) if memory is None else memory
    logprobs = features.new_empty(len(targets), dtype=torch.float32)
    hits = torch.empty_like(targets, dtype=torch.bool) if greedy else None
    for first in range(0, len(targets), rows):
        part = slice(first, first + rows)
        x, y = features[part], targets[part]
        best = _Best(y) if greedy else None
        size = max(_ALIGNED, numbers // len(x) // _ALIGNED * _ALIGNED)
        logprobs[part] = _logprobs(x, weight, y, size, best, memory)
        if hits is not None and best is not None:
            hits[part] = best.place == y
    return logprobs, hits


def memory_for(features: Tensor) -> Tensor:
    """Memory for the logits of one piece on a CPU: new memory takes longer than their sums do."""
    return features.new_empty(max(_CPU_LOGITS, _ROWS * _ALIGNED))


def _logprobs(
    x: Tensor, weight: Tensor, y: Tensor, size: int, best: _Best | None, memory: Tensor | None
) -> Tensor:
    """x (R, C), weight (V, C), y (R,) -> (R,), with logits (R, size) at a time."""
    wanted = total = None  # the targets' logits, and the log of the sum of all exponentials
    for start in range(0, len(weight), size):
        part = weight[start : start + size]
        if memory is None:
            logits = (x @ part.T).float()  # (R, size)
        else:
            room = memory[: len(x) * len(part)].view(len(x), len(part))
            logits = torch.mm(x, part.T, out=room).float()
        place = (y - start).clamp(0, len(part) - 1)[:, None]  # (R, 1)
        if best is not None:
            best.look(logits, start)
        found = logits.gather(1, place)[:, 0]
        more = logits.logsumexp(1) if memory is None else _log2_sum(logits)
        if wanted is None or total is None:
            wanted, total = found, more
        else:
            wanted = torch.where(y >= start, found, wanted)
            total = (torch.logaddexp if memory is None else torch.logaddexp2)(total, more)
    assert wanted is not None
    assert total is not None
    return wanted - total if memory is None else (wanted - total) * math.log(2)


def _log2_sum(logits: Tensor) -> Tensor:
    """log2 of the sum of a row's powers of two, (R, size) -> (R,); the logits are lost.

    torch takes a third of the time for powers of two that it takes for those of e.
    """
    highest = logits.amax(dim=1, keepdim=True)
    return highest[:, 0] + logits.sub_(highest).exp2_().sum(dim=1).log2()


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
