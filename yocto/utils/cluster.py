"""A Ray cluster as a pool of workers: tasks that are lost with a machine are done again.

Ray's own retries are off. Who has the data at hand tries again here: what a task works on stays
with the one who submitted it until the result is there, and the user is told what was lost.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from yocto import __version__
from yocto.errors import ClusterError
from yocto.utils.cores import available_cores
from yocto.utils.progress import Progress

_REACH = 5.0  # seconds that a cluster has to answer
_CLIENT_PORT = 10001  # of ray://, where none is named
_START = "On its first machine: ray start --head; or --address local starts Ray on this one."
_REFUSED = (
    "HOST:PORT has to be a cluster that this machine belongs to (ray start --address HOST:PORT), "
    "of the same Ray, with the same token (RAY_AUTH_TOKEN) if it asks for one."
)
# What Ray is told before it is loaded: no figures to its makers, and an error after seconds, not
# after half a minute, where something else listens at the address.
_SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_NUM_REDIS_GET_RETRIES": "5"}
# Whatever log_to_driver says, the loss of a worker is printed to standard output, the place of our
# results. A regex tells what is skipped of that, unless a user's own setting forbids it.
_SILENCE = {"RAY_DEDUP_LOGS": "1", "RAY_DEDUP_LOGS_SKIP_REGEX": ".*"}
_made: dict[str, Any] = {}  # in a worker: what was made of the last thing that is shared


@dataclass(frozen=True)
class Shared:
    """A value that goes to each machine once, and that each worker makes something of once.

    key: its identity. ref: Ray's reference, in a tuple so that Ray does not fetch it with each
    task.
    """

    key: str
    make: Callable[[Any], Any]
    ref: tuple[Any]

    def get(self) -> Any:
        """What `make` makes of the value; to be called in a task."""
        if self.key not in _made:
            import ray

            _made.clear()
            _made[self.key] = self.make(ray.get(self.ref[0]))
        return _made[self.key]


@dataclass(frozen=True)
class Cluster:
    """A cluster that is connected. workers: how many tasks are worked on at once. cpus: how many
    it has room for."""

    workers: int
    cpus: int

    def share(self, key: str, make: Callable[[Any], Any], value: Any) -> Shared:
        """Send a value to all who will work."""
        import ray

        return Shared(key, make, (ray.put(value),))


@contextmanager
def connected(address: str, workers: int | None, progress: Progress) -> Iterator[Cluster]:
    """The cluster at an address.

    address: "auto" for the one that this machine belongs to (or RAY_ADDRESS names), "local" for
    one on this machine alone that ends with the context, host:port, or ray://host:port. workers:
    None takes as many as the cluster has processors. Raises ClusterError within seconds where Ray
    is not installed or nobody answers. What Ray has to say goes to its own files.
    """
    if find_spec("ray") is None:
        raise ClusterError("ray is not installed", "Install it: pip install 'yocto[cluster]'")
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    os.environ.update(_SILENCE)
    import ray

    own = not ray.is_initialized()  # a notebook may have connected already
    if own:
        with _quiet():
            _connect(address, workers)
    try:
        cpus = int(ray.cluster_resources().get("CPU", 0))
        nodes = sum(bool(node["Alive"]) for node in ray.nodes())
        if not cpus:
            raise ClusterError(
                "no node of the cluster has a processor to work with",
                "Add one: ray start --address HOST:6379",
            )
        progress.say(
            f"on a Ray cluster of {nodes} node{'s' * (nodes != 1)} with {cpus} "
            f"processor{'s' * (cpus != 1)}"
        )
        yield Cluster(workers or cpus, cpus)
    finally:
        if own:
            ray.shutdown()


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing on the terminal, and the signals as they were: Ray takes SIGTERM for itself."""
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        if is_main:
            signal.signal(signal.SIGTERM, before)


def _connect(address: str, workers: int | None) -> None:
    import ray

    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    if address == "local":
        options |= {"num_cpus": workers or available_cores(), "include_dashboard": False}
    else:
        named = os.environ.get("RAY_ADDRESS", "") if address == "auto" else address
        if named and named not in ("auto", "local"):
            _check_answers(named)
    try:
        ray.init(address=address, **options)
    except Exception as error:  # Ray raises whatever comes from below
        what = str(error).strip().splitlines()
        told = what[0] if what else type(error).__name__
        where = "on this machine" if address in ("auto", "local") else f"at {address}"
        hint = _START if address in ("auto", "local") else _REFUSED
        raise ClusterError(f"there is no Ray cluster {where}: {told}", hint) from error


def _check_answers(address: str) -> None:
    """Raise ClusterError where nobody listens: Ray would try for a minute."""
    url = urlsplit(address if "://" in address else f"gcs://{address}")
    try:
        host, port = url.hostname, url.port
    except ValueError:
        host, port = None, None
    if url.scheme == "ray":
        port = port or _CLIENT_PORT
    if not host or not port or url.scheme not in ("ray", "gcs"):
        raise ClusterError(
            f"{address!r} is no address of a Ray cluster",
            "It is auto, local, HOST:PORT or ray://HOST:PORT.",
        )
    try:
        socket.create_connection((host, port), _REACH).close()
    except OSError as error:
        raise ClusterError(
            f"nobody answers at {address}: {error.strerror or error}", _START
        ) from error


def perform(version: str, python: tuple[int, int], function: Any, arguments: Any) -> Any:
    """What every task runs: the function, if the worker has what it was written for."""
    ours = f"yocto {version} with Python {python[0]}.{python[1]}"
    own = sys.version_info[:2]
    if (version, python) != (__version__, own):
        raise ClusterError(
            f"node {socket.gethostname()} has yocto {__version__} with Python "
            f"{own[0]}.{own[1]}, and this machine {ours}",
            "Install the same on each node.",
        )
    return function(*arguments)
