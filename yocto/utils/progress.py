"""How long work tells of itself: a protocol that the command line, notebooks and tests fill in.

Layers below the command line never print. They are handed a Progress and say to it what they do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol


class Task(Protocol):
    """One bar."""

    def advance(self, amount: int = 1) -> None:
        """Count `amount` more units as done."""

    def status(self, text: str) -> None:
        """Show a few words beside the bar, in place of the last ones."""


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


class SilentTask:
    """A bar that is not drawn."""

    def advance(self, amount: int = 1) -> None:
        """Do nothing."""

    def status(self, text: str) -> None:
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


class _TqdmTask:
    def __init__(self, bar: Any) -> None:
        self.bar = bar

    def advance(self, amount: int = 1) -> None:
        self.bar.update(amount)

    def status(self, text: str) -> None:
        self.bar.set_postfix_str(text)


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
