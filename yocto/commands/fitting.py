"""What train and finetune share: a run begins or goes on, learns, and its folder tells of it."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from yocto.checkpoint import Checkpoint, Run
from yocto.config import GPTConfig, LoopConfig
from yocto.model.gpt import GPT
from yocto.tokenizer.base import BaseTokenizer
from yocto.training.lessons import Lessons
from yocto.training.loggers import make_loggers
from yocto.training.metrics import MetricsFile
from yocto.training.outcome import Fitted, Hooks
from yocto.training.pace import Pace
from yocto.training.parallel import check_portions
from yocto.training.plan import Plan, check_room, make_plan, memory_told, too_large
from yocto.training.runs import hold, hold_new, new_run, newest_whole
from yocto.training.trainer import Trainer
from yocto.training.world import World
from yocto.utils.device import idle_gpus
from yocto.utils.files import write_text
from yocto.utils.progress import Progress
from yocto.utils.settings import settings_line
from yocto.utils.text import duration

AnyConfig = TypeVar("AnyConfig", bound=LoopConfig)
Sampler = Callable[[Trainer], Callable[[GPT], str]]


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
    measured_on: str | None = None  # where the loss is not that of a validation split

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
        if self.measured_on:
            what = f"loss {self.val_loss:.3f} on {self.measured_on}"
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


@dataclass(frozen=True)
class Resumed:
    """A run that goes on: its newest whole checkpoint, and the trainer's state there."""

    path: Path
    checkpoint: Checkpoint
    state: dict[str, Any]


@dataclass(frozen=True)
class Job:
    """What a run takes: its folder, its model's shape, its settings, what it learns from.

    make: the model at the start, or where the run goes on. sampler: what shows by now what the
    model has learnt. resumed: where the run goes on.
    """

    path: Path
    shape: GPTConfig
    config: LoopConfig
    lessons: Lessons
    tokenizer: BaseTokenizer
    make: Callable[[], GPT]
    sampler: Sampler
    resumed: Resumed | None


def go_on(run: Run, held: ExitStack, progress: Progress) -> Resumed:
    """Hold a run that is there, and only then look: it may have been trained on."""
    held.enter_context(hold(run.path))
    run.recover()
    return Resumed(run.path, *newest_whole(run, progress))


def place(config: LoopConfig, stem: str, held: ExitStack) -> Path:
    """The folder of a new run; a dry run leaves no trace."""
    return new_run(config, stem) if config.dry_run else hold_new(config, stem, held)


def learn(job: Job, progress: Progress, world: World) -> Trained | Rehearsed:
    """Train, or with --dry-run tell what that would take; other processes hear of it, and do their
    share."""
    shape, config, path = job.shape, job.config, job.path
    check_portions(config, world)
    with memory_told(shape, config, path):
        plan = make_plan(shape, config, job.lessons, world)
        if config.dry_run and not plan.fits:
            reason, hint = too_large(plan, shape, config)
            return Rehearsed(**vars(plan), too_large=reason, hint=hint)
        check_room(plan, shape, config, progress)
        world.tell(_word(job))
        trainer = make_trainer(job, progress, world)
        if job.resumed is not None:
            progress.say(f"going on with {path} at step {job.resumed.checkpoint.step}")
        if config.dry_run:
            return _rehearse(trainer, plan)
        _announce(trainer, plan, progress)
        return _train(trainer, plan, job.sampler, progress)


def make_trainer(job: Job, progress: Progress, world: World) -> Trainer:
    """The trainer of a job, where it begins or goes on."""
    trainer = Trainer(
        job.make(), job.config, job.lessons, job.tokenizer, Run(job.path), progress, world=world
    )
    if job.resumed is not None:
        trainer.load_state(job.resumed.state)
    world.check_same("the text that they train on", job.lessons.sha256 + job.tokenizer.sha256)
    return trainer


