"""Progress on standard error: Rich bars on a terminal, plain lines when piped."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichBars

from yocto.utils.progress import (
    Progress,
    SilentProgress,
    Task,
    Watch,
    evaluation_line,
    training_status,
)
from yocto.utils.text import without_control

PLAIN_INTERVAL = 15.0  # seconds between two plain lines of one task


def make_progress(quiet: bool = False) -> Progress:
    """What fits standard error."""
    console = Console(stderr=True, highlight=False)
    progress = RichProgress(console) if console.is_terminal else PlainProgress()
    return QuietProgress(progress) if quiet else progress


class RichProgress:
    """Bars with ETA; lines stay above them."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self.console.print(without_control(text), markup=False, emoji=False)

    def notice(self, text: str) -> None:
        """Print a line that stands out."""
        self.console.print(
            f"note: {without_control(text)}", style="yellow", markup=False, emoji=False
        )

    @contextmanager
    def task(self, description: str, total: int | None, unit: str, done: int = 0) -> Iterator[Task]:
        """A bar that goes when it is done."""
        wide = [BarColumn(bar_width=None), TextColumn("{task.fields[status]}", style="dim")]
        bars = RichBars(
            TextColumn("{task.description}"),
            *(wide if self.console.width >= 60 else []),
            *(
                []
                if total is None
                else [
                    TaskProgressColumn(),
                    TimeRemainingColumn(compact=True),
                    TextColumn("left", style="dim"),
                ]
            ),
            console=self.console,
            transient=True,
            expand=True,
        )
        with bars:
            yield _RichTask(
                self, bars, bars.add_task(description, total=total, completed=done, status="")
            )

    @contextmanager
    def training(
        self, name: str, total: int | None, done: int, past: Sequence[Mapping[str, Any]]
    ) -> Iterator[Watch]:
        """A bar of steps; evaluations and samples stay above it."""
        with self.task("training", total, "step", done) as task:
            assert isinstance(task, _RichTask)
            yield task


class _RichTask:
    def __init__(self, progress: RichProgress, bars: RichBars, task_id: TaskID) -> None:
        self.progress, self.bars, self.task_id = progress, bars, task_id

    def advance(self, amount: int = 1) -> None:
        self.bars.advance(self.task_id, amount)

    def status(self, text: str) -> None:
        self.bars.update(self.task_id, status=text)

    def expect(self, total: int) -> None:
        self.bars.update(self.task_id, total=total)

    def record(self, line: Mapping[str, Any]) -> None:
        if "val_loss" in line:
            self.progress.say(evaluation_line(line))
        else:
            self.status(training_status(line))

    def sample(self, text: str) -> None:
        self.progress.say(f"  {text}")


class PlainProgress:
    """Lines only."""

    def say(self, text: str) -> None:
        """Print a line."""
        with suppress(OSError):  # a full disk under the log is no reason to stop training
            print(text, file=sys.stderr, flush=True)

    def notice(self, text: str) -> None:
        """Print a line."""
        self.say(f"note: {text}")

    @contextmanager
    def task(self, description: str, total: int | None, unit: str, done: int = 0) -> Iterator[Task]:
        """A line now and then, while the work takes long."""
        yield _PlainTask(self, description, total, unit, done)

    @contextmanager
    def training(
        self, name: str, total: int | None, done: int, past: Sequence[Mapping[str, Any]]
    ) -> Iterator[Watch]:
        """A line at each evaluation, and now and then between them."""
        yield _PlainTask(self, "training", total, "step", done)


class _PlainTask:
    def __init__(
        self, progress: PlainProgress, description: str, total: int | None, unit: str, done: int
    ) -> None:
        self.progress, self.description, self.total, self.unit = progress, description, total, unit
        self.first = self.done = done
        self.text = ""
        self.began = self.told = time.monotonic()

    def advance(self, amount: int = 1) -> None:
        self.done += amount
        now = time.monotonic()
        if now - self.told < PLAIN_INTERVAL:
            return
        self.told = now
        text = f", {self.text}" if self.text else ""
        if self.total is None:
            self.progress.say(f"{self.description}: {self.done:,} {self.unit}s so far{text}")
        elif self.first < self.done < self.total:
            left = (now - self.began) / (self.done - self.first) * (self.total - self.done)
            self.progress.say(
                f"{self.description}: {self.done:,} of {self.total:,} {self.unit}s{text}, "
                f"{left:.0f} s left"
            )

    def status(self, text: str) -> None:
        self.text = text

    def expect(self, total: int) -> None:
        self.total = total

    def record(self, line: Mapping[str, Any]) -> None:
        if "val_loss" in line:
            self.progress.say(evaluation_line(line))
        else:
            self.status(training_status(line))

    def sample(self, text: str) -> None:
        self.progress.say(f"  {text}")


class QuietProgress(SilentProgress):
    """Notices only: what the user may not expect is worth a line even so."""

    def __init__(self, progress: Progress) -> None:
        self.notice = progress.notice  # type: ignore[method-assign]
