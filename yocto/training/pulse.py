"""Whether the other processes live: a thread in each tells that it does, and listens to the next.

A process that is killed leaves the others waiting for it. Over TCP they notice at once; a GPU's
network may keep them for minutes. So every process writes a new number into the common store each
second, and watches the number of the next one; one that stands still for long is as good as dead.
Nothing is compared with a clock: a machine that slept finds all numbers moving again.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from yocto.errors import RunError

BEAT = 1.0  # seconds
SILENT = 15  # beats that a process may miss; even compiling a kernel takes less
GRACE = 5.0  # seconds that the main thread has to notice by itself that it waits for nobody


# Whose death is known otherwise, and how that came.
Watched = Callable[[], tuple[int, str] | None]


class Store(Protocol):
    """What all processes read and write: torch.distributed's."""

    def set(self, key: str, value: str) -> None:
        """Write."""

    def get(self, key: str) -> bytes:
        """Read; waits until the key is there."""

    def check(self, keys: list[str]) -> bool:
        """Whether all of these keys are there."""

    def compare_set(self, key: str, expected: str, desired: str) -> bytes:
        """Write where it holds what is expected, "" standing for nothing."""


END = "end"  # the key under which the first process to fail tells why


class Pulse:
    """Tells of this process's life, and knows who has died.

    store: for the main thread. own_store: another connection to the same one, for the thread, since
    a connection serves one at a time. watched: looks at what else tells of a death, and returns
    whose it is, and how that came. bury: what has to be done before this process is ended.
    """

    def __init__(
        self,
        store: Store,
        own_store: Store,
        rank: int,
        size: int,
        watched: Watched = lambda: None,
        bury: Callable[[], None] = lambda: None,
    ) -> None:
        self.store, self._store, self.rank, self.size = store, own_store, rank, size
        self._watched, self._bury = watched, bury
        self._lost: dict[str, Any] | None = None
        self._left = threading.Event()
        self._beats = 0
        self._store.set(self._key(rank), "0")
        self._threads = [
            threading.Thread(target=run, daemon=True, name="pulse")
            for run in (self._run, self._watch_store)
        ]
        for thread in self._threads:
            thread.start()

    # ------------------------------------------------------------------------------- main thread

    def wait_for(self, key: str) -> None:
        """Until a key is there. Raises RunError where a process dies meanwhile."""
        while not self.store.check([key]):
            self.check()
            time.sleep(0.05)

    def wait_for_all(self, seconds: float) -> None:
        """Until all processes have come, for so long. Raises RunError where one does not."""
        deadline = time.monotonic() + seconds
        for rank in range(self.size):
            while not self.store.check([self._key(rank)]):
                self.check()
                if time.monotonic() > deadline:
                    word = {"rank": rank, "why": "has not come", "hint": _COME}
                    raise self.death(word)
                time.sleep(0.05)

    def check(self) -> None:
        """Raise a RunError where a process has died."""
        if self._lost is not None:
            raise self.death(self._lost)

    def told(self, hurried: Callable[[], bool]) -> RunError | None:
        """Why the processes can't go on, where something has just gone wrong with them: a
        connection breaks before it is known who died. hurried: whether there is no time to wait."""
        deadline = time.monotonic() + GRACE
        while self._lost is None and time.monotonic() < deadline and not hurried():
            time.sleep(0.05)
        return None if self._lost is None else self.death(self._lost)

    def fail(self, why: str, hint: str | None) -> None:
        """Tell all others that this process ends, and why; the first one to tell is heard."""
        with suppress(RuntimeError):  # the store is gone, and who had it
            self._tell_end(self.rank, why, hint)

    def leave(self) -> None:
        """Stop telling and listening. A thread that were still within the store as the interpreter
        ends would abort the process; one that hears nothing of the store is not waited for."""
        self._left.set()
        for thread in self._threads:
            thread.join(GRACE)

    def death(self, word: dict[str, Any]) -> RunError:
        """What has happened, in words."""
        who = f"process {word['rank'] + 1} of {self.size}"
        return RunError(f"{who} {word['why']}", word["hint"] or _HINT)

    # ------------------------------------------------------------------------------------ threads

    def _run(self) -> None:
        seen, missed = b"", 0
        next_one = (self.rank + 1) % self.size
        while not self._left.wait(BEAT):
            self._beats += 1
            try:
                self._store.set(self._key(self.rank), str(self._beats))
                if self._store.check([END]):
                    self._lost = json.loads(self._store.get(END))
                elif found := self._watched():
                    self._tell_end(*found)
                elif self._store.check([self._key(next_one)]):
                    number = self._store.get(self._key(next_one))
                    missed = missed + 1 if number == seen else 0
                    seen = number
                    if missed >= SILENT:
                        self._tell_end(next_one, f"has been silent for {SILENT * BEAT:.0f} seconds")
            except RuntimeError:  # the store is gone
                self._lost = {"rank": 0, "why": "has died", "hint": None}
            if self._lost is not None:
                self._give_up()
                return

    def _watch_store(self) -> None:
        """The other thread waits as long as the store does not answer: who has it is silent."""
        seen, missed = 0, 0
        while not self._left.wait(BEAT) and self._lost is None:
            missed = missed + 1 if self._beats == seen else 0
            seen = self._beats
            if missed >= SILENT:
                why = f"has been silent for {SILENT * BEAT:.0f} seconds"
                self._lost = {"rank": 0, "why": why, "hint": None}
                self._give_up()

    def _tell_end(self, rank: int, why: str, hint: str | None = None) -> None:
        self._store.compare_set(END, "", json.dumps({"rank": rank, "why": why, "hint": hint}))

    def _give_up(self) -> None:
        """End the process if its main thread waits for the dead. It mostly notices by itself, and
        leaves."""
        if self._left.wait(2 * GRACE):
            return
        assert self._lost is not None
        if self.rank == 0:
            error = self.death(self._lost)
            shown = "\x1b[?25h" if sys.stderr.isatty() else ""  # the cursor, which a bar may hide
            os.write(2, f"{shown}\nerror: {error.message}\n{error.hint}\n".encode())
        self._bury()
        os._exit(1)

    @staticmethod
    def _key(rank: int) -> str:
        return f"pulse/{rank}"


def end_soon(seconds: float) -> None:
    """End this process after a while, if what it leaves behind keeps it."""

    def end() -> None:
        time.sleep(seconds)
        os._exit(1)

    threading.Thread(target=end, daemon=True).start()


_COME = "Start as many processes as the others were told of, all with the same command."
_HINT = "The checkpoints that were written are whole: go on with --resume auto."
