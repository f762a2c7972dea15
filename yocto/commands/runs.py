"""yocto runs: the runs in a folder, with their figures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from yocto.config import RunsConfig
from yocto.errors import CheckpointError
from yocto.training.history import RunFacts, all_runs
from yocto.utils.progress import Progress


@dataclass(frozen=True)
class RunList:
    """The runs in a folder."""

    ckpt_dir: str
    runs: list[RunFacts]

    def summary(self) -> list[str]:
        """What is wrong with runs, and what to type next."""
        if not self.runs:
            return [f"there are no runs under {self.ckpt_dir} yet", "train one: yocto train"]
        return [f"{run.name}: {run.note}" for run in self.runs if run.note]


def run(config: RunsConfig, progress: Progress) -> RunList:
    """List the runs; a folder that the user named has to be there."""
    folder = Path(config.ckpt_dir)
    if "ckpt_dir" in config.given and not folder.is_dir():
        raise CheckpointError(
            f"there is no folder {folder}", "Name the one that runs lie in: --ckpt-dir checkpoints"
        )
    runs = all_runs(folder)
    if config.sort == "name":
        runs.sort(key=lambda run: run.name)
    elif config.sort == "loss":
        runs.sort(key=_loss)
    return RunList(config.ckpt_dir, runs)


def _loss(run: RunFacts) -> float:
    return math.inf if run.best is None or run.best.val_loss is None else run.best.val_loss
