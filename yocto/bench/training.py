"""Training of models: our recipe, nanoGPT's, and transformers' GPT-2, in one run.

Every side is a process of its own (worker.py) and keeps its model; they take turns of a few seconds
(contest.py). On one thread all of them stay on one core, the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as package_version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from yocto.bench.learning import TURNS, LearningRow, measure_learning
from yocto.bench.machine import Machine, usable_cores
from yocto.bench.peers import MATMUL, NANOGPT, OURS, SAME_TIME, TRAINING_PEERS, TRANSFORMERS, chosen
from yocto.bench.recipes import GPT2_ADAMW, LONG, SHORT, model_config, settings_of
from yocto.bench.recipes import NANOGPT as NANOGPT_RECIPE
from yocto.bench.training_job import Task, TrainingJob
from yocto.bench.training_speed import SpeedRow, measure_speed
from yocto.config import BenchTrainConfig, TrainConfig
from yocto.errors import DataError
from yocto.tokenizer.char import CharTokenizer
from yocto.utils.progress import Progress

FIRST_SEED = 1337  # nanoGPT's
RECIPES: Mapping[str, Mapping[str, Any]] = {
    OURS: SHORT, SAME_TIME: LONG, NANOGPT: NANOGPT_RECIPE, TRANSFORMERS: NANOGPT_RECIPE,
}  # fmt: skip


@dataclass(frozen=True)
class TrainBench:
    """What was measured, and where.

    torch: its version. characters: of the text; vocab_size: how many different ones;
    val_characters: of the last tenth, which validates. target_loss: what was asked for; None is
    what nanogpt-recipe ends at. shape, rounds: of the part speed. learning, speed: rows, ours
    first; empty where only the other part was asked for.
    """

    machine: Machine
    torch: str
    threads: int
    characters: int
    vocab_size: int
    val_characters: int
    seeds: int
    scale: float
    target_loss: float | None
    shape: dict[str, int]
    rounds: int
    learning: list[LearningRow]
    speed: list[SpeedRow]


def bench_training(config: BenchTrainConfig, text: str, progress: Progress) -> TrainBench:
    """Measure training on the characters of a text, the first 90% of which train, as in nanoGPT.

    Raises ConfigError for a peer that is unknown or a shape that can't be, DataError for a text
    that is too short. A peer that is not installed or fails is a row with the reason.
    """
    peers = chosen(config.peers, TRAINING_PEERS)
    tokenizer = CharTokenizer.train([text])
    ids = tokenizer.encode_to_numpy(text)
    train, val = np.split(ids, [int(0.9 * len(ids))])
    with TemporaryDirectory(prefix="yocto-bench-") as folder:
        np.save(Path(folder) / "train.npy", train)
        np.save(Path(folder) / "val.npy", val)
        jobs = Jobs(config, folder, tokenizer.vocab_size)
        jobs.check(len(val))
        learning = [] if config.only == "speed" else _learning(jobs, peers, progress)
        speed = [] if config.only == "learning" else _speed(jobs, peers, progress)
    return TrainBench(
        machine=Machine.this(),
        torch=package_version("torch"),
        threads=config.threads,
        characters=len(ids),
        vocab_size=tokenizer.vocab_size,
        val_characters=len(val),
        seeds=config.seeds,
        scale=config.scale,
        target_loss=config.target_loss,
        shape=jobs.shape,
        rounds=config.rounds,
        learning=learning,
        speed=speed,
    )


def _learning(jobs: Jobs, peers: Sequence[str], progress: Progress) -> list[LearningRow]:
    sides, seeds = [OURS, SAME_TIME, *peers], jobs.config.seeds
    with progress.task("learning", len(sides) * TURNS * seeds, "turn") as task:
        return measure_learning(
            sides, jobs.learn, range(FIRST_SEED, FIRST_SEED + seeds), jobs.config.target_loss, task
        )


def _speed(jobs: Jobs, peers: Sequence[str], progress: Progress) -> list[SpeedRow]:
    engines = [OURS, *(name for name in peers if name != NANOGPT), MATMUL]
    with progress.task("speed", len(engines) * jobs.config.rounds, "round") as task:
        return measure_speed(engines, jobs.speed, jobs.config.rounds, task)


@dataclass(frozen=True)
class Jobs:
    """What each side is asked to do. folder: where the ids lie."""

    config: BenchTrainConfig
    folder: str
    vocab_size: int

    def learn(self, seed: int, side: str) -> TrainingJob:
        """A whole run."""
        settings = settings_of(RECIPES[side], seed, self.config.scale)
        return self._job("learn", side, settings, TURNS)

    def speed(self, engine: str) -> TrainingJob:
        """Steps on and on: of GPT-2, with biases, as transformers has it; or a matrix product."""
        if engine == MATMUL:
            return self._job("matmul", engine, TrainConfig())
        endless = {**GPT2_ADAMW, **self.shape, "max_iters": 10**9}
        return self._job("speed", engine, settings_of(endless, FIRST_SEED))

    @property
    def shape(self) -> dict[str, int]:
        """Of the model whose speed is measured, and of its batches."""
        names = ("n_layer", "n_head", "n_embd", "block_size", "batch_size")
        return {name: getattr(self.config, name) for name in names}

    def check(self, val_tokens: int) -> None:
        """Raise a ConfigError or a DataError for what would fail in every worker."""
        asked = [self.learn(FIRST_SEED, OURS)] if self.config.only != "speed" else []
        asked += [self.speed(OURS)] if self.config.only != "learning" else []
        for job in asked:
            model_config(job.config, self.vocab_size)
            if val_tokens <= job.config.block_size:
                raise DataError(
                    f"the last tenth of the text has {val_tokens} characters, and validating takes "
                    f"more than block_size {job.config.block_size}",
                    "Name a longer text, or several: --text-path FILE",
                )

    def _job(self, task: Task, side: str, settings: TrainConfig, turns: int = 1) -> TrainingJob:
        threads = self.config.threads
        return TrainingJob(
            task=task,
            engine=side if side in (TRANSFORMERS, MATMUL) else OURS,
            threads=threads,
            core=usable_cores()[-1] if threads == 1 else None,
            folder=self.folder,
            vocab_size=self.vocab_size,
            settings=settings.to_dict(),
            turns=turns,
        )
