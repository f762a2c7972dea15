"""Which run: a new one under a name of its own, or one that goes on."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from yocto.checkpoint import LOCK, Checkpoint, Run, check_run_name, find_runs
from yocto.config import (
    CHAT,
    FinetuneConfig,
    GPTConfig,
    LoopConfig,
    ModelConfig,
    TrainConfig,
    knobs,
)
from yocto.errors import CheckpointError, RunError
from yocto.utils.files import making
from yocto.utils.lock import Held, exclusive
from yocto.utils.progress import Progress

MODEL_KNOBS = [f.name for f in knobs(ModelConfig)]
# What a resumed run can't change.
KEPT_KNOBS = [*MODEL_KNOBS, "mode", "preset", "depth", "seed", "order", "optimizer",
              "respect_documents", "overfit_batch"]  # fmt: skip
AnyConfig = TypeVar("AnyConfig", TrainConfig, FinetuneConfig)
KEPT_OF_CHATS = ["ckpt", "val_ratio", "lora_rank", "lora_alpha", "dropout", "seed", "optimizer"]


def new_run(config: LoopConfig, stem: str) -> Path:
    """The folder for a new run, STEM-1 or so where the user names none; an existing run is replaced
    only with --overwrite."""
    ckpt_dir = Path(config.ckpt_dir)
    name = config.run_name or next_run_name(ckpt_dir, stem)
    check_run_name(name)
    path = ckpt_dir / name
    if any(path.glob("step-*")) and not config.overwrite:
        raise RunError(
            f"the run {path} is there already",
            f"Go on with it: --resume auto; replace it: --overwrite; or choose another name: "
            f"--run-name {next_run_name(ckpt_dir, re.sub(r'-[0-9]+$', '', name))}",
        )
    return path


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Keep a run's folder for this process; if it is empty at the end, it goes. Raises RunError
    while another process trains it."""
    try:
        held = ExitStack()
        with making(path):
            _enter(path, held)
    except Held as other:
        stem = re.sub(r"-[0-9]+$", "", path.name)
        raise RunError(
            f"{path} is being trained right now, by {other}",
            f"Wait for it to end, or train beside it: "
            f"--run-name {next_run_name(path.parent, stem)}",
        ) from None
    try:
        with held:
            yield
    finally:
        with suppress(OSError):  # it holds a run
            path.rmdir()


def _enter(path: Path, held: ExitStack) -> None:
    for _ in range(100):
        # Another process that gives up its empty folder may take it away between these two lines.
        with suppress(FileNotFoundError, FileExistsError):
            path.mkdir(parents=True, exist_ok=True)
            held.enter_context(exclusive(path / LOCK))
            return
    held.enter_context(exclusive(path / LOCK))


def hold_new(config: LoopConfig, stem: str, stack: ExitStack) -> Path:
    """Choose the folder for a new run and hold it as long as the stack is open."""
    while True:
        path = new_run(config, stem)
        try:
            with ExitStack() as attempt:
                attempt.enter_context(hold(path))
                if config.overwrite or not any(path.glob("step-*")):
                    stack.enter_context(attempt.pop_all())
                    return path
        except RunError:
            if config.run_name:
                raise
        # Another process was quicker: new_run refuses the name, or, where none was given, finds
        # the next one.


def next_run_name(ckpt_dir: Path, stem: str) -> str:
    """STEM-1, or the number after the highest one that is there."""
    taken = [0]
    with making(ckpt_dir):  # a name too long for the disk, say
        found = [path.name.removeprefix(f"{stem}-") for path in ckpt_dir.glob(f"{stem}-*")]
    taken += [int(number) for number in found if number.isdecimal()]
    return f"{stem}-{max(taken) + 1}"


def find_resumed(config: LoopConfig, mode: str, progress: Progress) -> Run | None:
    """The run that --resume auto goes on with, the newest of this mode where the user names none;
    None starts afresh."""
    if config.resume == "never":
        return None
    if config.overwrite:
        raise RunError(
            "--resume auto and --overwrite contradict each other",
            "One goes on with the run, the other replaces it: leave one out.",
        )
    ckpt_dir = Path(config.ckpt_dir)
    for run in find_runs(ckpt_dir):
        if config.run_name == run.name:
            _check_trained(run)
            return run
        if config.run_name is None and _mode(run, progress) == mode:
            return run
    what = f"run {config.run_name!r}" if config.run_name else f"{mode} run"
    progress.notice(f"there is no {what} under {ckpt_dir} to resume; starting afresh")
    return None


def _check_trained(run: Run) -> None:
    """Raise a RunError for a run that no training led to: there is nothing to go on with."""
    with suppress(CheckpointError):  # what is damaged is told where it is opened
        if latest(run).imported:
            name = shlex.quote(run.name)
            raise RunError(
                f"{run.name} was imported, not trained here: it has no training to go on with",
                f"Teach it by conversations, yocto finetune --ckpt {name}, or train a model of "
                f"your own under another --run-name.",
            )


