"""One thread that owns the model: requests come in from the event loop, text goes back to it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from yocto.api.completion import Completion
from yocto.api.running import Running
from yocto.sampling.request import Request
from yocto.serving.errors import Refused, too_busy
from yocto.serving.metrics import Metrics

# So many chunks a second go out to all clients together: sooner than a reader notices, and few
# enough that the model, and not the network, has most of the processor.
CHUNKS_PER_SECOND = 500


@dataclass(eq=False)
class Job:
    """A text to be made, of a request that waits for it.

    piece: what the client has not been handed yet. tokens: how many there were after the last step.
    """

    ticket: Ticket
    index: int
    request: Request
    stops: Sequence[str]
    asked: float = field(default_factory=time.perf_counter)
    text: Completion | None = None
    piece: str = ""
    tokens: int = 0
    open: bool = True

    @property
    def written(self) -> Completion:
        """The text so far, none of it where the job has not begun."""
        return self.text or Completion(list(self.request.prompt))


@dataclass(frozen=True)
class Change:
    """What one of a request's texts has grown by. text: all of it; tokens: how many of its tokens
    count by now; reason: its end, where it has come to one."""

    index: int
    piece: str
    text: Completion
    tokens: int
    reason: str | None


class Ticket:
    """A request that waits for its texts. To be used in the event loop."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.left = 0  # texts that are not done
        self._changes: list[Change] = []
        self._fault: Refused | None = None
        self._came = asyncio.Event()

    async def changes(self) -> list[Change]:
        """What has come since the last time; waits for it. Raises Refused where the model fails."""
        await self._came.wait()
        self._came.clear()
        if self._fault is not None:
            raise self._fault
        changes, self._changes = self._changes, []
        return changes

    def put(self, change: Change | Refused) -> None:
        """Hand over what has come."""
        if isinstance(change, Refused):
            self._fault = change
        else:
            self._changes.append(change)
            self.left -= change.reason is not None
        self._came.set()


