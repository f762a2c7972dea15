"""What a run will take, told before it starts."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from yocto.config import GPTConfig, TrainConfig
from yocto.errors import RunError
from yocto.model.gpt import GPT
from yocto.model.size import count_parameters
from yocto.utils.device import available_memory
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


def iterations_for(seconds: float, seconds_per_step: float, config: TrainConfig) -> int:
    """How many steps fit into a time, evaluations counted in."""
    return max(1, int(seconds / (seconds_per_step * (1 + evaluation_share(config)))))


def evaluation_share(config: TrainConfig) -> float:
    """Time of evaluating as a share of training's: a forward pass is a third of a step."""
    passes = config.eval_iters / 3 / config.gradient_accumulation_steps
    return passes / config.eval_interval
