"""The other processes of this machine: started, watched, and ended with the one that did so."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO

import torch
from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

from yocto.config import LoopConfig
from yocto.training.places import device_of
from yocto.training.pulse import Store
from yocto.training.together import together
from yocto.training.world import World
from yocto.utils.cores import available_cores
from yocto.utils.device import pick_device

# Tells the started processes that the store is open, under which name they meet, and the number of
# the process that has started them.
MEETING, ALL, LEADER = "YOCTO_MEETING", "all", "YOCTO_LEADER"
LEAVING = 10.0  # seconds that a process has to end when all is done


@contextmanager
def started(config: LoopConfig) -> Iterator[World]:
    """The other processes of this machine, started here."""
    size = config.nproc
    assert size is not None
    place = World(0, size, 0, size)
    device_of(config.device, World(size - 1, size, size - 1, size))  # before anything is started
    if pick_device(config.device).type == "cpu":
        torch.set_num_threads(_threads(size))
    store, own, port = _own_store()
    # Machines are met by their names otherwise, which at home may lead nowhere.
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
    with ExitStack() as held:
        # As the yocto command itself, it finds no module in the folder that it is called in.
        package = str(Path(__file__).parents[2])
        program = (
            f"import sys; sys.path.append({package!r}); from yocto.cli.app import main; main()"
        )
        command = [sys.executable, "-P", "-c", program, *config.command.split()[1:]]
        command += ["--device", config.device]
        workers = []
        for rank in range(1, size):
            errors = held.enter_context(tempfile.TemporaryFile())
            environment = _environment(rank, size, port)
            worker = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=errors,
            )  # fmt: skip
            workers.append((worker, errors))
        started = [worker for worker, _ in workers]
        held.callback(_end, started)
        watched, bury = partial(_died, workers), partial(_kill, started)
        with together(place, store, own, watched, bury) as world:
            yield world
        _wait(started)


def _own_store() -> tuple[Store, Store, int]:
    """Two connections to a store that is open to this machine alone, and its port."""
    door = socket.create_server(("127.0.0.1", 0))
    port = door.getsockname()[1]
    opened = TCPStore(
        "127.0.0.1", port, is_master=True, wait_for_workers=False, master_listen_fd=door.detach()
    )
    own = TCPStore("127.0.0.1", port, is_master=False)
    return *(PrefixStore(ALL, PrefixStore("yocto", s)) for s in (opened, own)), port


def _environment(rank: int, size: int, port: int) -> dict[str, str]:
    return {
        "OMP_NUM_THREADS": str(_threads(size)), **os.environ,
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size),
        "LOCAL_WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        MEETING: ALL, LEADER: str(os.getpid()),
    }  # fmt: skip


def _threads(size: int) -> int:
    """Of each process on a CPU."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdecimal() and int(told) else max(1, available_cores() // size)


def _died(workers: Sequence[tuple[subprocess.Popen[bytes], IO[bytes]]]) -> tuple[int, str] | None:
    for rank, (worker, errors) in enumerate(workers, 1):
        status = worker.poll()
        if status is not None:
            how = f"with status {status}" if status >= 0 else f"by {_signal_name(-status)}"
            errors.seek(0)
            said = errors.read().decode("utf-8", "replace").strip().splitlines()
            return rank, f"has ended {how}" + (f": {said[-1]}" if said else "")
    return None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _wait(workers: Sequence[subprocess.Popen[bytes]]) -> None:
    """Until all have ended by themselves, for a while."""
    deadline = time.monotonic() + LEAVING
    for worker in workers:
        with suppress(subprocess.TimeoutExpired):
            worker.wait(max(0.1, deadline - time.monotonic()))


def _kill(workers: Sequence[subprocess.Popen[bytes]]) -> None:
    for worker in workers:
        worker.kill()


def _end(workers: Sequence[subprocess.Popen[bytes]]) -> None:
    """End those that are still there."""
    for worker in workers:
        worker.terminate()
    deadline = time.monotonic() + 3.0
    for worker in workers:
        try:
            worker.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
