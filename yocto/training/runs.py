"""Which run: a new one under a name of its own, or one that goes on."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

from yocto.checkpoint import Checkpoint, find_runs
from yocto.config import ModelConfig, TrainConfig, knobs
from yocto.errors import RunError
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


def clear_run(path: Path) -> None:
    """Delete what an older run left in the folder of a new one, once nothing can refuse the new one
    any more."""
    for old in (*path.glob("step-*"), *(path / n for n in ("latest", "best", "metrics.jsonl"))):
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
