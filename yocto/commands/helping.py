"""What a process does that helps another one to train: what it is told, and nothing else."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, TypeVar

from yocto.checkpoint import Checkpoint
from yocto.commands.fitting import Job, Resumed, make_trainer
from yocto.config import LoopConfig
from yocto.training.outcome import Hooks
from yocto.training.plan import memory_told
from yocto.training.world import World
from yocto.utils.progress import SilentProgress

AnyConfig = TypeVar("AnyConfig", bound=LoopConfig)


def heard(word: dict[str, Any], kind: type[AnyConfig]) -> tuple[AnyConfig, Path, Resumed | None]:
    """What the first process has told: settings, the run's folder, where it goes on."""
    config = dataclasses.replace(kind.from_dict(word["config"]), given=frozenset(word["given"]))
    path = Path(word["path"])
    if word["step"] is None:
        return config, path, None
    checkpoint = Checkpoint.open(Path(word["step"]))
    return config, path, Resumed(path, checkpoint, checkpoint.load_trainer())


def help_learn(job: Job, world: World) -> None:
    """Do this process's share of what the first one leads; write and print nothing."""
    with memory_told(job.shape, job.config, job.path):
        trainer = make_trainer(job, SilentProgress(), world)
        if job.config.dry_run:
            trainer.rehearse()
            return
        trainer.hooks = Hooks(sample=job.sampler(trainer))
        trainer.fit()
