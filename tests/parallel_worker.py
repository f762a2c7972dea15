"""One of several processes that train the same runs together; see tests/training/test_parallel.py.

    python parallel_worker.py FOLDER    with RANK, WORLD_SIZE, … as torchrun sets them

FOLDER/jobs.json lists runs, each with the settings that differ from tiny.train_config's; a run with
"from" goes on with another one's latest checkpoint. Each leaves its folder, and losses.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from tiny import Recorder, make_trainer, train_config

from yocto.checkpoint import Checkpoint, Run
from yocto.training.processes import joined
from yocto.training.world import ALONE, World


def learn(folder: Path, name: str, knobs: dict[str, Any], world: World = ALONE) -> list[float]:
    """Train a run; the losses of its steps."""
    knobs = dict(knobs)
    begun = knobs.pop("begun", None)
    config = train_config(**knobs)
    checkpoint = None
    if begun is not None:
        latest = Run(folder / begun).pointer("latest")
        assert latest is not None
        checkpoint = Checkpoint.open(latest)
    model = checkpoint.load_model().train() if checkpoint else None
    trainer = make_trainer(folder / name, config, progress=Recorder(), world=world, model=model)
    if checkpoint is not None:
        trainer.load_state(checkpoint.load_trainer())
    losses: list[float] = []
    step = trainer.engine.step

    def noted(batches: Any, factor: float) -> Any:
        loss, norm = step(batches, factor)
        losses.append(float(loss))
        return loss, norm

    trainer.engine.step = noted  # type: ignore[method-assign]
    trainer.fit()
    return losses


def main() -> None:
    folder = Path(sys.argv[1])
    torch.set_num_threads(1)
    jobs = json.loads((folder / "jobs.json").read_text())
    with joined(train_config(), Recorder()) as world:
        world.tell(None)
        for name, knobs in jobs.items():
            losses = learn(folder, name, knobs, world)
            if world.leads:
                (folder / name / "losses.json").write_text(json.dumps(losses))


if __name__ == "__main__":
    main()
