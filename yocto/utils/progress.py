"""How long work tells of itself: a protocol that the command line, notebooks and tests fill in.

Layers below the command line never print. They are handed a Progress and say to it what they do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol


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

    def expect(self, total: int) -> None:
        self.bar.total = total
        self.bar.refresh()

    def record(self, line: Mapping[str, Any]) -> None:
        if "val_loss" in line:
            self.bar.write(evaluation_line(line))
        else:
            self.status(training_status(line))

    def sample(self, text: str) -> None:
        self.bar.write(f"  {text}")


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
        """A tqdm bar of steps."""
        with self.task(name, total, "step", done) as task:
            assert isinstance(task, _TqdmTask)
            yield task


def training_status(line: Mapping[str, Any]) -> str:
    """A training line of metrics.jsonl in a few words."""
    speed = line.get("tokens_per_second")
    rate = "" if speed is None else f" · {speed:,.0f} tok/s"
    return f"loss {line['train_loss']:.3f}{rate}"


def evaluation_line(line: Mapping[str, Any]) -> str:
    """An evaluation's line of metrics.jsonl in words."""
    speed = line["tokens"] / max(line["seconds"], 1e-9)
    return (
        f"step {line['step']}: train loss {line['train_loss']:.3f}, "
        f"val loss {line['val_loss']:.3f}, {line['val_bits_per_byte']:.3f} bits/byte, "
        f"{speed:,.0f} tok/s"
    )
