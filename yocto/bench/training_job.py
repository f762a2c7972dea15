"""What a worker that trains a model is asked to do, as one line of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from yocto.bench.peers import OURS, TRANSFORMERS
from yocto.bench.recipes import described, model_config
from yocto.config import GPTConfig, TrainConfig

if TYPE_CHECKING:
    from numpy.typing import NDArray

Task = Literal["learn", "speed", "matmul"]
SIZE = 2048  # of the matrices whose product is the measure of speed
CALLS = {
    OURS: "yocto.training.trainer.Trainer",
    TRANSFORMERS: "GPT2LMHeadModel and torch.optim.AdamW(fused=True)",
}


@dataclass(frozen=True)
class TrainingJob:
    """One run, or one measurement of speed, by one engine.

    task: "learn" trains a whole run, in `turns` turns of as many steps each, and evaluates between
    some of them; "speed" trains on and on; "matmul" multiplies matrices, with no engine. folder:
    holds train.npy and val.npy, 1-D arrays of ids below vocab_size. settings: a TrainConfig as
    plain data. core: to stay on, or None.
    """

    task: Task
    engine: str
    threads: int
    core: int | None
    folder: str
    vocab_size: int
    settings: dict[str, Any]
    turns: int = 1

    def line(self) -> str:
        """The job as a line."""
        return json.dumps(asdict(self))

    @property
    def call(self) -> str:
        """What is run, in words."""
        if self.task == "matmul":
            return f"torch.mm of two float32 matrices of {SIZE} x {SIZE}"
        return f"{CALLS[self.engine]}, {described(self.config)}"

    @cached_property
    def config(self) -> TrainConfig:
        """The settings."""
        return TrainConfig.from_dict(self.settings)

    @cached_property
    def model_config(self) -> GPTConfig:
        """The shape of the model. Raises ConfigError for one that can't be."""
        return model_config(self.config, self.vocab_size)

    def ids(self, split: str) -> NDArray[Any]:
        """The ids of "train" or "val"."""
        import numpy as np  # not before the process has its core

        loaded: NDArray[Any] = np.load(Path(self.folder) / f"{split}.npy")
        return loaded
