"""What a run will take, told before it starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from yocto.config import GPTConfig, TrainConfig
from yocto.errors import RunError
from yocto.model.gpt import GPT
from yocto.model.size import count_parameters
from yocto.utils.device import available_memory
from yocto.utils.progress import Progress
from yocto.utils.text import duration


@dataclass(frozen=True)
class Plan:
    """Sizes and costs of a run."""

    device: str
    parameters: int
    train_tokens: int
    val_tokens: int
    epoch_tokens: int  # that it takes to read the training text once
    iterations: int
    tokens_per_iteration: int
    memory: int  # bytes
    seconds: float

    def lines(self) -> list[str]:
        """The plan in words."""
        return [*self.sizes(), *self.costs()]

    def sizes(self) -> list[str]:
        """What is known before anything is computed."""
        return [
            f"device      {self.device}",
            f"parameters  {self.parameters:,}",
            f"tokens      {self.train_tokens:,} to train on, {self.val_tokens:,} to validate",
            f"memory      about {self.memory / 1e6:,.0f} MB",
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


def check_memory(config: GPTConfig, device: torch.device) -> None:
    """Raise a RunError for a model that can't be trained here, before memory is taken for it:
    weights, gradients and AdamW's two means take 16 bytes a parameter, whatever the batch."""
    parameters = count_parameters(config)
    free = available_memory(device)
    if free is not None and 16 * parameters > free:
        raise RunError(
            f"a model of {parameters:,} parameters takes {16 * parameters / 1e9:,.1f} GB to train, "
            f"and only {free / 1e9:,.1f} GB of memory are free",
            "Lower --n-embd or --n-layer, or use a smaller --vocab-size for the tokenizer.",
        )


# What torch itself takes once it computes: code that it loads late, and its libraries' buffers.
WORKSPACE = 110_000_000


def training_memory(model: GPT, config: TrainConfig) -> int:
    """Bytes that training takes on top of the imported program, estimated.

    Weights, gradients and AdamW's two means take 16 bytes a parameter. For the backward pass each
    block keeps about 18 C + 6 n_inner numbers a token, and the head three times its logits; counted
    on the model's own lines and checked against measured peaks.
    """
    c = model.config
    assert c.n_inner is not None
    kept_per_token: float = c.n_layer * (18 * c.n_embd + 6 * c.n_inner) + 3 * c.vocab_size
    if config.respect_documents:  # one mask for all layers: 4 bytes, and 2 while it is made
        kept_per_token += 1.5 * c.block_size
    activations = 4 * config.batch_size * c.block_size * kept_per_token
    return WORKSPACE + 16 * model.num_parameters() + int(activations)


def check_room(memory: int, device: torch.device, progress: Progress) -> None:
    """Raise a RunError for a run that takes far more memory than is free; where it may be too much,
    say so. memory: bytes."""
    free = available_memory(device)
    if free is not None and memory > 1.5 * free:
        raise RunError(
            f"training takes about {memory / 1e9:,.1f} GB of memory, and only "
            f"{free / 1e9:,.1f} GB are free",
            "Lower --batch-size or --block-size; --gradient-accumulation-steps makes up for it.",
        )
    if free is not None and memory > free:
        progress.notice(
            f"only {free / 1e6:,.0f} MB of memory are free; lower --batch-size or --block-size if "
            f"training fails"
        )


@contextmanager
def memory_told(config: Callable[[], TrainConfig]) -> Iterator[None]:
    """Turn running out of memory into a RunError that says what to lower.

    config: the settings as they are by then, with those of the preset or of the run that goes on.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # torch has a class for GPUs; on a CPU it raises a bare RuntimeError.
        plain = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not plain and "allocate memory" not in str(error):
            raise
        raise RunError("out of memory while training", _what_to_lower(config())) from error


def _what_to_lower(config: TrainConfig) -> str:
    half, passes = config.batch_size // 2, 2 * config.gradient_accumulation_steps
    ways = []
    if half:
        same = "the same step" if config.batch_size % 2 == 0 else "nearly the same step"
        ways.append(f"--batch-size {half} --gradient-accumulation-steps {passes} ({same})")
    if not config.activation_checkpointing:
        ways.append("--activation-checkpointing")
    ways.append("a lower --block-size, --n-embd or --n-layer")
    return f"Try {', or '.join(ways)}; what is saved goes on with --resume auto."
