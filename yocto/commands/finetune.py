"""yocto finetune: conversations, to a model that answers."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from yocto.api import LanguageModel
from yocto.chat.roles import ROLE_TOKENS
from yocto.checkpoint import Checkpoint, Run, find_checkpoint, find_runs
from yocto.commands.conversations import Chats, open_chats
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
from yocto.config import (
    CHAT,
    FinetuneConfig,
    GPTConfig,
    SamplingConfig,
    idle_factors,
    without_effect,
)
from yocto.errors import CheckpointError
from yocto.model.gpt import GPT
from yocto.model.resize import with_tokens
from yocto.tokenizer.base import BaseTokenizer
from yocto.training.chats import ChatLessons
from yocto.training.loggers import check_loggers
from yocto.training.lora import add_factors
from yocto.training.processes import joined
from yocto.training.runs import find_resumed, latest, resumed_finetuning
from yocto.training.trainer import Trainer
from yocto.training.world import World
from yocto.utils.progress import Progress, SilentProgress


@dataclass(frozen=True)
class Pupil:
    """A model that is to learn, as it is before.

    old_tokenizer: of a base model that does not know some of the tokens yet.
    """

    checkpoint: Checkpoint
    tokenizer: BaseTokenizer
    old_tokenizer: BaseTokenizer | None
    shape: GPTConfig


def run(config: FinetuneConfig, progress: Progress) -> Trained | Rehearsed | None:
    """Fine-tune a model in a run of its own, or go on with one; with --dry-run, tell what that
    would take. None in a process that helps another one."""
    with joined(config, progress) as world:
        if world.leads:
            return _lead(config, world, progress)
        if word := world.hear():
            config, path, resumed = heard(word, FinetuneConfig)
            pupil = _grown_up(resumed) if resumed else _base(config)
            chats = open_chats(config, pupil.tokenizer, pupil.shape.block_size, SilentProgress())
            help_learn(_job(config, path, resumed, pupil, chats), world)
        return None


def _lead(config: FinetuneConfig, world: World, progress: Progress) -> Trained | Rehearsed:
    asked = config.given
    found = find_resumed(config, CHAT, progress)
    with ExitStack() as held:
        resumed = None
        if found is not None:
            resumed = go_on(found, held, progress)
            config = resumed_finetuning(config, resumed.checkpoint)
            pupil = _grown_up(resumed)
        else:
            for told in [*without_effect(config), *idle_factors(config)]:
                progress.notice(told)
            pupil = _base(config)
            base = config.ckpt or str(pupil.checkpoint.path)
            config = dataclasses.replace(config, ckpt=base, given=asked)
        check_loggers(config.log)
        chats = open_chats(config, pupil.tokenizer, pupil.shape.block_size, progress)
        config = world.noted(
            _with_length(config, asked, _lessons(chats, config, pupil, 0), resumed)
        )
        if resumed and is_finished(resumed, config):
            return finished(resumed, config)
        path = resumed.path if resumed else place(config, _stem(pupil.checkpoint), held)
        return learn(_job(config, path, resumed, pupil, chats), progress, world)


def _job(
    config: FinetuneConfig, path: Path, resumed: Resumed | None, pupil: Pupil, chats: Chats
) -> Job:
    known = pupil.checkpoint.documents + (0 if resumed else chats.conversations)
    return Job(
        path, pupil.shape, config, _lessons(chats, config, pupil, known), pupil.tokenizer,
        lambda: _make_model(pupil, config), lambda trainer: _sampler(trainer, chats), resumed,
    )  # fmt: skip


def _grown_up(resumed: Resumed) -> Pupil:
    """A model that knows all tokens."""
    checkpoint = resumed.checkpoint
    return Pupil(checkpoint, checkpoint.load_tokenizer(), None, checkpoint.model)


def _base(config: FinetuneConfig) -> Pupil:
    """A model to begin with, and the shape that it will have."""
    checkpoint = _open_base(config)
    old_tokenizer = checkpoint.load_tokenizer()
    tokenizer = old_tokenizer.with_special_tokens(ROLE_TOKENS)
    shape = _grown(checkpoint.model, tokenizer, config)
    return Pupil(checkpoint, tokenizer, old_tokenizer, shape)


def _open_base(config: FinetuneConfig) -> Checkpoint:
    """The checkpoint to begin with: of itself not one that is fine-tuned already, unless there is
    no other."""
    folder, spec = Path(config.ckpt_dir), config.ckpt
    if spec is None:
        spec = next((run.name for run in find_runs(folder) if _mode(run) != CHAT), None)
    return Checkpoint.open(find_checkpoint(spec, folder))


def _mode(run: Run) -> Any:
    try:
        return latest(run).train.get("mode")
    except CheckpointError:
        return None


def _stem(base: Checkpoint) -> str:
    """What its runs are called: after the model's run, but not token-1-chat-1-chat."""
    return re.sub(r"-chat-[0-9]+$", "", base.path.resolve().parent.name) + "-chat"