def _mode(run: Run, progress: Progress) -> str | None:
    """What a run trains on; None, and a notice, where its latest checkpoint does not tell."""
    try:
        return str(latest(run).train.get("mode"))
    except CheckpointError as error:
        progress.notice(f"passing over the run {run.name}: {error.message}")
        return None


def latest(run: Run) -> Checkpoint:
    """A run's newest checkpoint whose config.json can be read; no other file is looked at."""
    return next(_readable(run, lambda reason: None))


def _readable(run: Run, tell: Callable[[CheckpointError], None]) -> Iterator[Checkpoint]:
    """A run's checkpoints, the latest first. Raises the first one's CheckpointError where none is
    left; `tell` gets those of checkpoints that are passed over."""
    first: CheckpointError | None = None
    # Folders without a config.json too: what they lack is told.
    folders = sorted(run.path.glob("step-*"), key=lambda f: (len(f.name), f.name), reverse=True)
    for step in dict.fromkeys([*filter(None, [run.pointer("latest")]), *folders]):
        try:
            yield Checkpoint.read(step)
        except CheckpointError as error:
            tell(error)
            first = first or error
    raise first or CheckpointError(f"the run {run.path} has no checkpoint", "Train it: yocto train")


def newest_whole(run: Run, progress: Progress) -> tuple[Checkpoint, dict[str, Any]]:
    """A run's newest checkpoint that is whole, and its trainer state; a notice tells of damaged
    ones that are passed over. Raises CheckpointError where none is whole."""
    passed: list[CheckpointError] = []

    def tell(error: CheckpointError) -> None:
        passed.append(error)
        progress.notice(f"passing over a checkpoint: {error.message}")

    try:
        for checkpoint in _readable(run, tell):
            try:
                checkpoint.verify_all()
                state = checkpoint.load_trainer()
            except CheckpointError as error:
                tell(error)
                continue
            if passed:
                progress.notice(f"going on from {checkpoint.path}, the newest one that is whole")
            return checkpoint, state
    except CheckpointError as error:
        raise (passed or [error])[0] from None
    raise AssertionError("the checkpoints that can be read end with an error")


def resumed_config(config: TrainConfig, checkpoint: Checkpoint) -> TrainConfig:
    """The run's own settings, with what the user gives anew; what made its first weights stays, and
    so does the order of its text, since the position in it would mean nothing in another."""
    file = f"{checkpoint.path}/config.json"
    _check_mode(checkpoint, CHAT, False, "yocto finetune")
    saved = TrainConfig.from_record(checkpoint.train, file)
    shape = {name: getattr(saved, name) for name in MODEL_KNOBS}
    vocab_size = checkpoint.model.vocab_size
    if GPTConfig.from_dict({**shape, "vocab_size": vocab_size}, file) != checkpoint.model:
        raise CheckpointError(
            f"{file} is damaged: its train and its model tell of different models",
            "Go on with another run, or train this one anew with --overwrite.",
        )
    return _anew(config, saved, KEPT_KNOBS)


def resumed_finetuning(config: FinetuneConfig, checkpoint: Checkpoint) -> FinetuneConfig:
    """The same for a fine-tuned run."""
    _check_mode(checkpoint, CHAT, True, "yocto train")
    saved = FinetuneConfig.from_record(checkpoint.train, f"{checkpoint.path}/config.json")
    return _anew(config, saved, KEPT_OF_CHATS)


def _check_mode(checkpoint: Checkpoint, mode: str, wanted: bool, command: str) -> None:
    """Raise a RunError for a run of the other command."""
    if (checkpoint.train.get("mode") == mode) != wanted:
        name = checkpoint.path.parent.name
        is_what = "is not a fine-tuned run" if wanted else "is a fine-tuned run"
        folder = checkpoint.path.parent.parent
        where = "" if folder == Path("checkpoints") else f" --ckpt-dir {shlex.quote(str(folder))}"
        raise RunError(
            f"{name} {is_what}",
            f"Go on with it: {command} --run-name {shlex.quote(name)}{where} --resume auto",
        )


def _anew(config: AnyConfig, saved: AnyConfig, kept: list[str]) -> AnyConfig:
    """Saved settings, with what the user gives anew. Raises RunError for what has to stay."""
    changed = [
        f"{name} {getattr(saved, name)} -> {getattr(config, name)}"
        for name in kept
        if name in config.given and getattr(config, name) != getattr(saved, name)
    ]
    if changed:
        raise RunError(
            f"a resumed run keeps its architecture, its optimizer, its seed and its way through "
            f"the text, but you changed {', '.join(changed)}",
            "Leave these flags out, or start another run with another --run-name.",
        )
    given = {name: getattr(config, name) for name in config.given}
    if {"max_iters", "epochs"} & given.keys() and "minutes" not in given:
        given["minutes"] = None  # a run that was killed before they fixed its steps
    return dataclasses.replace(saved, **given, given=config.given | saved.given)
