"""What a run comes to, and who is told of it meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from yocto.config import LoopConfig
from yocto.model.gpt import GPT
from yocto.training.loggers import Logger
from yocto.training.pace import Pace


@dataclass(frozen=True)
class Evaluation:
    """A look at the validation split."""

    step: int
    train_loss: float  # mean since the evaluation before, nats per token
    val_loss: float  # nats per token
    val_bits_per_byte: float


@dataclass(frozen=True)
class Fitted:
    """How a run ended. last is None when it was interrupted. early: --patience ended it."""

    step: int
    last: Evaluation | None
    best_step: int | None
    best_val_loss: float
    seconds: float
    early: bool = False


@dataclass
class Hooks:
    """What a run tells to whoever wants to know.

    planned: called once max_iters is fixed and the first steps are timed, with the settings and the
    pace. sample: what the model writes by now, which it gets as a checkpoint has it, in eval mode.
    loggers: get all lines of metrics.
    """

    planned: Callable[[LoopConfig, Pace], None] = lambda config, pace: None
    sample: Callable[[GPT], str] | None = None
    loggers: Sequence[Logger] = ()
