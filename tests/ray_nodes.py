"""A Ray cluster of several nodes on this machine, whose workers and nodes can be killed."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


class Nodes:
    """A head without processors, and nodes that have one each."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        self.address: str = cluster.address
        self.workers: list[Any] = []

    def add(self) -> Any:
        """A node more; waits until the cluster knows it."""
        node = self._cluster.add_node(num_cpus=1, object_store_memory=1 << 27)
        self.workers.append(node)
        return node

    def kill(self, node: Any) -> None:
        """As when a machine loses its power."""
        self.workers.remove(node)
        self._cluster.remove_node(node, allow_graceful=False)

    def kill_a_busy_one(self) -> None:
        """The same to a node on which a task runs."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            parents = {parent_of(pid) for pid in busy_workers()}
            for node in self.workers:
                if node.all_processes["raylet"][0].process.pid in parents:
                    self.kill(node)
                    return
        raise AssertionError("no node works")

    def kill_workers(self) -> int:
        """SIGKILL to all processes that run a task now; waits for the first one. How many."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if pids := list(busy_workers()):
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
                return len(pids)
        raise AssertionError("no worker works")


def parent_of(pid: int) -> int:
    """The process that started this one; 0 where it has ended."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def busy_workers() -> Iterator[int]:
    """Processes of this user's clusters that run a task of ours."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().startswith(b"ray::perform"):
                yield int(path.parent.name)
        except OSError:
            continue


@contextmanager
def two_nodes() -> Iterator[Nodes]:
    """A head and two nodes, which end with the context."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        # Workers import the tests' own functions too. Sockets want a short path.
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_health_check_period_ms", "500")
        folder = tempfile.mkdtemp(prefix="yray-", dir="/tmp")
        cluster = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 0, "include_dashboard": False, "object_store_memory": 1 << 27,
                "temp_dir": folder,
            },
        )  # fmt: skip
        nodes = Nodes(cluster)
        try:
            nodes.add()
            nodes.add()
            yield nodes
        finally:
            cluster.shutdown()
            shutil.rmtree(folder, ignore_errors=True)


# ------------------------------------------------------------------------------ what workers run


def plus_one(number: int) -> int:
    return number + 1


def die_until(folder: str, number: int, times: int) -> int:
    """Kill the own process so often, then return the number."""
    mark = Path(folder) / f"{number}-{len(list(Path(folder).glob(f'{number}-*')))}"
    if len(list(Path(folder).glob(f"{number}-*"))) < times:
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def fail(error: Exception) -> None:
    raise error


def wait_for(folder: str, number: int) -> int:
    """Note when it began; takes a moment."""
    path = Path(folder) / str(number)
    path.write_text(str(time.monotonic()))
    time.sleep(0.3)
    return number


def sleep(seconds: float) -> None:
    time.sleep(seconds)


def made_of(shared: Any) -> tuple[int, str]:
    return os.getpid(), shared.get()


def upper(text: str) -> str:
    return f"{text.upper()} {time.monotonic_ns()}"
