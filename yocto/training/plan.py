"""What a run will take, told before it starts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from yocto.config import GPTConfig, LoopConfig
from yocto.errors import RunError
from yocto.model.size import count_parameters
from yocto.training.advice import ways_to_less, what_to_lower
from yocto.training.lessons import Lessons
from yocto.training.memory import training_memory
from yocto.training.places import device_of
from yocto.training.world import ALONE, World
from yocto.utils.device import available_memory, describe_device, memory_in_use, pick_device
from yocto.utils.progress import Progress
from yocto.utils.text import duration, size_text

# How far the memory that is told may lie from what is taken: what is beyond is refused.
TOLERANCE = 1.2


@dataclass(frozen=True)
class Plan:
    """Sizes and costs of a run."""

    device: str
    parameters: int
    embedding_parameters: int  # of embeddings and head; the others are the blocks'
    train_tokens: int
    val_tokens: int
    epoch_tokens: int  # that it takes to read the training text once
    tokens_per_iteration: int
    memory: int  # bytes
    free_memory: int | None  # bytes, where the system tells
    processes: int = 1
    iterations: int = 0  # 0 before it is known
    seconds: float = 0.0

    @property
    def fits(self) -> bool:
        """Whether there may be memory for it."""
        return self.free_memory is None or self.memory <= TOLERANCE * self.free_memory

    def lines(self) -> list[str]:
        """The plan in words."""
        return [*self.sizes(), *self.costs()]

    def sizes(self) -> list[str]:
        """What is known before anything is computed."""
        blocks = self.parameters - self.embedding_parameters
        free = "" if self.free_memory is None else f"; {size_text(self.free_memory)} are free"
        each = " for each process" if self.processes > 1 else ""
        count = f"{self.processes} processes, each on " if self.processes > 1 else ""
        return [
            f"device      {count}{self.device}",
            f"parameters  {self.parameters:,} ({self.embedding_parameters:,} in embeddings and "
            f"head, {blocks:,} in blocks)",
            f"tokens      {self.train_tokens:,} to train on, {self.val_tokens:,} to validate",
            f"memory      about {size_text(self.memory)}{each}{free}",
        ]

    def costs(self) -> list[str]:
        """What follows from the measured speed."""
        seen = self.iterations * self.tokens_per_iteration
        epochs = seen / max(1, self.epoch_tokens)
        return [
            f"iterations  {self.iterations:,} of {self.tokens_per_iteration:,} tokens "
            f"({epochs:.1f} times the training text)",
            f"time        about {duration(self.seconds)}",
        ]


def make_plan(model: GPTConfig, config: LoopConfig, lessons: Lessons, world: World = ALONE) -> Plan:
    """The plan of a run, but for what its speed decides; no memory is taken for it. Raises
    DataError for a text shorter than a window."""
    device = pick_device(device_of(config.device, world))
    free = available_memory(device)
    if free is not None and device.type == "cpu":  # whose memory the processes share
        free //= world.local_size
    tables = model.vocab_size * (1 if model.tie_weights else 2)
    tables += model.block_size if model.position == "learned" else 0
    return Plan(
        device=describe_device(device),
        parameters=count_parameters(model),
        embedding_parameters=tables * model.n_embd,
        train_tokens=lessons.train_tokens,
        val_tokens=lessons.val_tokens,
        epoch_tokens=lessons.batches().epoch_tokens,
        tokens_per_iteration=(
            config.gradient_accumulation_steps * config.batch_size * model.block_size
        ),
        memory=training_memory(model, config),
        free_memory=free,
        processes=world.size,
    )


def check_room(plan: Plan, model: GPTConfig, config: LoopConfig, progress: Progress) -> None:
    """Raise a RunError for a run that takes more memory than is free, before memory is taken for
    it; where it may be too much, say so."""
    if plan.free_memory is None or plan.memory <= plan.free_memory:
        return
    if not plan.fits:
        raise RunError(*too_large(plan, model, config))
    reason, hint = too_large(plan, model, config)
    progress.notice(f"it may fail: {reason}. {hint}")


def too_large(plan: Plan, model: GPTConfig, config: LoopConfig) -> tuple[str, str]:
    """Why a run does not fit, and what to lower."""
    assert plan.free_memory is not None
    reason = (
        f"a model of {plan.parameters:,} parameters takes about {size_text(plan.memory)} to "
        f"train, and only {size_text(plan.free_memory)} are free"
    )
    return reason, ways_to_less(model, config, plan.free_memory)


@contextmanager
def memory_told(model: GPTConfig, config: LoopConfig, run: Path) -> Iterator[None]:
    """Turn running out of memory into a RunError that says what to lower. run: its folder."""
    device = pick_device(config.device)
    before = memory_in_use(device) or 0
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # torch has a class for GPUs; on a CPU it raises a bare RuntimeError.
        plain = isinstance(error, MemoryError | torch.OutOfMemoryError)
        told = ("allocate memory", "not enough memory", "out of memory")
        if not plain and not any(words in str(error) for words in told):
            raise
        # The traceback still holds what there was when the next piece was refused.
        got, takes = (memory_in_use(device) or 0) - before, training_memory(model, config)
        limit = f", and got {size_text(got)}" if 0 < got < takes else ""
        saved = any(run.glob("step-*/config.json"))
        raise RunError(
            f"out of memory: training takes about {size_text(takes)}{limit}",
            what_to_lower(model, config, got, saved),
        ) from error
