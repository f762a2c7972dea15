"""Progress on standard error: Rich bars on a terminal, plain lines when piped."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from yocto.cli.pace import Pace
from yocto.utils.progress import (
    Progress,
    SilentProgress,
    Task,
    Watch,
    evaluation_line,
    sample_line,
    training_status,
)
from yocto.utils.text import duration, without_control

# What draws takes a tenth of a second to import: each part is imported where it is used.
if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichBars
    from rich.progress import TaskID
    from rich.text import Text

PLAIN_INTERVAL = 15.0  # seconds between two plain lines of one task
MOST_INTERVAL = 300.0  # of a training run that goes on for hours


def make_progress(quiet: bool = False) -> Progress:
    """What fits standard error: a dumb terminal can't go back to a line, as a pipe can't."""
    forced = os.environ.get("FORCE_COLOR") or os.environ.get("TTY_COMPATIBLE")
    if not sys.stderr.isatty() and not forced:  # as Rich sees it, too, once it is imported
        return QuietProgress(PlainProgress()) if quiet else PlainProgress()
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    drawn = console.is_terminal and not console.is_dumb_terminal
    progress = RichProgress(console) if drawn else PlainProgress()
    return QuietProgress(progress) if quiet else progress


class RichProgress:
    """Bars with ETA; lines stay above them."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        from rich.text import Text

        self._print(Text(without_control(text)))

    def notice(self, text: str) -> None:
        """Print a line that stands out."""
        from rich.text import Text

        self._print(Text(f"note: {without_control(text)}", style="yellow"))

    def _print(self, text: Text) -> None:
        with suppress(OSError):  # a terminal that is gone is no reason to stop training
            self.console.print(text)

    @contextmanager
    def task(self, description: str, total: int | None, unit: str, done: int = 0) -> Iterator[Task]:
        """A bar that goes when it is done."""
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichBars

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
                bars, bars.add_task(description, total=total, completed=done, status="")
            )

    @contextmanager
    def training(
        self, name: str, total: int | None, done: int, past: Sequence[Mapping[str, Any]]
    ) -> Iterator[Watch]:
        """The live view; evaluations and samples stay above it."""
        from yocto.cli.live import live_view

        with live_view(self.console, self.say, name, total, done, past) as watch:
            yield watch


class _RichTask:
    def __init__(self, bars: RichBars, task_id: TaskID) -> None:
        self.bars, self.task_id = bars, task_id

    def advance(self, amount: int = 1) -> None:
        self.bars.advance(self.task_id, amount)

    def status(self, text: str) -> None:
        self.bars.update(self.task_id, status=text)


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
        yield _PlainWatch(self, total, done)


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


class _PlainWatch:
    def __init__(self, progress: PlainProgress, total: int | None, done: int) -> None:
        self.progress, self.total, self.done = progress, total, done
        self.figures = ""
        self.began = self.told = time.monotonic()
        self.pace = Pace(self.began, done)

    def advance(self, amount: int = 1) -> None:
        self.done += amount
        now = time.monotonic()
        if now - self.told >= self._interval(now):
            self._tell(now)

    def _interval(self, now: float) -> float:
        """Seconds between two lines: more and more, so that a long run's log can be read."""
        return min(MOST_INTERVAL, max(PLAIN_INTERVAL, (now - self.began) / 20))

    def _tell(self, now: float) -> None:
        self.told = now
        self.pace.mark(now, self.done)
        left = None if self.total is None else self.pace.left(self.total)
        parts = [self.figures, "" if left is None else f"{duration(left)} left"]
        of = "" if self.total is None else f" of {self.total}"
        figures = ", ".join(part for part in parts if part)
        self.progress.say(f"step {self.done}{of}" + (f": {figures}" if figures else ""))

    def status(self, text: str) -> None:
        pass  # its line would come too late

    def expect(self, total: int) -> None:
        self.total = total

    def record(self, line: Mapping[str, Any]) -> None:
        if "val_loss" in line:
            self.told = time.monotonic()
            self.progress.say(evaluation_line(line))
        else:
            self.figures = training_status(line)

    def sample(self, text: str) -> None:
        self.progress.say(sample_line(text))


class QuietProgress(SilentProgress):
    """Notices only: what the user may not expect is worth a line even so."""

    def __init__(self, progress: Progress) -> None:
        self.notice = progress.notice  # type: ignore[method-assign]
