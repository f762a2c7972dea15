"""The live view of a training run on a terminal.

It takes next to nothing from the training: a step is only counted; twice a second at most, between
two steps, the panel is drawn, and less often where drawing takes longer than it should.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from yocto.cli.pace import Pace
from yocto.cli.panel import Line, Shown, panel
from yocto.cli.region import Region
from yocto.utils.progress import evaluation_line, number, sample_line
from yocto.utils.text import one_line

INTERVAL = 0.5  # seconds between two drawings
_SHARE = 0.01  # of the time, that drawing may take
_FIGURES = {  # what the panel calls what metrics.jsonl has
    "tokens": "tokens", "tokens_per_second": "tokens_per_second", "utilisation": "utilisation",
    "memory": "memory", "learning_rate": "learning_rate", "grad_norm": "grad_norm",
    "val_bits_per_byte": "bits_per_byte",
}  # fmt: skip


@contextmanager
def live_view(
    console: Console,
    say: Callable[[str], None],
    name: str,
    total: int | None,
    done: int,
    past: Sequence[Mapping[str, Any]],
) -> Iterator[LiveView]:
    """The view, which goes in the end; what was said stays. say: prints a line above it."""
    view = LiveView(console, say, Shown(one_line(name), done, total), past)
    with view.region.shown():
        yield view


class LiveView:
    """A Watch that is drawn at the bottom of a terminal."""

    def __init__(
        self,
        console: Console,
        say: Callable[[str], None],
        run: Shown,
        past: Sequence[Mapping[str, Any]],
    ) -> None:
        self.run, self.say, self.done = run, say, run.step
        self.ascii_only = not console.encoding.lower().startswith("utf")
        self.region = Region(console, self._lines)
        for line in past:
            self._take(line)
        self.seconds_before = next(
            (s for line in reversed(past) if (s := number(line, "seconds")) is not None), 0.0
        )
        self.began = self.due = time.monotonic()
        self.pace = Pace(self.began, self.done)

    def advance(self, amount: int = 1) -> None:
        """Count a step, and draw when it is time to."""
        self.done += amount
        if time.monotonic() >= self.due:
            self.draw()

    def draw(self) -> None:
        """Draw the panel, and set when to do so next."""
        before = time.monotonic()
        self.region.draw()
        after = time.monotonic()
        self.due = after + max(INTERVAL, (after - before) / _SHARE)

    def status(self, text: str) -> None:
        """Show what is done besides training; what begins is shown at once."""
        begins = bool(text) and not self.run.status
        self.run.status = one_line(text)
        if begins or time.monotonic() >= self.due:
            self.draw()

    def expect(self, total: int) -> None:
        """The run will have so many steps."""
        self.run.total = total

    def record(self, line: Mapping[str, Any]) -> None:
        """Take in a line of metrics.jsonl; one of an evaluation is also said."""
        self._take(line)
        if "val_loss" in line:
            self.say(evaluation_line(line))

    def sample(self, text: str) -> None:
        """Say what the model writes by now, and keep it in the panel."""
        self.run.sample = one_line(text)
        self.say(sample_line(text))

    def _take(self, line: Mapping[str, Any]) -> None:
        val_loss, train_loss = number(line, "val_loss"), number(line, "train_loss")
        if val_loss is not None:
            self.run.val.add(val_loss)
        elif train_loss is not None:  # an evaluation's is the mean of what the curve has already
            self.run.train.add(train_loss)
        for key, name in _FIGURES.items():
            value = number(line, key)
            if value is not None and math.isfinite(value):
                setattr(self.run, name, value)

    def _lines(self, width: int, height: int) -> list[Line]:
        run, now = self.run, time.monotonic()
        run.step = self.done
        run.elapsed = self.seconds_before + now - self.began
        self.pace.mark(now, self.done)
        run.left = None if run.total is None else self.pace.left(run.total)
        return panel(run, width, height, self.ascii_only)
