"""yocto train: token files to a run of checkpoints."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch

from yocto.api import LanguageModel
from yocto.checkpoint import Checkpoint, Run
from yocto.commands.corpus import open_corpus, prepare_data
from yocto.config import GPTConfig, SamplingConfig, TrainConfig, scaled, without_effect
from yocto.model.gpt import GPT
from yocto.tokenizer.base import BaseTokenizer
from yocto.training.corpus import TextLessons
from yocto.training.loggers import check_loggers, make_loggers
from yocto.training.metrics import MetricsFile
from yocto.training.outcome import Fitted, Hooks
from yocto.training.pace import Pace
from yocto.training.plan import Plan, check_room, make_plan, memory_told, too_large
from yocto.training.runs import (
    MODEL_KNOBS,
    find_resumed,
    hold,
    hold_new,
    latest,
    new_run,
    newest_whole,
    resumed_config,
)
from yocto.training.trainer import Trainer
from yocto.utils.device import pick_device
from yocto.utils.files import write_text
from yocto.utils.progress import Progress
from yocto.utils.settings import load_preset, settings_line
from yocto.utils.text import duration


@dataclass(frozen=True)
class Trained:
    """How a run ended."""

    run: str
    step: int
    max_iters: int
    seconds: float
    val_loss: float | None
    val_bits_per_byte: float | None
    best_step: int | None
    resume: str  # the command that goes on
    finished_before: bool = False
    early: bool = False
    one_batch: bool = False  # --overfit-batch: the loss is that of the batch

    @property
    def flag(self) -> str:
        """What sample and chat need to find the run's folder."""
        return ckpt_dir_flag(str(Path(self.run).parent))

    @property
    def exit_code(self) -> int:
        """130 for a run that was interrupted."""
        return 0 if self.finished_before or self.val_loss is not None else 130

    def summary(self) -> list[str]:
        """The result in words."""
        if self.finished_before:
            return [
                f"{self.run} is finished: it stands at step {self.step} of {self.max_iters}",
                f"to train on: {self.resume}",
            ]
        if self.exit_code:
            return [
                f"stopped at step {self.step} of {self.max_iters}; all is saved in {self.run}",
                f"to go on: {self.resume}",
            ]
        early = f", stopped early at step {self.step} of {self.max_iters}" if self.early else ""
        loss = f"validation loss {self.val_loss:.3f}, {self.val_bits_per_byte:.3f} bits per byte"
        what = f"{loss} (whole split)"
        if self.one_batch:
            what = f"loss {self.val_loss:.3f} on the one batch that it learnt"
        return [
            f"done in {duration(self.seconds)}{early}: {what}",
            f"saved in {self.run} (best step: {self.best_step})",
            f"next: yocto sample{self.flag}, or yocto chat{self.flag}",
        ]


@dataclass(frozen=True)
class Rehearsed(Plan):
    """What a run would take. too_large, hint: why it does not fit, and what to lower."""

    too_large: str | None = None
    hint: str | None = None

    @property
    def exit_code(self) -> int:
        """1 for a run that does not fit into memory."""
        return 0 if self.too_large is None else 1

    def summary(self) -> list[str]:
        """The plan in words."""
        if self.too_large is None or self.hint is None:
            return self.lines()
        return [*self.sizes(), f"it does not fit: {self.too_large}", self.hint]


def run(config: TrainConfig, progress: Progress) -> Trained | Rehearsed:
    """Train a new run, or go on with one; with --dry-run, tell what that would take."""
    found = find_resumed(config, progress)
    with ExitStack() as held:
        checkpoint, state = None, None
        if found is not None:
            path = found.path
            held.enter_context(hold(path))  # and only then look: it may have been trained on
            found.recover()
            checkpoint, state = newest_whole(found, progress)
            config = resumed_config(config, checkpoint)
            done = checkpoint.step >= config.max_iters and config.minutes is None
            if done and MetricsFile(path / "metrics.jsonl").evaluated(checkpoint.step):
                return _finished(path, checkpoint, config)
        else:
            config = with_preset(config, progress)
            path = new_run(config) if config.dry_run else hold_new(config, held)
        check_loggers(config.log)
        tokenizer, data_dir = prepare_data(config, checkpoint, progress)
        corpus = open_corpus(data_dir, tokenizer)
        shape = _model_shape(config, tokenizer, checkpoint)
        with memory_told(shape, config, path):
            lessons = TextLessons(config, corpus, shape.vocab_size)
            plan = make_plan(shape, config, lessons)
            if config.dry_run and not plan.fits:
                reason, hint = too_large(plan, shape, config)
                return Rehearsed(**vars(plan), too_large=reason, hint=hint)
            check_room(plan, shape, config, progress)
            model = _make_model(shape, config, checkpoint)
            trainer = Trainer(model, config, lessons, tokenizer, Run(path), progress)
            if checkpoint is not None and state is not None:
                trainer.load_state(state)
                progress.say(f"going on with {path} at step {checkpoint.step}")
            if config.dry_run:
                return _rehearse(trainer, plan)
            _announce(trainer, plan, progress)
            return _train(trainer, plan, progress)


