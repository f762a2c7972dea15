"""Where a process stands among those that train together, and the device that is its own."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from yocto.errors import ConfigError
from yocto.training.world import World
from yocto.utils.device import pick_device


def place_told(environment: Mapping[str, str]) -> World | None:
    """A process's place as torchrun tells it; None where it stands alone. Raises ConfigError."""
    names = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    if not all(environment.get(name) for name in names):
        return None
    size = environment["WORLD_SIZE"]
    if size == "1":
        return None
    local = [("RANK", "0"), ("LOCAL_RANK", "0"), ("LOCAL_WORLD_SIZE", size)]
    try:
        rank, local_rank, local_size = (int(environment.get(*pair)) for pair in local)
        world = World(rank, int(size), local_rank, local_size)
        port = int(environment["MASTER_PORT"])
        if not (0 <= world.rank < world.size <= 1 << 16 and 0 < port < 1 << 16):
            raise ValueError(f"process {rank} of {size} at port {port}")
        if not 0 <= world.local_rank < world.local_size <= world.size:
            raise ValueError(f"process {local_rank} of {local_size} on a machine, of {size} in all")
    except ValueError as error:
        raise ConfigError(
            f"RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE or MASTER_PORT can't be: {error}",
            "Start the processes with torchrun, or unset these variables.",
        ) from error
    return world


def device_of(name: str, world: World) -> str:
    """The device of a process: of several GPUs one for each. Raises ConfigError."""
    if world.size == 1:
        return name
    kind = pick_device(name).type
    if kind == "mps" or ":" in name:
        raise ConfigError(
            f"{world.size} processes can't share the device {name}",
            "Use --device cuda, which gives each a GPU of its own, or --device cpu.",
        )
    if kind != "cuda":
        return name
    if world.local_rank >= torch.cuda.device_count():
        raise ConfigError(
            f"{world.local_size} processes, but {torch.cuda.device_count()} GPUs on this machine",
            "Start one process for each GPU.",
        )
    return f"cuda:{world.local_rank}"
