"""What a process that does not lead has in place of a run's folder: nothing is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from yocto.checkpoint import Run
from yocto.training.metrics import MetricsFile


class UnwrittenRun(Run):
    """A run whose first process alone writes."""

    def save(self, step: int, *what: Any) -> Path:
        """Nothing: the first process does."""
        return self.path / f"step-{step:06d}"

    def mark_latest(self, step: int) -> None:
        """Nothing."""

    def mark_best(self, step: int) -> None:
        """Nothing."""

    def restore_best(self, step: int | None) -> bool:
        """Nothing; the first process knows."""
        return True

    def keep_only(self, step: int) -> None:
        """Nothing."""

    def prune(self, keep_last: int = 1) -> None:
        """Nothing."""


class UnwrittenMetrics(MetricsFile):
    """Its metrics."""

    def write(self, **values: Any) -> None:
        """Nothing."""

    def rewind(self, step: int) -> bool:
        """Nothing; the first process knows."""
        return False