def effective(config: TrainConfig, progress: Progress) -> tuple[TrainConfig, dict[str, str]]:
    """The settings that `run` would train with, and where those come from that the user left open:
    the preset, or the run that goes on."""
    run = find_resumed(config, progress)
    if run is not None:
        config = resumed_config(config, latest(run))
        return config, dict.fromkeys(config.to_dict(), f"run {run.name}")
    config = with_preset(config, progress)
    if config.depth is not None:
        return config, dict.fromkeys(scaled(config.depth), f"depth {config.depth}")
    assert config.preset is not None
    filled = dict.fromkeys(load_preset(config.preset), f"preset {config.preset}")
    return config, {"preset": "fits the device", **filled}


def _train(trainer: Trainer, plan: Plan, progress: Progress) -> Trained:
    """Train, and let the run's folder tell of it."""
    path, config = trainer.run.path, trainer.config
    settings = path / "config.yaml"

    def planned(config: TrainConfig, pace: Pace) -> None:
        write_text(settings, _settings_file(path, config))
        seconds = pace.seconds(config.max_iters - trainer.step)
        whole = dataclasses.replace(plan, iterations=config.max_iters, seconds=seconds)
        for line in whole.costs():
            progress.say(line)

    with ExitStack() as left:
        if not trainer.resumed:
            trainer.run.set_aside()
            left.callback(_put_back, trainer)
        write_text(settings, _settings_file(path, config))
        resumed_step = trainer.step if trainer.resumed else None
        loggers = make_loggers(config.log, path, config.to_dict(), resumed_step, progress)
        for logger in loggers:
            left.callback(logger.close)
        trainer.hooks = Hooks(planned, _sampler(trainer), loggers)
        return _trained(path, trainer, trainer.fit())


def _put_back(trainer: Trainer) -> None:
    """A run that ends before its first checkpoint leaves what was there before it."""
    if trainer.health.saved_step is None:
        trainer.run.put_back()


def _rehearse(trainer: Trainer, plan: Plan) -> Rehearsed:
    left = trainer.config.max_iters - trainer.step  # before it takes steps
    pace = trainer.rehearse()
    if trainer.config.minutes is not None:
        left = pace.steps(60 * trainer.config.minutes)
    plan = dataclasses.replace(plan, iterations=left, seconds=pace.seconds(left))
    return Rehearsed(**vars(plan))


def _settings_file(path: Path, config: TrainConfig) -> str:
    """The run's settings as a file for --config: all but those that say which run it is."""
    skipped = ("run_name", "resume", "overwrite", "minutes", "dry_run")
    lines = [settings_line(k, v) for k, v in config.to_dict().items() if k not in skipped]
    head = f"# {path.name}; to train another like it: yocto train --config {path}/config.yaml"
    return "\n".join([head, *lines]) + "\n"


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


# ----------------------------------------------------------------------------------- finished


def _finished(path: Path, checkpoint: Checkpoint, config: TrainConfig) -> Trained:
    more = 2 * checkpoint.step
    return Trained(
        str(path), checkpoint.step, config.max_iters, 0.0, None, None, None,
        _resume_command(path, config) + f" --max-iters {more}", finished_before=True,
    )  # fmt: skip


def _resume_command(path: Path, config: TrainConfig) -> str:
    name, folder = shlex.quote(path.name), ckpt_dir_flag(config.ckpt_dir)
    return f"yocto train --mode {config.mode} --run-name {name}{folder} --resume auto"


def ckpt_dir_flag(folder: str) -> str:
    """What a command needs to find runs that don't lie in the default folder."""
    return "" if Path(folder) == Path("checkpoints") else f" --ckpt-dir {shlex.quote(folder)}"


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


def _announce(trainer: Trainer, plan: Plan, progress: Progress) -> None:
    """Print what is known before the first step."""
    c = trainer.config
    progress.say(f"run         {trainer.run.path}")
    progress.say(
        f"model       {c.family}, n_layer {c.n_layer}, n_head {c.n_head}, n_embd {c.n_embd}, "
        f"block_size {c.block_size}"
    )
    for line in plan.sizes():
        progress.say(line)


def _sampler(trainer: Trainer) -> Callable[[], str]:
    """What the model writes by now, always from the same draw."""
    tokenizer = trainer.tokenizer
    lm = LanguageModel(trainer.model, tokenizer, trainer.lessons.documents)
    knobs = SamplingConfig(max_new_tokens=100 if tokenizer.kind == "char" else 25, seed=1)

    def sample() -> str:
        return " ".join("".join(lm.stream_ids(lm.prompt_ids(""), knobs)).split())

    return sample


def _trained(path: Path, trainer: Trainer, fitted: Fitted) -> Trained:
    last = fitted.last
    return Trained(
        run=str(path),
        step=fitted.step,
        max_iters=trainer.config.max_iters,
        seconds=fitted.seconds,
        val_loss=None if last is None else last.val_loss,
        val_bits_per_byte=None if last is None else last.val_bits_per_byte,
        best_step=fitted.best_step,
        early=fitted.early,
        one_batch=trainer.config.overfit_batch,
        resume=_resume_command(path, trainer.config),
    )
