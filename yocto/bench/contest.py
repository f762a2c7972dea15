"""Who takes part, whose turn it is, and who is out: the same for all that is measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from yocto.bench.job import AnyJob
from yocto.bench.peers import NOT_INSTALLED, OURS, version_of
from yocto.bench.session import EngineFailed, Session
from yocto.bench.timing import turns
from yocto.errors import TokenizerError, YoctoError
from yocto.utils.progress import Task

Answer = dict[str, Any]


class Contest:
    """Engines that take turns. `answers` holds those of each round, for who is not out; `out` why
    an engine has no figures. Raises `error` where it is yocto itself that fails."""

    def __init__(
        self,
        engines: Sequence[str],
        rounds: int,
        task: Task,
        error: type[YoctoError] = TokenizerError,
    ) -> None:
        self.rounds, self.task, self.error = rounds, task, error
        self.versions = {name: version_of(name) for name in engines}
        self.answers: dict[str, list[Answer]] = {name: [] for name in engines}
        self.out: dict[str, str] = {}
        for name in engines:
            if self.versions[name] is None:
                self._drop(name, NOT_INSTALLED)

    def check(self, ask: Callable[[str], str | None]) -> None:
        """Let each engine do the work once; what `ask` gives is why it is out."""
        for name in list(self.answers):
            self.task.status(f"checking {name}")
            try:
                reason = ask(name)
            except EngineFailed as failed:
                reason = str(failed)
            if reason is not None:
                self._drop(name, reason)

    def play(self, ask: Callable[[str], Answer]) -> None:
        """All rounds."""
        for number in range(self.rounds):
            names = list(self.answers)
            for name in (names[i] for i in turns(len(names), number)):
                self.task.status(name)
                try:
                    self.answers[name].append(ask(name))
                except EngineFailed as failed:
                    self._drop(name, str(failed), left=self.rounds - number)
                else:
                    self.task.advance()

    def play_with_workers(self, job: Callable[[str], AnyJob]) -> dict[str, Answer]:
        """All rounds, each side with a worker that it keeps; returns what they say when they are
        ready. job: what a side is asked to do."""
        ready: dict[str, Answer] = {}
        with ExitStack() as stack:
            sessions: dict[str, Session] = {}

            def begin(name: str) -> None:
                sessions[name] = stack.enter_context(Session(job(name)))
                ready[name] = sessions[name].ask()

            self.check(begin)
            self.play(lambda name: sessions[name].ask())
        return ready

    def figures(self, name: str, what: str) -> list[float]:
        """One figure of each round."""
        return [float(answer[what]) for answer in self.answers[name]]

    def most(self, name: str, what: str) -> float:
        """The largest of one figure; 0 where it is not known."""
        return max(float(answer[what] or 0) for answer in self.answers[name])

    def _drop(self, name: str, reason: str, left: int | None = None) -> None:
        if name == OURS:
            raise self.error(f"yocto's own measurement failed: {reason}")
        self.out[name] = reason
        del self.answers[name]
        self.task.advance(self.rounds if left is None else left)
