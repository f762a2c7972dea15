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
from yocto.config import GPTConfig, SamplingConfig, TrainConfig
from yocto.errors import RunError
from yocto.model.gpt import GPT
from yocto.tokenizer.base import BaseTokenizer
from yocto.training.metrics import MetricsFile
from yocto.training.plan import (
    Plan,
    check_memory,
    evaluation_share,
    iterations_for,
    training_memory,
)
from yocto.training.runs import (
    MODEL_KNOBS,
    find_resumed,
    hold,
    hold_new,
    latest,
    resumed_config,
)
from yocto.training.trainer import Evaluation, Fitted, Trainer
from yocto.utils.device import available_memory, describe_device, pick_device
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
        return [
            f"done in {duration(self.seconds)}: validation loss {self.val_loss:.3f}, "
            f"{self.val_bits_per_byte:.3f} bits per byte (whole split)",
            f"saved in {self.run} (best step: {self.best_step})",
            f"next: yocto sample{self.flag}, or yocto chat{self.flag}",
        ]


def run(config: TrainConfig, progress: Progress) -> Trained:
    """Train a new run, or go on with one."""
    found = find_resumed(config, progress)
    with ExitStack() as held:
        checkpoint = None
        if found is not None:
            path = found.path
            held.enter_context(hold(path))  # and only then look: it may have been trained on
            checkpoint = latest(found)
            checkpoint.verify_all()
            config = resumed_config(config, checkpoint)
            done = checkpoint.step >= config.max_iters and config.minutes is None
            if done and MetricsFile(path / "metrics.jsonl").evaluated(checkpoint.step):
                return _finished(path, checkpoint, config)
        else:
            config = with_preset(config, progress)
            path = hold_new(config, held)
        return _train(config, path, checkpoint, progress)


def effective(config: TrainConfig, progress: Progress) -> tuple[TrainConfig, dict[str, str]]:
    """The settings that `run` would train with, and where those come from that the user left open:
    the preset, or the run that goes on."""
    run = find_resumed(config, progress)
    if run is not None:
        config = resumed_config(config, latest(run))
        return config, dict.fromkeys(config.to_dict(), f"run {run.name}")
    config = with_preset(config, progress)
    assert config.preset is not None
    filled = dict.fromkeys(load_preset(config.preset), f"preset {config.preset}")
    return config, {"preset": "fits the device", **filled}


def _train(
    config: TrainConfig, path: Path, checkpoint: Checkpoint | None, progress: Progress
) -> Trained:
    tokenizer, data_dir = prepare_data(config, checkpoint, progress)
    corpus = open_corpus(data_dir, tokenizer)
    model = _make_model(config, tokenizer, checkpoint)
    trainer = Trainer(
        model, config, corpus, tokenizer, Run(path), progress,
        _sample_shower(model, tokenizer, corpus.documents, progress),
    )  # fmt: skip
    if checkpoint is not None:
        trainer.load_state(checkpoint.load_trainer())
        progress.say(f"going on with {path} at step {checkpoint.step}")
    _announce(trainer, progress)
    if checkpoint is None:
        Run(path).set_aside()
    write_text(path / "config.yaml", _settings_file(path, trainer.config))
    return _trained(path, trainer, trainer.fit())


def _settings_file(path: Path, config: TrainConfig) -> str:
    """The run's settings as a file for --config: all but those that say which run it is."""
    skipped = ("run_name", "resume", "overwrite", "minutes")
    lines = [settings_line(k, v) for k, v in config.to_dict().items() if k not in skipped]
    head = f"# {path.name}; to train another like it: yocto train --config {path}/config.yaml"
    return "\n".join([head, *lines]) + "\n"


def with_preset(config: TrainConfig, progress: Progress) -> TrainConfig:
    """The settings, with the preset's values where the user gave none."""
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


def _make_model(
    config: TrainConfig, tokenizer: BaseTokenizer, checkpoint: Checkpoint | None
) -> GPT:
    if checkpoint is not None:
        checkpoint.check_size()
        model = GPT(checkpoint.model)
        checkpoint.load_weights(model)
        return model
    shape = {name: getattr(config, name) for name in MODEL_KNOBS}
    gpt_config = GPTConfig(vocab_size=tokenizer.vocab_size, **shape)
    check_memory(gpt_config, pick_device(config.device))
    return GPT(gpt_config, torch.Generator().manual_seed(config.seed))


def _announce(trainer: Trainer, progress: Progress) -> None:
    """Print the plan: sizes first, then, once a few steps are measured, the time. With --minutes,
    the measured speed fixes the number of steps."""
    c = trainer.config
    plan = Plan(
        device=describe_device(trainer.device),
        parameters=trainer.model.num_parameters(),
        train_tokens=len(trainer.corpus.train),
        val_tokens=len(trainer.corpus.val),
        epoch_tokens=trainer.batches.epoch_tokens,
        iterations=c.max_iters,
        tokens_per_iteration=c.gradient_accumulation_steps * c.batch_size * c.block_size,
        memory=training_memory(trainer.model, c),
        seconds=0.0,
    )
    progress.say(f"run         {trainer.run.path}")
    progress.say(
        f"model       {c.family}, n_layer {c.n_layer}, n_head {c.n_head}, n_embd {c.n_embd}, "
        f"block_size {c.block_size}"
    )
    for line in plan.sizes():
        progress.say(line)
    free = available_memory(trainer.device)
    if free is not None and plan.memory > 1.5 * free:
        raise RunError(
            f"training takes about {plan.memory / 1e9:,.1f} GB of memory, and only "
            f"{free / 1e9:,.1f} GB are free",
            "Lower --batch-size or --block-size; --gradient-accumulation-steps makes up for it.",
        )
    if free is not None and plan.memory > free:
        progress.notice(
            f"only {free / 1e6:,.0f} MB of memory are free; lower --batch-size or --block-size if "
            f"training fails"
        )
    per_step = trainer.seconds_per_step()
    if c.minutes is not None:
        steps = trainer.step + iterations_for(c.minutes * 60, per_step, c)
        c = trainer.config = dataclasses.replace(c, max_iters=steps, minutes=None, given=c.given)
    seconds = (c.max_iters - trainer.step) * per_step * (1 + evaluation_share(c))
    for line in dataclasses.replace(plan, iterations=c.max_iters, seconds=seconds).costs():
        progress.say(line)


def _sample_shower(
    model: GPT, tokenizer: BaseTokenizer, documents: int, progress: Progress
) -> Callable[[Evaluation], None]:
    """A callback that shows what the model writes by now, always from the same draw."""
    lm = LanguageModel(model, tokenizer, documents)
    tokens = 100 if tokenizer.kind == "char" else 25

    def show(evaluation: Evaluation) -> None:
        knobs = SamplingConfig(max_new_tokens=tokens, seed=1)
        text = "".join(lm.stream_ids(lm.prompt_ids(""), knobs))
        progress.say(f"  {' '.join(text.split())}")

    return show


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
        resume=_resume_command(path, trainer.config),
    )