class Batcher:
    """Makes texts together, at most `slots` at a time; `queue` more may wait.

    start: from the event loop that requests come from. The thread ends with `stop`.
    """

    def __init__(
        self, running: Callable[[], Running], slots: int, queue: int, metrics: Metrics
    ) -> None:
        self.slots, self.queue, self.metrics = slots, queue, metrics
        self._make = running
        self._open: dict[Job, None] = {}  # running or waiting; of the event loop alone
        self._inbox: deque[tuple[bool, Job]] = deque()  # (whether it joins or leaves, which)
        self._wake = threading.Event()
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._work, name="yocto-model", daemon=True)

    # ------------------------------------------------------------------------- the event loop

    def start(self) -> None:
        """Begin to work."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def stop(self) -> None:
        """End the thread; texts in the making are dropped."""
        self._stopping = True
        self._wake.set()
        self._thread.join()

    @property
    def running(self) -> int:
        """How many texts have a place."""
        return min(len(self._open), self.slots)

    @property
    def waiting(self) -> int:
        """How many texts wait for a place."""
        return len(self._open) - self.running

    def submit(self, jobs: Sequence[tuple[Request, Sequence[str]]]) -> Ticket:
        """Let texts be made. Raises Refused where they find no place."""
        most = self.slots + self.queue
        if len(jobs) > most:
            raise Refused(400, f"{len(jobs)} texts in one request; there may be {most}", "n")
        if len(self._open) + len(jobs) > most:
            raise too_busy("too many requests at a time; try again in a second", 1)
        ticket = Ticket()
        for index, (request, stops) in enumerate(jobs):
            ticket.jobs.append(Job(ticket, index, request, stops))
        ticket.left = len(jobs)
        self._open.update(dict.fromkeys(ticket.jobs))
        self._inbox.extend((True, job) for job in ticket.jobs)
        self._wake.set()
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Nobody waits for these texts any more: their places are free at once."""
        for job in ticket.jobs:
            if self._close(job):
                self.metrics.cancelled += 1
                self._inbox.append((False, job))
        self._wake.set()

    def finish(self) -> None:
        """End all texts with what there is."""
        for job in list(self._open):
            job.ticket.put(Change(job.index, "", job.written, 0, "length"))
            self._close(job)
            self._inbox.append((False, job))
        self._wake.set()

    def _close(self, job: Job) -> bool:
        """Give a text's place back; whether it had one."""
        job.open = False
        return job in self._open and self._open.pop(job) is None

    def _deliver(self, changes: Sequence[tuple[Job, Change | Refused]]) -> None:
        for job, change in changes:
            ends = isinstance(change, Refused) or change.reason is not None
            if self._close(job) if ends else job.open:
                job.ticket.put(change)

    # ------------------------------------------------------------------------------ the thread

    def _work(self) -> None:
        jobs: dict[int, Job] = {}  # by the id() of their text
        batch, pace = self._make(), Pace()
        while not self._stopping:
            if not batch.busy and not self._inbox:
                pace.rest()
                self._wake.wait()
            self._wake.clear()
            self._take_in(batch, jobs)
            if batch.busy:
                try:
                    self._step(batch, jobs, pace)
                except Exception as error:  # of the model: no text would fare better
                    fault = Refused(500, f"the model failed: {error}")
                    self._hand_over([(job, fault) for job in jobs.values()])
                    jobs.clear()
                    batch = self._make()

    def _take_in(self, batch: Running, jobs: dict[int, Job]) -> None:
        while self._inbox:
            joins, job = self._inbox.popleft()
            if joins and job.open:
                try:
                    job.text = batch.join(job.request, job.stops)
                except Exception as error:  # of this text alone
                    self._hand_over([(job, Refused(500, f"the text can't begin: {error}"))])
                else:
                    jobs[id(job.text)] = job
            elif job.text is not None and id(job.text) in jobs:
                del jobs[id(job.text)]
                batch.leave(job.text)

    def _step(self, batch: Running, jobs: dict[int, Job], pace: Pace) -> None:
        hurry, tokens, first = False, 0, 0
        for text, piece in batch.step():
            job = jobs[id(text)]
            job.piece += piece
            fresh, job.tokens = len(text.ids) - job.tokens, len(text.ids)
            tokens += fresh
            if text.finish_reason is not None:
                del jobs[id(text)]
                hurry = True
            if fresh and fresh == job.tokens:
                first += fresh
                hurry = True
                self.metrics.first_token.observe(time.perf_counter() - job.asked)
            pace.changed[job] = None
        self.metrics.generated_tokens += tokens
        seconds = pace.step()
        if seconds is not None and tokens > first:
            self.metrics.each_token.observe(seconds, tokens - first)
        if pace.changed and (hurry or pace.is_due(len(jobs) / CHUNKS_PER_SECOND)):
            self._hand_over([(job, _change(job)) for job in pace.changed])
            pace.handed_over()

    def _hand_over(self, changes: list[tuple[Job, Change | Refused]]) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(self._deliver, changes)
        except RuntimeError:  # the event loop has ended: nobody waits any more
            self._stopping = True


class Pace:
    """When what came is handed over. changed: the texts that have grown meanwhile, in order."""

    def __init__(self) -> None:
        self.changed: dict[Job, None] = {}
        self._handed = self._stepped = 0.0

    def step(self) -> float | None:
        """Seconds since the last step; None after a rest."""
        last, self._stepped = self._stepped, time.perf_counter()
        return self._stepped - last if last else None

    def rest(self) -> None:
        """Nothing is to be done."""
        self._stepped = 0.0

    def is_due(self, seconds: float) -> bool:
        """Whether the last time is so long ago."""
        return self._stepped - self._handed >= seconds

    def handed_over(self) -> None:
        """All is handed over."""
        self.changed.clear()
        self._handed = self._stepped


def _change(job: Job) -> Change:
    assert job.text is not None
    piece, job.piece = job.piece, ""
    return Change(job.index, piece, job.text, len(job.text.ids), job.text.finish_reason)
