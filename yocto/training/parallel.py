"""How several processes train one model: each has all of it, or each has a part.

ddp: every process has the whole model and a share of each batch; gradients are averaged while they
are computed (Li et al. 2020, "PyTorch Distributed", torch's DistributedDataParallel).
fsdp: every process keeps a part of each weight, of its gradient and of the optimizers' means, and
gets the whole weights of a block only while it computes with them (Zhao et al. 2023, "PyTorch
FSDP"; torch's fully_shard, which follows Rajbhandari et al. 2020, "ZeRO").
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from yocto.config import LoopConfig
from yocto.dataset.batches import Batch
from yocto.errors import ConfigError
from yocto.training.loss import LanguageModelLoss
from yocto.training.shares import (
    OwnShare,
    ReplicatedShare,
    ShardedShare,
    Share,
)
from yocto.training.world import World


class Parallel:
    """One process, which has all; the base of the others.

    share: which process makes which of Muon's updates.
    """

    share: Share = OwnShare()
    keeps_parts = False  # of the weights

    def __init__(self, world: World) -> None:
        self.world = world

    def spread(self, loss: LanguageModelLoss, device: torch.device) -> LanguageModelLoss:
        """The model's weights to where they stay; before there are optimizers."""
        return loss.to(device)

    def averaging(self, loss: nn.Module, device: torch.device) -> nn.Module:
        """What a training step calls, and whose gradients are then the mean over all processes."""
        return loss

    @contextmanager
    def accumulating(self, loss: nn.Module, last: bool) -> Iterator[None]:
        """Around forward and backward: gradients are averaged at the last pass of a step."""
        yield

    def whole(self, x: Tensor) -> Tensor:
        """All of a tensor of which each process has a part. All processes have to ask."""
        return x

    def part(self, x: Tensor, like: Tensor) -> Tensor:
        """This process's part of a whole tensor, as that of `like`."""
        return x.to(like.device)


class Replicated(Parallel):
    """ddp."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.share = ReplicatedShare(world)

    def averaging(self, loss: nn.Module, device: torch.device) -> nn.Module:
        """DistributedDataParallel around the loss."""
        ddp = nn.parallel.DistributedDataParallel
        options: dict[str, Any] = {"gradient_as_bucket_view": True}
        if device.type != "cpu":
            options["device_ids"] = [device.index]
        # No buffer ever changes. Newer versions of torch call the same thing otherwise.
        known = inspect.signature(ddp).parameters
        newer = "forward_sync_buffers" in known
        options["forward_sync_buffers" if newer else "broadcast_buffers"] = False
        return ddp(loss, **options)

    @contextmanager
    def accumulating(self, loss: nn.Module, last: bool) -> Iterator[None]:
        """Gradients are averaged at the last pass of a step."""
        assert isinstance(loss, nn.parallel.DistributedDataParallel)
        if last:
            yield
        else:
            with loss.no_sync():
                yield


class Sharded(Parallel):
    """fsdp."""

    keeps_parts = True

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.share = ShardedShare(world)

    def spread(self, loss: LanguageModelLoss, device: torch.device) -> LanguageModelLoss:
        """Cut up block by block, so that never more than one is whole on a GPU; what is left,
        embeddings and head, belongs to the loss itself."""
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        mesh = init_device_mesh(device.type, (self.world.size,))
        for block in loss.model.blocks:
            fully_shard(block, mesh=mesh)
        self._module = fully_shard(loss, mesh=mesh)
        return loss

    @contextmanager
    def accumulating(self, loss: nn.Module, last: bool) -> Iterator[None]:
        """Gradients are averaged at the last pass of a step."""
        self._module.set_requires_gradient_sync(last)  # of what `loss` may be compiled from
        yield

    def whole(self, x: Tensor) -> Tensor:
        """All of it, gathered."""
        from torch.distributed.tensor import DTensor

        return x.full_tensor() if isinstance(x, DTensor) else x

    def part(self, x: Tensor, like: Tensor) -> Tensor:
        """Every process has the whole one, and keeps its rows."""
        from torch.distributed.tensor import DTensor, distribute_tensor

        if not isinstance(like, DTensor):
            return x.to(like.device)
        return distribute_tensor(
            x.to(like.device), like.device_mesh, like.placements, src_data_rank=None
        )


def make_parallel(kind: Literal["ddp", "fsdp"], world: World) -> Parallel:
    """How the processes of a run work together."""
    if world.size == 1:
        return Parallel(world)
    return Replicated(world) if kind == "ddp" else Sharded(world)


def check_portions(config: LoopConfig, world: World) -> None:
    """Raise a ConfigError where a process would have nothing to do."""
    if config.gradient_accumulation_steps % world.size and config.batch_size < world.size:
        raise ConfigError(
            f"a batch of {config.batch_size} can't be shared by {world.size} processes",
            f"Choose --batch-size {world.size} or more; it is that of all processes together.",
        )


def portion(batches: Sequence[Batch], world: World) -> list[Batch]:
    """What of a step's batches is a process's own: whole ones where that is even, else some rows of
    each. All processes together have each row once."""
    if len(batches) % world.size == 0:
        return list(batches[world.rank :: world.size])
    return [
        (_rows(idx, world.rank, world.size), _rows(targets, world.rank, world.size))
        for idx, targets in batches
    ]


def _rows(x: Tensor, rank: int, size: int) -> Tensor:
    return x[len(x) * rank // size : len(x) * (rank + 1) // size]
