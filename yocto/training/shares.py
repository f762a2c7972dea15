"""Which process makes which of Muon's updates.

An update takes a whole matrix, and several products with it. Each matrix has one owner, which makes
its update and shares it with the others, so that the work is done once: the owners take turns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
import torch.distributed as dist
from torch import Tensor

from yocto.training.world import World

Make = Callable[[Sequence[Tensor]], list[Tensor]]  # whole matrices to their updates


class Share(Protocol):
    """Lets owners make updates."""

    def __call__(
        self, parts: Sequence[Tensor], shapes: Sequence[torch.Size], make: Make
    ) -> list[Tensor]:
        """What this process has of some matrices -> what it needs of their updates. shapes: of the
        whole matrices. All processes have to call it with the same matrices in the same order."""


class OwnShare:
    """One process makes all."""

    def __call__(
        self, parts: Sequence[Tensor], shapes: Sequence[torch.Size], make: Make
    ) -> list[Tensor]:
        """The updates."""
        return make(parts)


class ReplicatedShare:
    """All processes have all matrices, each makes every so many-th update, and all get all."""

    def __init__(self, world: World) -> None:
        self.world = world

    def __call__(
        self, parts: Sequence[Tensor], shapes: Sequence[torch.Size], make: Make
    ) -> list[Tensor]:
        """Whole matrices -> whole updates."""
        rank, size = self.world.rank, self.world.size
        owned = [_numbers(shapes[r::size]) for r in range(size)]
        room = parts[0].new_empty(size, max(owned))
        mine = parts[0].new_zeros(max(owned))
        if parts[rank::size]:
            mine[: owned[rank]] = torch.cat([m.flatten() for m in make(parts[rank::size])])
        dist.all_gather(list(room), mine)
        found: list[Tensor] = list(parts)
        for r in range(size):
            found[r::size] = _cut(room[r], shapes[r::size])
        return found


class ShardedShare:
    """Each process has some rows of each matrix. Its owner gets them all, makes the update, and
    gives each process its rows of that: two exchanges for all matrices of a shape."""

    def __init__(self, world: World) -> None:
        self.world = world

    def __call__(
        self, parts: Sequence[Tensor], shapes: Sequence[torch.Size], make: Make
    ) -> list[Tensor]:
        """Rows of matrices -> the same rows of their updates."""
        rank, size = self.world.rank, self.world.size
        ours = shapes[rank::size]  # whole matrices, of which this process is the owner
        their_parts = [[self._part(s, r) for s in ours] for r in range(size)]
        our_parts = [[self._part(s, rank) for s in shapes[r::size]] for r in range(size)]

        to_owners = [part.flatten() for r in range(size) for part in parts[r::size]]
        come = self._exchange(to_owners, parts[0], our_parts, their_parts)
        by_process = [_cut(x, s) for x, s in zip(come, their_parts, strict=True)]
        whole = [torch.cat(rows) for rows in zip(*by_process, strict=True)]

        made = make(whole) if whole else []
        rows = [[part[0] for part in of_one] for of_one in zip(*their_parts, strict=True)]
        cut = [torch.split(update, n) for update, n in zip(made, rows, strict=True)]
        back = [pieces[r].flatten() for r in range(size) for pieces in cut]
        come = self._exchange(back, parts[0], their_parts, our_parts)
        found: list[Tensor] = list(parts)
        for r in range(size):
            found[r::size] = _cut(come[r], our_parts[r])
        return found

    def _part(self, shape: torch.Size, rank: int) -> torch.Size:
        """The shape of the rows that a process has: as torch.chunk cuts, and so fully_shard."""
        each = -(-shape[0] // self.world.size)
        rows = max(0, min(shape[0], (rank + 1) * each) - rank * each)
        return torch.Size([rows, *shape[1:]])

    def _exchange(
        self,
        sent: Sequence[Tensor],
        like: Tensor,
        sizes: Sequence[Sequence[torch.Size]],
        come_sizes: Sequence[Sequence[torch.Size]],
    ) -> list[Tensor]:
        """Send each process what is for it, and get what comes from each, in a row. sizes,
        come_sizes: the shapes of what goes to each process, and of what comes from it."""
        counts, come_counts = ([_numbers(s) for s in several] for several in (sizes, come_sizes))
        come = like.new_empty(sum(come_counts))
        flat = torch.cat(list(sent)) if sent else like.new_empty(0)
        dist.all_to_all_single(come, flat, come_counts, counts)
        return list(torch.split(come, come_counts))


def own_part(x: Tensor) -> Tensor:
    """What this process has of a tensor, in the same memory; call it without gradients."""
    local: Tensor = x.to_local() if hasattr(x, "to_local") else x  # a DTensor
    return local


def _numbers(shapes: Sequence[torch.Size]) -> int:
    return sum(shape.numel() for shape in shapes)


def _cut(flat: Tensor, shapes: Sequence[torch.Size]) -> list[Tensor]:
    """Numbers in a row as tensors of these shapes; there may be more."""
    pieces = torch.split(flat[: _numbers(shapes)], [shape.numel() for shape in shapes])
    return [piece.view(shape) for piece, shape in zip(pieces, shapes, strict=True)]
