"""yocto train: token files to a run of checkpoints."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import torch

from yocto.api import LanguageModel
from yocto.checkpoint import Checkpoint
from yocto.commands.corpus import open_corpus, prepare_data, prepared_data
from yocto.commands.fitting import (
    Job,
    Rehearsed,
    Resumed,
    Trained,
    finished,
    go_on,
    is_finished,
    learn,
    place,
)
from yocto.commands.helping import heard, help_learn
from yocto.config import GPTConfig, SamplingConfig, TrainConfig, scaled, without_effect
from yocto.model.gpt import GPT
from yocto.tokenizer.base import BaseTokenizer
from yocto.training.corpus import TextLessons
from yocto.training.loggers import check_loggers
from yocto.training.processes import joined
from yocto.training.runs import MODEL_KNOBS, find_resumed, latest, resumed_config
from yocto.training.trainer import Trainer
from yocto.training.world import World
from yocto.utils.device import pick_device
from yocto.utils.progress import Progress
from yocto.utils.settings import load_preset

__all__ = ["Rehearsed", "Trained", "effective", "run", "with_preset"]


def run(config: TrainConfig, progress: Progress) -> Trained | Rehearsed | None:
    """Train a new run, or go on with one; with --dry-run, tell what that would take. None in a
    process that helps another one."""
    with joined(config, progress) as world:
        if world.leads:
            return _lead(config, world, progress)
        if word := world.hear():
            config, path, resumed = heard(word, TrainConfig)
            help_learn(_job(config, path, resumed, *prepared_data(config)), world)
        return None


def _lead(config: TrainConfig, world: World, progress: Progress) -> Trained | Rehearsed:
    found = find_resumed(config, config.mode, progress)
    with ExitStack() as held:
        resumed = None
        if found is not None:
            resumed = go_on(found, held, progress)
            config = resumed_config(config, resumed.checkpoint)
            if is_finished(resumed, config):
                return finished(resumed, config)
        else:
            config = with_preset(config, progress)
        check_loggers(config.log)
        path = resumed.path if resumed else place(config, config.mode, held)
        checkpoint = resumed.checkpoint if resumed else None
        data = prepare_data(config, checkpoint, progress)
        return learn(_job(world.noted(config), path, resumed, *data), progress, world)


def _job(
    config: TrainConfig,
    path: Path,
    resumed: Resumed | None,
    tokenizer: BaseTokenizer,
    data_dir: Path,
) -> Job:
    checkpoint = resumed.checkpoint if resumed else None
    corpus = open_corpus(data_dir, tokenizer)
    shape = _model_shape(config, tokenizer, checkpoint)
    return Job(
        path, shape, config, TextLessons(config, corpus, shape.vocab_size), tokenizer,
        lambda: _make_model(shape, config, checkpoint), _sampler, resumed,
    )  # fmt: skip


def effective(config: TrainConfig, progress: Progress) -> tuple[TrainConfig, dict[str, str]]:
    """The settings that `run` would train with, and where those come from that the user left open:
    the preset, or the run that goes on."""
    run = find_resumed(config, config.mode, progress)
    if run is not None:
        config = resumed_config(config, latest(run))
        return config, dict.fromkeys(config.to_dict(), f"run {run.name}")
    config = with_preset(config, progress)
    if config.depth is not None:
        return config, dict.fromkeys(scaled(config.depth), f"depth {config.depth}")
    assert config.preset is not None
    filled = dict.fromkeys(load_preset(config.preset), f"preset {config.preset}")
    return config, {"preset": "fits the device", **filled}


def with_preset(config: TrainConfig, progress: Progress) -> TrainConfig:
    """The settings, with those of the depth or the preset where the user gave none."""
    for told in without_effect(config):
        progress.notice(told)
    if config.depth is not None:
        return config.with_base(scaled(config.depth))
    machine = "cpu" if pick_device(config.device).type == "cpu" else "gpu"
    name = config.preset or f"{machine}-{config.mode}"
    if config.preset and not load_preset(name).keys() - config.given:
        progress.notice(f"all that the preset {name} sets is set otherwise: it changes nothing")
    return dataclasses.replace(config.with_base(load_preset(name)), preset=name)


# ---------------------------------------------------------------------------------------- model


def _model_shape(
    config: TrainConfig, tokenizer: BaseTokenizer, checkpoint: Checkpoint | None
) -> GPTConfig:
    if checkpoint is not None:
        return checkpoint.model
    knobs = {name: getattr(config, name) for name in MODEL_KNOBS}
    return GPTConfig(vocab_size=tokenizer.vocab_size, **knobs)


def _make_model(shape: GPTConfig, config: TrainConfig, checkpoint: Checkpoint | None) -> GPT:
    if checkpoint is None:
        return GPT(shape, torch.Generator().manual_seed(config.seed))
    checkpoint.check_size()
    model = GPT(shape)
    checkpoint.load_weights(model)
    return model


def _sampler(trainer: Trainer) -> Callable[[GPT], str]:
    """What the model writes by now, always from the same draw."""
    tokenizer = trainer.tokenizer
    knobs = SamplingConfig(max_new_tokens=100 if tokenizer.kind == "char" else 25, seed=1)

    def sample(model: GPT) -> str:
        lm = LanguageModel(model, tokenizer, trainer.lessons.documents)
        return " ".join("".join(lm.stream_ids(lm.prompt_ids(""), knobs)).split())

    return sample
