"""How long work tells of itself: a protocol that the command line, notebooks and tests fill in.

Layers below the command line never print. They are handed a Progress and say to it what they do.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from yocto.utils.text import without_control


class Task(Protocol):
    """One bar."""

    def advance(self, amount: int = 1) -> None:
        """Count `amount` more units as done."""

    def status(self, text: str) -> None:
        """Show a few words beside the bar, in place of the last ones."""


class Watch(Task, Protocol):
    """A training run that is looked at."""

    def expect(self, total: int) -> None:
        """There will be so many steps in all."""

    def record(self, line: Mapping[str, Any]) -> None:
        """A line of metrics.jsonl: of some steps of training, or, with a val_loss, of an
        evaluation."""

    def sample(self, text: str) -> None:
        """What the model writes by now."""


class Progress(Protocol):
    """What a command tells while it works."""

    def say(self, text: str) -> None:
        """One line that stays."""

    def notice(self, text: str) -> None:
        """One line that stays, on something the user may not expect."""

    def task(
        self, description: str, total: int | None, unit: str, done: int = 0
    ) -> AbstractContextManager[Task]:
        """A bar over `total` units (bytes, steps, …), of which `done` are already done; None where
        nobody knows how many there are."""

    def training(
        self, name: str, total: int | None, done: int, past: Sequence[Mapping[str, Any]]
    ) -> AbstractContextManager[Watch]:
        """The view of a training run of `total` steps, None where that is not known yet, of which
        `done` are done. past: the lines that its metrics.jsonl has already."""


class SilentTask:
    """A bar or a view that is not drawn."""

    def advance(self, amount: int = 1) -> None:
        """Do nothing."""

    def status(self, text: str) -> None:
        """Do nothing."""

    def expect(self, total: int) -> None:
        """Do nothing."""

    def record(self, line: Mapping[str, Any]) -> None:
        """Do nothing."""

    def sample(self, text: str) -> None:
        """Do nothing."""


class SilentProgress:
    """Says nothing: the library's default."""

    def say(self, text: str) -> None:
        """Do nothing."""

    def notice(self, text: str) -> None:
        """Do nothing."""

    @contextmanager
    def task(self, description: str, total: int | None, unit: str, done: int = 0) -> Iterator[Task]:
        """A bar that is not drawn."""
        yield SilentTask()

    @contextmanager
    def training(
        self, name: str, total: int | None, done: int, past: Sequence[Mapping[str, Any]]
    ) -> Iterator[Watch]:
        """A view that is not drawn."""
        yield SilentTask()


class _TqdmTask:
    def __init__(self, bar: Any) -> None:
        self.bar = bar

    def advance(self, amount: int = 1) -> None:
        self.bar.update(amount)

    def status(self, text: str) -> None:
        self.bar.set_postfix_str(text)


class _TqdmWatch(_TqdmTask):
    def __init__(self, bar: Any) -> None:
        super().__init__(bar)
        self.figures = ""

    def status(self, text: str) -> None:
        self.bar.set_postfix_str(text or self.figures)

    def expect(self, total: int) -> None:
        self.bar.total = total
        self.bar.refresh()

    def record(self, line: Mapping[str, Any]) -> None:
        if "val_loss" in line:
            self.bar.write(evaluation_line(line))
        else:
            self.figures = training_status(line)
            self.bar.set_postfix_str(self.figures, refresh=False)  # with the next steps

    def sample(self, text: str) -> None:
        self.bar.write(without_control(sample_line(text)))


class TqdmProgress:
    """Bars drawn with tqdm: for notebooks and scripts that use yocto as a library."""

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        from tqdm.auto import tqdm

        tqdm.write(text)

    def notice(self, text: str) -> None:
        """Print a line above the bars."""
        self.say(f"note: {text}")

    @contextmanager
    def task(self, description: str, total: int | None, unit: str, done: int = 0) -> Iterator[Task]:
        """A tqdm bar, a notebook widget where there is a notebook."""
        from tqdm.auto import tqdm

        with tqdm(total=total, desc=description, unit=unit, unit_scale=True, initial=done) as bar:
            yield _TqdmTask(bar)

    @contextmanager
    def training(
        self, name: str, total: int | None, done: int, past: Sequence[Mapping[str, Any]]
    ) -> Iterator[Watch]:
        """A tqdm bar of steps; evaluations and samples stay above it."""
        from tqdm.auto import tqdm

        with tqdm(total=total, desc=name, unit=" steps", initial=done) as bar:
            yield _TqdmWatch(bar)


def default_progress() -> Progress:
    """What the library draws its progress with where the caller names nothing: tqdm in a notebook,
    whose widgets show it; nothing elsewhere, since standard error is the caller's."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return TqdmProgress() if hasattr(shell, "kernel") else SilentProgress()


def number(line: Mapping[str, Any], key: str) -> float | None:
    """A value of a line of metrics.jsonl; None where it is missing or no finite number."""
    value = line.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # an integer of a damaged file
        return None


def training_status(line: Mapping[str, Any]) -> str:
    """A training line of metrics.jsonl in a few words."""
    loss, speed = number(line, "train_loss"), number(line, "tokens_per_second")
    parts = [
        *([] if loss is None else [f"loss {loss:.3f}"]),
        *([] if speed is None else [f"{speed:,.0f} tok/s"]),
    ]
    return ", ".join(parts)


def evaluation_line(line: Mapping[str, Any]) -> str:
    """An evaluation's line of metrics.jsonl in words."""
    train, val = number(line, "train_loss"), number(line, "val_loss")
    bits, tokens = number(line, "val_bits_per_byte"), number(line, "tokens")
    speed = number(line, "tokens_per_second")  # of training, without evaluations
    if speed is None and tokens and (seconds := number(line, "seconds")):
        speed = tokens / seconds
    parts = [
        *([] if train is None else [f"train loss {train:.3f}"]),
        *([] if val is None else [f"val loss {val:.3f}"]),
        *([] if bits is None else [f"{bits:.3f} bits/byte"]),
        *([] if not speed else [f"{speed:,.0f} tok/s"]),
        *(["whole split"] if line.get("whole_split") else []),
    ]
    return f"step {line['step']}: {', '.join(parts)}"


def sample_line(text: str) -> str:
    """What a model writes, as one line below that of its evaluation."""
    return f"  {' '.join(text.split())}"