def _word(job: Job) -> dict[str, Any]:
    """What the other processes have to know: the settings, the run, and where it goes on."""
    step = None if job.resumed is None else str(job.resumed.checkpoint.path)
    return {
        "config": job.config.to_dict(), "given": sorted(job.config.given),
        "path": str(job.path), "step": step,
    }  # fmt: skip


def _train(trainer: Trainer, plan: Plan, sampler: Sampler, progress: Progress) -> Trained:
    """Train, and let the run's folder tell of it."""
    path, config = trainer.run.path, trainer.config
    settings = path / "config.yaml"

    def planned(config: LoopConfig, pace: Pace) -> None:
        write_text(settings, settings_file(path, config))
        seconds = pace.seconds(config.max_iters - trainer.step)
        whole = dataclasses.replace(plan, iterations=config.max_iters, seconds=seconds)
        for line in whole.costs():
            progress.say(line)

    with ExitStack() as left:
        if not trainer.resumed:
            trainer.run.set_aside()
            left.callback(_put_back, trainer)
        write_text(settings, settings_file(path, config))
        resumed_step = trainer.step if trainer.resumed else None
        loggers = make_loggers(config.log, path, config.to_dict(), resumed_step, progress)
        for logger in loggers:
            left.callback(logger.close)
        trainer.hooks = Hooks(planned, sampler(trainer), loggers)
        return trained(path, trainer, trainer.fit())


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


def settings_file(path: Path, config: LoopConfig) -> str:
    """The run's settings as a file for --config: all but those that say which run it is."""
    # Of minutes and epochs only what they come to counts: max_iters.
    skipped = ("run_name", "resume", "overwrite", "minutes", "epochs", "dry_run", "nproc")
    lines = [settings_line(k, v) for k, v in config.to_dict().items() if k not in skipped]
    head = f"# {path.name}; to train another like it: {config.command} --config {path}/config.yaml"
    return "\n".join([head, *lines]) + "\n"


def is_finished(resumed: Resumed, config: LoopConfig) -> bool:
    """Whether a run stands at its last step, and has been evaluated there."""
    done = resumed.checkpoint.step >= config.max_iters and config.minutes is None
    return done and MetricsFile(resumed.path / "metrics.jsonl").evaluated(resumed.checkpoint.step)


def finished(resumed: Resumed, config: LoopConfig) -> Trained:
    """What is said of a run that has nothing left to do."""
    path, step = resumed.path, resumed.checkpoint.step
    return Trained(
        str(path), step, config.max_iters, 0.0, None, None, None,
        _resume_command(path, config) + f" --max-iters {2 * step}", finished_before=True,
    )  # fmt: skip


def _resume_command(path: Path, config: LoopConfig) -> str:
    name, folder = shlex.quote(path.name), ckpt_dir_flag(config.ckpt_dir)
    return f"{config.command} --run-name {name}{folder} --resume auto"


def ckpt_dir_flag(folder: str) -> str:
    """What a command needs to find runs that don't lie in the default folder."""
    return "" if Path(folder) == Path("checkpoints") else f" --ckpt-dir {shlex.quote(folder)}"


def _announce(trainer: Trainer, plan: Plan, progress: Progress) -> None:
    """Print what is known before the first step."""
    c = trainer.model.config
    progress.say(f"run         {trainer.run.path}")
    progress.say(
        f"model       {c.family}, n_layer {c.n_layer}, n_head {c.n_head}, n_embd {c.n_embd}, "
        f"block_size {c.block_size}"
    )
    for line in plan.sizes():
        progress.say(line)
    idle = idle_gpus(trainer.device)
    if idle and trainer.world.size == 1 and ":" not in trainer.config.device:
        progress.say(f"{idle + 1} GPUs are here: --nproc {idle + 1} trains on all of them")


def trained(path: Path, trainer: Trainer, fitted: Fitted) -> Trained:
    """The result of a run."""
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
        measured_on=trainer.lessons.measured_on,
        resume=_resume_command(path, trainer.config),
    )
