"""Which run: a new one under a name of its own, or one that goes on."""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from yocto.checkpoint import Checkpoint, find_runs
from yocto.config import ModelConfig, TrainConfig, knobs
from yocto.errors import RunError
from yocto.utils.files import making
from yocto.utils.lock import Held, exclusive
from yocto.utils.progress import Progress

MODEL_KNOBS = [f.name for f in knobs(ModelConfig)]


def new_run(config: TrainConfig) -> Path:
    """The folder for a new run; an existing run is replaced only with --overwrite."""
    ckpt_dir = Path(config.ckpt_dir)
    name = config.run_name or next_run_name(ckpt_dir, config.mode)
    if Path(name).name != name or name.startswith(".") or name in ("latest", "best"):
        raise RunError(
            f"{name!r} can't be a run's name", "Use a plain name: letters, digits, - and _."
        )
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
    """Keep a run's folder for this process; what is empty at the end goes. Raises RunError while
    another process trains it."""
    lock = path / ".lock"
    try:
        with making(path):
            path.mkdir(parents=True, exist_ok=True)
            stack = ExitStack()
            stack.enter_context(exclusive(lock))
    except Held as held:
        stem = re.sub(r"-[0-9]+$", "", path.name)
        raise RunError(
            f"{path} is being trained right now, by {held}",
            f"Wait for it to end, or train beside it: "
            f"--run-name {next_run_name(path.parent, stem)}",
        ) from None
    with stack:
        try:
            yield
        finally:
            if [*path.iterdir()] == [lock]:
                with suppress(OSError):  # Windows deletes no open file
                    lock.unlink()
                    path.rmdir()


def hold_new(config: TrainConfig, stack: ExitStack) -> Path:
    """Choose the folder for a new run and hold it as long as the stack is open."""
    while True:
        path = new_run(config)
        try:
            stack.enter_context(hold(path))
            return path
        except RunError:
            if config.run_name or any(path.glob("step-*")):
                raise
            # Two runs without a name began at once: the folder is there now, so the next name is
            # another one.


def clear_run(path: Path) -> None:
    """Delete what an older run left in the folder of a new one, once nothing can refuse the new one
    any more."""
    names = ("latest", "best", "metrics.jsonl", "config.yaml")
    for old in (*path.glob("step-*"), *(path / name for name in names)):
        if old.is_dir():
            shutil.rmtree(old)
        else:
            old.unlink(missing_ok=True)


def next_run_name(ckpt_dir: Path, stem: str) -> str:
    """STEM-1, or the number after the highest one that is there."""
    taken = [0]
    for path in ckpt_dir.glob(f"{stem}-*"):
        number = path.name.removeprefix(f"{stem}-")
        if number.isdecimal():
            taken.append(int(number))
    return f"{stem}-{max(taken) + 1}"


def find_resumed(config: TrainConfig, progress: Progress) -> Checkpoint | None:
    """The checkpoint that --resume auto goes on with; None starts afresh."""
    if config.resume == "never":
        return None
    if config.overwrite:
        raise RunError(
            "--resume auto and --overwrite contradict each other",
            "One goes on with the run, the other replaces it: leave one out.",
        )
    ckpt_dir = Path(config.ckpt_dir)
    for found in find_runs(ckpt_dir):
        if config.run_name not in (None, found.name):
            continue
        step = found.pointer("latest")
        assert step is not None
        checkpoint = Checkpoint.open(step)
        if config.run_name or checkpoint.train.get("mode") == config.mode:
            return checkpoint
    what = f"run {config.run_name!r}" if config.run_name else f"{config.mode} run"
    progress.notice(f"there is no {what} under {ckpt_dir} to resume; starting afresh")
    return None


def resumed_config(config: TrainConfig, checkpoint: Checkpoint) -> TrainConfig:
    """The run's own settings, with what the user gives anew; what made its first weights stays."""
    saved = TrainConfig.from_dict(checkpoint.train, f"{checkpoint.path}/config.json")
    changed = [
        f"{name} {getattr(saved, name)} -> {getattr(config, name)}"
        for name in [*MODEL_KNOBS, "mode", "preset", "seed"]
        if name in config.given and getattr(config, name) != getattr(saved, name)
    ]
    if changed:
        raise RunError(
            f"a resumed run keeps its architecture and seed, but you changed {', '.join(changed)}",
            "Leave these flags out, or start another run with another --run-name.",
        )
    given = {name: getattr(config, name) for name in config.given}
    return dataclasses.replace(saved, **given, given=config.given | saved.given)
