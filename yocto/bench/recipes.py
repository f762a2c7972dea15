"""The recipes that are compared: nanoGPT's published one, and ours for the same model size.

nanoGPT's is that of its README for a CPU ("I only have a macbook") on top of its
config/train_shakespeare_char.py (github.com/karpathy/nanoGPT). Three things of it are ours here:
GELU is the tanh form, which GPT-2 and transformers have too, where nanoGPT calls nn.GELU(); the
embeddings don't decay; and the run ends after max_iters updates, where nanoGPT makes one more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yocto.config import GPTConfig, ModelConfig, TrainConfig, knobs

SHAPE: dict[str, Any] = {"n_layer": 4, "n_head": 4, "n_embd": 128, "block_size": 64}

# GPT-2 with plain AdamW: whatever else TrainConfig's defaults bring is turned off by name.
GPT2_ADAMW: dict[str, Any] = {
    "family": "gpt2", "norm_eps": 1e-5, "dropout": 0.0, "optimizer": "adamw", "schedule": "cosine",
    "learning_rate": 1e-3, "min_lr": 1e-4, "warmup_iters": 100, "weight_decay": 0.1,
    "beta1": 0.9, "beta2": 0.99, "grad_clip": 1.0,
}  # fmt: skip

NANOGPT: dict[str, Any] = {
    **SHAPE, **GPT2_ADAMW, "bias": False, "batch_size": 12, "max_iters": 2000,
}  # fmt: skip

# Ours is what `yocto train` does of itself; only the length of the run is chosen here. SHORT is to
# reach nanoGPT's loss in a fifth of its time, LONG takes as long as nanoGPT's recipe does.
SHORT: dict[str, Any] = {**SHAPE, "batch_size": 16, "max_iters": 200, "warmup_iters": 10}
LONG: dict[str, Any] = {**SHORT, "max_iters": 1080}


def settings_of(recipe: Mapping[str, Any], seed: int, scale: float = 1.0) -> TrainConfig:
    """A recipe as the settings of a run on the CPU, in float32.

    scale: its iterations, and those of its warm-up, times this; at least one.
    """
    values = dict(recipe)
    for name in ("max_iters", "warmup_iters"):
        values[name] = max(1, round(values[name] * scale))
    return TrainConfig(
        **values, mode="char", device="cpu", dtype="float32", order="random", seed=seed
    )


def described(config: TrainConfig) -> str:
    """A run's settings as they would be written in Python, without those that are defaults."""
    given = [f.name for f in knobs(TrainConfig) if getattr(config, f.name) != f.default]
    return f"TrainConfig({', '.join(f'{name}={getattr(config, name)!r}' for name in given)})"


def model_config(config: TrainConfig, vocab_size: int) -> GPTConfig:
    """The shape of the model. Raises ConfigError for one that can't be."""
    shape = {f.name: getattr(config, f.name) for f in knobs(ModelConfig)}
    return GPTConfig(vocab_size=vocab_size, **shape)
