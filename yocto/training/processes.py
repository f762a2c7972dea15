"""Several processes that train one model: started here, or by torchrun.

The process that the user started leads. With --nproc it starts the others itself, which run the
same command and hear from it what to do; under torchrun, or anything that sets RANK, WORLD_SIZE,
MASTER_ADDR and MASTER_PORT as it does, all are started alike.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import IO, Any

import torch
import torch.distributed as dist
from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

from yocto.config import LoopConfig
from yocto.errors import ConfigError, RunError, YoctoError
from yocto.training.meeting import meet
from yocto.training.pulse import Pulse, Store, end_soon
from yocto.training.world import ALONE, World
from yocto.utils.cores import available_cores
from yocto.utils.device import pick_device
from yocto.utils.progress import Progress
from yocto.utils.signals import stop_requested

# Who is dead is known from the pulse; whoever lives may take its time, to encode a text, say.
_PATIENCE = timedelta(days=30)
_COMING = 300.0  # seconds in which all processes have to come
_LEAVING = 10.0  # seconds that a process has to end when all is done

# Tells processes that are started here that the store is open, under which name they meet, and
# the number of the process that has started them.
_MEETING, _ALL, _LEADER = "YOCTO_MEETING", "all", "YOCTO_LEADER"

Watched = Callable[[], tuple[int, str] | None]


@contextmanager
def joined(config: LoopConfig, progress: Progress) -> Iterator[World]:
    """The processes of a run, all of which are there; one alone needs nothing of this.

    Where one fails, all end: the first one with a RunError that tells why, the others without a
    word.
    """
    if leader := os.environ.get(_LEADER):
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
            world = held.enter_context(_together(launched, *stores, _parent_lives()))
        else:
            world = held.enter_context(_start(config))
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
        end_soon(_LEAVING)
        return
    with suppress(RuntimeError):  # where others are dead
        dist.destroy_process_group()


def _end_with(leader: int) -> None:
    """Let this process end with the one that has started it, whatever it is waiting for."""
    threading.Thread(target=_watch_leader, args=(leader,), daemon=True).start()


def _watch_leader(leader: int) -> None:
    while os.getppid() == leader:
        time.sleep(0.5)
    end_soon(_LEAVING)  # it mostly notices by itself


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


# ----------------------------------------------------------------------------------------- meeting


@contextmanager
def _together(
    place: World,
    store: Store,
    own: Store,
    watched: Watched,
    bury: Callable[[], None] = lambda: None,
) -> Iterator[World]:
    """All processes, from their coming to their leaving."""
    pulse = Pulse(store, own, place.rank, place.size, watched, bury)
    try:
        pulse.wait_for_all(_COMING)
        yield World(place.rank, place.size, place.local_rank, place.local_size, pulse)
    except BaseException as error:
        raised: BaseException = error
        if isinstance(error, RuntimeError):
            # Of torch.distributed: somebody has gone in the middle of a common sum. torchrun asks
            # all others to end then; what has happened is to be told first.
            with stop_requested() as hurried:
                raised = pulse.told(hurried) or _gone(error)
        if isinstance(raised, YoctoError):
            pulse.fail(f"has failed: {raised.message}", raised.hint)
        else:
            pulse.fail(f"has failed: {type(raised).__name__}: {raised}".rstrip(": "), None)
        if place.rank > 0 and not isinstance(raised, SystemExit):
            raise SystemExit(1) from raised
        if raised is error:
            raise
        raise raised from error
    finally:
        pulse.leave()


def _gone(error: RuntimeError) -> RuntimeError | RunError:
    """An error of torch.distributed, which knows that somebody is gone and not who, in words."""
    if isinstance(error, dist.DistError) or re.search("gloo|nccl", str(error), re.IGNORECASE):
        return RunError(
            "another process is gone, or can't be reached any more",
            "The checkpoints that were written are whole: go on with --resume auto.",
        )
    return error


def _common_store(place: World, progress: Progress) -> tuple[Store, Store]:
    """Two connections to the store that torchrun has opened, or the first process opens."""
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    name = os.environ.get(_MEETING)
    is_open = name or os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    opens = place.leads and not is_open
    patience = timedelta(seconds=_COMING)
    try:
        store = TCPStore(host, port, is_master=opens, wait_for_workers=False, timeout=patience)
        own = TCPStore(host, port, is_master=False, timeout=patience)
        ours = PrefixStore("yocto", store)
        tell = partial(progress.say, f"waiting for all {place.size} processes to come")
        name = name or meet(ours, place.rank, place.size, _COMING, tell)
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


# ---------------------------------------------------------------------------------------- starting


@contextmanager
def _start(config: LoopConfig) -> Iterator[World]:
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
        with _together(place, store, own, watched, bury) as world:
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
    return *(PrefixStore(_ALL, PrefixStore("yocto", s)) for s in (opened, own)), port


def _environment(rank: int, size: int, port: int) -> dict[str, str]:
    return {
        "OMP_NUM_THREADS": str(_threads(size)), **os.environ,
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size),
        "LOCAL_WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        _MEETING: _ALL, _LEADER: str(os.getpid()),
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
    deadline = time.monotonic() + _LEAVING
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
