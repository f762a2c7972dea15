"""Several processes that train one model: started here, or by torchrun.

The process that the user started leads. With --nproc it starts the others itself, which run the
same command and hear from it what to do; under torchrun, or anything that sets RANK, WORLD_SIZE,
MASTER_ADDR and MASTER_PORT as it does, all are started alike.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

from yocto.config import LoopConfig
from yocto.errors import ConfigError, RunError
from yocto.training.meeting import meet
from yocto.training.places import device_of, place_told
from yocto.training.pulse import Store, Watched, end_soon
from yocto.training.starting import LEADER, LEAVING, MEETING, started
from yocto.training.together import COMING, together
from yocto.training.world import ALONE, World
from yocto.utils.device import pick_device
from yocto.utils.progress import Progress

# Who is dead is known from the pulse; whoever lives may take its time, to encode a text, say.
_PATIENCE = timedelta(days=30)


@contextmanager
def joined(config: LoopConfig, progress: Progress) -> Iterator[World]:
    """The processes of a run, all of which are there; one alone needs nothing of this.

    Where one fails, all end: the first one with a RunError that tells why, the others without a
    word.
    """
    if leader := os.environ.get(LEADER):
        _end_with(int(leader))
    launched = place_told(os.environ)
    if launched is None and (config.nproc or 1) == 1:
        yield ALONE
        return
    if launched is not None and config.nproc is not None:
        raise ConfigError(
            f"there are {launched.size} processes already, started by torchrun, say",
            "Leave --nproc out: it starts processes where nothing else has.",
        )
    with ExitStack() as held:
        held.push(_leave_group)  # after all have heard of a failure
        if launched is not None:
            stores = _common_store(launched, progress)
            world = held.enter_context(together(launched, *stores, _parent_lives()))
        else:
            world = held.enter_context(started(config))
        device = pick_device(device_of(config.device, world))
        if device.type == "cuda":
            torch.cuda.set_device(device)
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        assert world.pulse is not None
        store = PrefixStore("group", world.pulse.store)  # type: ignore[arg-type]
        dist.init_process_group(
            backend, store=store, rank=world.rank, world_size=world.size, timeout=_PATIENCE
        )
        yield world
        if world.leads and not world.pulse.store.check(["word"]):
            world.tell(None)  # there was nothing to do
        dist.barrier()


def _leave_group(kind: type[BaseException] | None, *_: Any) -> None:
    """NCCL, before it lets a group go, waits for what others will never do again."""
    if not dist.is_initialized():
        return
    if kind is not None and "nccl" in dist.get_backend_config():
        end_soon(LEAVING)
        return
    with suppress(RuntimeError):  # where others are dead
        dist.destroy_process_group()


def _end_with(leader: int) -> None:
    """Let this process end with the one that has started it, whatever it is waiting for."""
    threading.Thread(target=_watch_leader, args=(leader,), daemon=True).start()


def _watch_leader(leader: int) -> None:
    while os.getppid() == leader:
        time.sleep(0.5)
    end_soon(LEAVING)  # it mostly notices by itself


def _common_store(place: World, progress: Progress) -> tuple[Store, Store]:
    """Two connections to the store that torchrun has opened, or the first process opens."""
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    name = os.environ.get(MEETING)
    is_open = name or os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    opens = place.leads and not is_open
    patience = timedelta(seconds=COMING)
    try:
        store = TCPStore(host, port, is_master=opens, wait_for_workers=False, timeout=patience)
        own = TCPStore(host, port, is_master=False, timeout=patience)
        ours = PrefixStore("yocto", store)
        tell = partial(progress.say, f"waiting for all {place.size} processes to come")
        name = name or meet(ours, place.rank, place.size, COMING, tell)
        return PrefixStore(name, ours), PrefixStore(name, PrefixStore("yocto", own))
    except RuntimeError as error:
        raise RunError(
            f"the first process can't be reached at {host}:{port}: {error}",
            "Check MASTER_ADDR and MASTER_PORT, or torchrun's --rdzv-endpoint, and the firewall.",
        ) from error


def _parent_lives() -> Watched:
    """Tells when this process's parent, which would end it with the others, is dead itself."""
    parent, rank = os.getppid(), int(os.environ["RANK"])

    def watched() -> tuple[int, str] | None:
        return None if os.getppid() == parent else (rank, "was left by what had started it")

    return watched
