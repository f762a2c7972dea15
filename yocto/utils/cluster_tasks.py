"""Tasks on a Ray cluster as an executor has them: submitted, done again where they are lost."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from yocto import __version__
from yocto.errors import ClusterError
from yocto.utils.cluster import Cluster, perform
from yocto.utils.progress import Progress

TRIES = 5  # that one task has
PATIENCE = 60.0  # seconds without a processor in the cluster, after which it is given up
_LOOK = 0.1  # seconds between two looks at tasks that were submitted meanwhile


@dataclass
class _Job:
    """A task with all that is needed to do it again."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    future: Future[Any] = field(default_factory=Future)
    tries: int = 0


class ClusterTasks(Executor):
    """Runs functions of the package on a cluster's workers.

    A future has the function's result, or the error that it raised. A task whose worker or machine
    dies is submitted again, up to TRIES times in all; where no machine is left for PATIENCE
    seconds, every future raises ClusterError. For one thread; ends with the context.
    """

    def __init__(self, cluster: Cluster, progress: Progress) -> None:
        import ray

        self._limit = cluster.workers if cluster.workers < cluster.cpus else None
        self._progress = progress
        self._remote = ray.remote(max_retries=0, num_cpus=1)(perform)
        self._lock = threading.Lock()
        self._waiting: deque[_Job] = deque()
        self._running: dict[Any, _Job] = {}
        self._lost: list[str] = []  # why, of tasks that the user was not told of yet
        self._fault: ClusterError | None = None
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:  # type: ignore[override]
        """Run a function on some machine; it and what it is given have to be picklable."""
        self._tell()
        job = _Job(function, arguments)
        with self._lock:
            if self._fault is not None:
                job.future.set_exception(self._fault)
                return job.future
            self._waiting.append(job)
            with suppress(Exception):  # the watcher will try it again, and tell what is wrong
                self._start()
        return job.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Give up what is not done."""
        import ray

        self._ended.set()
        self._watcher.join()
        for ref in self._running:
            with suppress(Exception):  # the connection may be what is broken
                ray.cancel(ref, force=True)
        self._running.clear()
        self._waiting.clear()
        self._tell()

    def _start(self) -> None:
        """Submit what waits, as much as may run at once; what can't be submitted goes on waiting.
        With the lock."""
        python = (sys.version_info[0], sys.version_info[1])
        while self._waiting and (self._limit is None or len(self._running) < self._limit):
            job = self._waiting[0]
            if job.tries or job.future.set_running_or_notify_cancel():
                job.tries += 1
                ref = self._remote.remote(__version__, python, job.function, job.arguments)
                self._running[ref] = job
            self._waiting.popleft()

    def _watch(self) -> None:
        """Take results as they come, whatever the order in which they are asked for."""
        gone: float | None = None  # since when no processor is left
        while not self._ended.is_set():
            try:
                if self._take():
                    gone = None
                    continue
                gone = (gone or time.monotonic()) if self._is_deserted() else None
            except Exception as error:  # of the connection itself
                self._give_up(f"the cluster is lost: {_first_line(error)}")
                return
            if gone is not None and time.monotonic() - gone > PATIENCE:
                self._give_up("no node of the cluster is left that could work")
                return

    def _take(self) -> bool:
        """One result, if there is one soon."""
        import ray

        with self._lock:
            if not self._running:
                self._start()
            refs = list(self._running)
        if not refs:
            self._ended.wait(_LOOK / 5)
            return True
        ready, _ = ray.wait(refs, num_returns=1, timeout=_LOOK)
        for ref in ready:
            # It is taken off only then: no job must be nowhere when the connection breaks.
            self._settle(self._running[ref], ref)
            with self._lock:
                del self._running[ref]
                self._start()
        return bool(ready)

    def _settle(self, job: _Job, ref: Any) -> None:
        """Give a job's future what came of it, or let the job wait for another try."""
        import ray

        try:
            job.future.set_result(ray.get(ref))
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, ray.exceptions.RayError):
                self._again(job, error.cause)
            else:
                job.future.set_exception(_told_as_here(error))
        except ray.exceptions.RayError as error:
            self._again(job, error)

    def _again(self, job: _Job, error: BaseException) -> None:
        if job.tries >= TRIES:
            fault = ClusterError(
                f"a task was lost {TRIES} times: {_first_line(error)}",
                "The nodes may run out of memory: let each do less at once, with "
                "ray start --num-cpus.",
            )
            job.future.set_exception(fault)
            return
        with self._lock:
            self._lost.append(type(error).__name__)
            self._waiting.appendleft(job)

    def _is_deserted(self) -> bool:
        import ray

        return not ray.cluster_resources().get("CPU", 0)

    def _give_up(self, what: str) -> None:
        self._fault = ClusterError(what, "Start some again: ray start --address HOST:6379")
        with self._lock:
            jobs = [*self._running.values(), *self._waiting]
            self._waiting.clear()
        for job in jobs:
            if not job.future.done():
                job.future.set_exception(self._fault)

    def _tell(self) -> None:
        """Say what was lost; in the thread that submits, so that bars are not drawn by two."""
        with self._lock:
            lost, self._lost = self._lost, []
        if lost:
            tasks = "a task was" if len(lost) == 1 else f"{len(lost)} tasks were"
            why = ", ".join(sorted(set(lost)))
            self._progress.notice(f"{tasks} lost with a worker or a node, and done again ({why})")


def _told_as_here(error: Any) -> BaseException:
    """The error of a function as it would be told if it had run here."""
    cause: BaseException = error.cause
    if isinstance(cause, ImportError) or "failed to import" in str(cause):
        return ClusterError(
            f"a node of the cluster can't run yocto: {_first_line(cause)}",
            f"Install the same on each node: pip install yocto=={__version__}",
        )
    return cause


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
