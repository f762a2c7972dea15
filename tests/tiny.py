"""Tiny texts, models and runs that the tests share."""

from __future__ import annotations

import random
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from yocto.checkpoint import Run
from yocto.config import GPTConfig, TrainConfig
from yocto.dataset.tokens import Tokens
from yocto.model import linear
from yocto.model.gpt import GPT
from yocto.tokenizer.char import CharTokenizer
from yocto.training.corpus import Corpus, TextLessons
from yocto.training.outcome import Hooks
from yocto.training.trainer import Trainer
from yocto.training.world import ALONE, World
from yocto.utils.progress import SilentProgress, SilentTask

WORDS = [
    "the", "a", "river", "mountain", "child", "teacher", "asks", "answers", "who", "what", "knows",
    "little", "much", "light", "stone", "road", "reason", "virtue", "patience", "and", "but", "so",
    "never", "always", "seeks", "finds", "loses", "keeps", "gives",
]  # fmt: skip

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def make_text(lines: int, seed: int = 0) -> str:
    """Lines of simple sentences, with conversations and an emoji in between."""
    rng = random.Random(seed)
    parts = []
    for i in range(lines):
        sentence = " ".join(rng.choices(WORDS, k=rng.randint(5, 10))).capitalize() + "."
        if i % 5 == 3:
            parts.append(f"User: {sentence[:-1]}?\nAssistant: {sentence} Né 🙂\n")
        else:
            parts.append(sentence + "\n")
    return "".join(parts)


def tiny_config(**knobs: Any) -> GPTConfig:
    """A GPT of one or two thousand weights."""
    shape = {"n_layer": 2, "n_head": 2, "n_embd": 16, "block_size": 8, "vocab_size": 26}
    return GPTConfig(**{**shape, **knobs})


def tiny_gpt(seed: int = 0, **knobs: Any) -> GPT:
    """A GPT in eval mode whose weights are all random: no part of it is without effect, as some
    are right after initialisation."""
    generator = torch.Generator().manual_seed(seed)
    model = GPT(tiny_config(**knobs), generator).eval()
    randomize(model, generator)
    return model


@torch.no_grad()
def randomize(model: torch.nn.Module, generator: torch.Generator) -> None:
    """Draw all weights anew, norms near one."""
    for name, p in model.named_parameters():
        p.normal_(0.0, 0.3, generator=generator)
        if p.dim() == 1 and not name.endswith("bias"):
            p.add_(1.0)


def tiny_corpus(train: int = 400, val: int = 100, seed: int = 0) -> Corpus:
    """Letters in a random walk along the alphabet: something that can be learnt."""
    rng = np.random.default_rng(seed)

    def walk(n: int) -> Tokens:
        return (np.cumsum(rng.integers(1, 3, n)) % 26).astype(np.uint16)

    return Corpus(walk(train), walk(val), val_bytes=val, documents=1)


def train_config(**knobs: Any) -> TrainConfig:
    """The settings of a run that takes milliseconds."""
    values: dict[str, Any] = {
        "n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 8, "batch_size": 4,
        "max_iters": 12, "eval_interval": 4, "eval_iters": 3, "warmup_iters": 2, "device": "cpu",
    }  # fmt: skip
    return TrainConfig(**{**values, **knobs})


def make_trainer(
    path: Path,
    config: TrainConfig,
    corpus: Corpus | None = None,
    progress: Any = None,
    hooks: Hooks | None = None,
    world: World = ALONE,
    model: GPT | None = None,
) -> Trainer:
    """A trainer over the letters, in the run's folder. model: one that has learnt already."""
    path.mkdir(parents=True, exist_ok=True)
    if model is None:
        names = ("n_layer", "n_head", "n_embd", "n_inner", "block_size", "n_kv_head", "dropout")
        shape = {name: getattr(config, name) for name in (*names, "family")}
        generator = torch.Generator().manual_seed(config.seed)
        model = GPT(GPTConfig(vocab_size=26, **shape), generator)
    return Trainer(
        model, config, TextLessons(config, corpus or tiny_corpus(), 26), CharTokenizer(LETTERS),
        Run(path),
        progress or Recorder(), hooks, world,
    )  # fmt: skip


class Recorder:
    """A progress that remembers what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.notices: list[str] = []
        self.watches: list[Witness] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def notice(self, text: str) -> None:
        self.notices.append(text)

    @contextmanager
    def task(self, description: str, total: int, unit: str, done: int = 0):
        yield SilentTask()

    @contextmanager
    def training(self, name: str, total: int | None, done: int, past: Any):
        watch = Witness()
        self.watches.append(watch)
        yield watch


class Witness(SilentTask):
    """A view of a run that remembers what it was shown."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.samples: list[str] = []
        self.totals: list[int] = []

    def expect(self, total: int) -> None:
        self.totals.append(total)

    def record(self, line: Any) -> None:
        self.lines.append(dict(line))

    def sample(self, text: str) -> None:
        self.samples.append(text)


__all__ = [
    "LETTERS",
    "Recorder",
    "Witness",
    "make_text",
    "make_trainer",
    "randomize",
    "tiny_config",
    "tiny_corpus",
    "tiny_gpt",
    "train_config",
    "with_kernels",
]


def with_kernels(model: GPT, int8: bool = False) -> GPT:
    """The model, ready for generation with the kernels, however small it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear, "LEAST_WEIGHTS", 0)
        linear.for_generation(model, int8, SilentProgress())
    return model