def _lessons(chats: Chats, config: FinetuneConfig, pupil: Pupil, documents: int) -> ChatLessons:
    """documents: that the model will know. A conversation begins with the token that ends a
    document, so that a model knows what that means from now on."""
    start = pupil.tokenizer.end_id
    assert start is not None, "with_special_tokens sees to it"
    val_bytes = chats.val_bytes if len(chats.val) else chats.train_bytes
    return ChatLessons(
        config, chats.train, chats.val, val_bytes, max(2, documents), pupil.shape.block_size, start
    )


def _with_length(
    config: FinetuneConfig, asked: frozenset[str], lessons: ChatLessons, resumed: Resumed | None
) -> FinetuneConfig:
    """The settings with max_iters, where --epochs say it."""
    if "max_iters" in asked or (resumed is not None and "epochs" not in asked):
        return config
    windows = config.epochs * lessons.batches().epoch_windows
    steps = math.ceil(windows / (config.batch_size * config.gradient_accumulation_steps))
    return dataclasses.replace(config, max_iters=max(1, steps), given=config.given)


# ---------------------------------------------------------------------------------------- model


def _grown(model: GPTConfig, tokenizer: BaseTokenizer, config: FinetuneConfig) -> GPTConfig:
    """A base model's shape with room for the role tokens."""
    size = max(model.vocab_size, tokenizer.vocab_size)
    dropout = model.dropout if config.dropout is None else config.dropout
    return dataclasses.replace(model, vocab_size=size, dropout=dropout, given=model.given)


def _make_model(pupil: Pupil, config: FinetuneConfig) -> GPT:
    """The model of a checkpoint, ready to be trained."""
    checkpoint, tokenizer, shape = pupil.checkpoint, pupil.tokenizer, pupil.shape
    old_tokenizer = pupil.old_tokenizer
    checkpoint.check_size()
    dropout = dataclasses.replace(checkpoint.model, dropout=shape.dropout, given=shape.given)
    model = GPT(dropout)
    checkpoint.load_weights(model)
    known = tokenizer.special_tokens if old_tokenizer is None else old_tokenizer.special_tokens
    if fresh := [i for token, i in tokenizer.special_tokens.items() if token not in known]:
        generator = torch.Generator().manual_seed(config.seed)
        model = with_tokens(model, shape.vocab_size, fresh, generator)
    if config.lora_rank is not None:
        assert tokenizer.end_id is not None
        ids = [tokenizer.special_tokens[token] for token in ROLE_TOKENS] + [tokenizer.end_id]
        add_factors(model, config.lora_rank, config.alpha, ids, config.seed)
    return model


def _sampler(trainer: Trainer, chats: Chats) -> Callable[[GPT], str]:
    """What the model answers by now, always from the same draw."""
    tokenizer = trainer.tokenizer
    knobs = SamplingConfig(max_new_tokens=100 if tokenizer.kind == "char" else 40, seed=1)

    def sample(model: GPT) -> str:
        lm = LanguageModel(model, tokenizer, trainer.lessons.documents)
        answer = " ".join("".join(lm.stream_ids(chats.question, knobs)).split())
        return f"{' '.join(chats.asked.split())} > {answer}"

    return sample
