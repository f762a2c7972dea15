"""A run's folder: its checkpoints, which of them are the latest and the best."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from yocto.checkpoint.step import FORMAT, TRAINER, VERSION, WEIGHTS, digest
from yocto.config import nearest
from yocto.errors import CheckpointError, RunError
from yocto.utils.files import atomic_dir, remove, sha256_file, write_json, write_text

if TYPE_CHECKING:
    from yocto.model.gpt import GPT
    from yocto.tokenizer.base import BaseTokenizer

LOCK = ".lock"  # held by the process that trains the run
EVALUATIONS = "evaluations.jsonl"  # what was measured of its checkpoints
RECORDS = ("metrics.jsonl", "config.yaml", EVALUATIONS)  # of a run, beside its checkpoints
STEP = re.compile(r"step-[0-9]{6,10}")


@dataclass(frozen=True)
class Run:
    """The folder of one training run."""

    path: Path

    @property
    def name(self) -> str:
        """The run's name."""
        return self.path.name

    def pointer(self, which: str) -> Path | None:
        """The step that `latest` or `best` names, if it is there.

        A kill may come between a step and its name in `latest`; then the newest step counts.
        """
        file = self.path / which
        if file.is_file():
            name = file.read_text(encoding="utf-8", errors="replace").strip()
            if STEP.fullmatch(name) and (self.path / name / "config.json").is_file():
                return self.path / name
        steps = self.steps() if which == "latest" else []
        return steps[0] if steps else None

    def steps(self) -> list[Path]:
        """The folders of its checkpoints, the newest first; whether they are whole is not looked
        at."""
        found = [file.parent for file in self.path.glob("step-*/config.json")]
        return sorted(found, key=lambda step: (len(step.name), step.name), reverse=True)

    def written(self) -> float:
        """When the run last came to something, in seconds since 1970."""
        times: list[float] = []
        # The folder's own time is the last resort: a lock that comes and goes changes it too.
        for places in ([self.path / "latest", self.path / "metrics.jsonl"], [self.path]):
            for path in places if not times else ():
                with suppress(OSError):
                    times.append(path.stat().st_mtime)
        return max(times, default=0.0)

    def save(
        self,
        step: int,
        model: GPT,
        tokenizer: BaseTokenizer,
        train: dict[str, Any],
        documents: int,
        trainer: dict[str, Any] | None = None,
        beside: Mapping[str, bytes] | None = None,
    ) -> Path:
        """Write a checkpoint and let `latest` name it. A kill leaves the one before whole.

        trainer: what training goes on with; None where none led here. beside: name -> content of
        more files, such as a chat template.
        """
        import torch
        from safetensors.torch import save_model

        folder = self.path / f"step-{step:06d}"
        with atomic_dir(folder) as temporary, _full_disk(folder):
            save_model(model, str(temporary / WEIGHTS))
            tokenizer.save(temporary)
            if trainer is not None:
                with (temporary / TRAINER).open("wb") as file:  # whose errors tell their reason
                    torch.save(trainer, file)
            for name, data in (beside or {}).items():
                (temporary / name).write_bytes(data)
            content = {
                "format": FORMAT,
                "version": VERSION,
                "step": step,
                "documents": documents,
                "model": model.config.to_dict(),
                "train": train,
                "files": {f.name: sha256_file(f) for f in sorted(temporary.iterdir())},
            }
            write_json(temporary / "config.json", {**content, "sha256": digest(content)})
        write_text(self.path / "latest", folder.name + "\n")
        return folder

    def mark_latest(self, step: int) -> None:
        """Let `latest` name a step that is saved: what comes after it is damaged."""
        write_text(self.path / "latest", f"step-{step:06d}\n")

    def restore_best(self, step: int | None) -> bool:
        """Let `best` name a step that was the best one once, or none where that is gone."""
        if step is not None and (self.path / f"step-{step:06d}" / "config.json").is_file():
            self.mark_best(step)
            return True
        remove(self.path / "best")
        return False

    def mark_best(self, step: int) -> None:
        """Let `best` name a step that is saved."""
        write_text(self.path / "best", f"step-{step:06d}\n")

    def set_aside(self) -> None:
        """Make room for a new run of this name: the checkpoints of the old one stay, and `latest`
        and `best` name them, until `keep_only`."""
        self.recover()
        for name in RECORDS:
            if (self.path / name).exists():
                (self.path / name).replace(self.path / f".{name}.replaced")

    def recover(self) -> None:
        """Undo `set_aside` where a kill kept the new run from its first checkpoint."""
        if any((self.path / f".{name}.replaced").exists() for name in RECORDS):
            self.put_back()

    def put_back(self) -> None:
        """Undo `set_aside` for a new run that has come to no checkpoint: the records are again
        those of the run that was to be replaced; where there was none, what was measured stays."""
        for name in RECORDS:
            if (self.path / f".{name}.replaced").exists():
                (self.path / f".{name}.replaced").replace(self.path / name)
            elif not (self.path / "metrics.jsonl").exists():
                remove(self.path / name)

    def keep_only(self, step: int) -> None:
        """Delete what an older run of this name left, whole or half written, now that a step of the
        new one is saved."""
        for folder in (*self.path.glob("step-*"), *self.path.glob(".step-*")):
            if folder.name != f"step-{step:06d}":
                shutil.rmtree(folder, ignore_errors=True)
        for name in ("best", *(f".{name}.replaced" for name in RECORDS)):
            remove(self.path / name)

    def prune(self, keep_last: int = 1) -> None:
        """Delete all steps but `latest` and those before it, so many in all, and `best`; and what a
        kill left half written. What comes after `latest` is damaged, or an older run's."""
        steps, latest = self.steps(), self.pointer("latest")
        newest = steps.index(latest) if latest in steps else 0
        keep = {latest, self.pointer("best"), *steps[newest : newest + keep_last]}
        for folder in (*self.path.glob("step-*"), *self.path.glob(".step-*")):
            if folder not in keep:
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _full_disk(folder: Path) -> Iterator[None]:
    """safetensors and torch.save report a disk's errors in ways of their own."""
    try:
        yield
    except (SafetensorError, RuntimeError) as error:
        if isinstance(error.__context__, OSError):
            raise error.__context__ from error
        raise CheckpointError(
            f"can't write {folder}: {' '.join(str(error).split())}",
            "Free some space, then go on with --resume auto; earlier steps are unharmed.",
        ) from error


def check_run_name(name: str) -> None:
    """Raise RunError for what can't be the name of a run's folder."""
    if Path(name).name != name or name.startswith(".") or name in ("latest", "best"):
        raise RunError(
            f"{name!r} can't be a run's name", "Use a plain name: letters, digits, - and _."
        )


def find_runs(ckpt_dir: Path) -> list[Run]:
    """The runs in a folder that have a checkpoint, the newest first."""
    found = []
    for run in map(Run, ckpt_dir.glob("*")):
        if step := run.pointer("latest"):
            pointer = run.path / "latest"
            written = (pointer if pointer.exists() else step).stat().st_mtime_ns
            # By the clock, and of the same moment by name, so that the order is always one.
            found.append((written, run.name, run))
    return [run for _, _, run in sorted(found, key=lambda f: f[:2], reverse=True)]


def list_runs(ckpt_dir: Path) -> list[Run]:
    """All runs in a folder, the newest first: damaged ones and those before their first checkpoint
    too."""
    folders = [path for path in ckpt_dir.glob("*") if not path.name.startswith(".")]
    runs = [Run(path) for path in folders if _is_run(path)]
    return sorted(runs, key=lambda run: (run.written(), run.name), reverse=True)


def find_run(spec: str | None, ckpt_dir: Path) -> Run:
    """The run that the user means, among those of `list_runs`.

    spec: None or "latest" for the newest, a run's name, its folder, or the folder of one of its
    steps. Raises CheckpointError, which lists the runs that exist.
    """
    runs = list_runs(ckpt_dir)
    if spec in (None, "best", "latest"):
        if not runs:
            raise _no_run(ckpt_dir)
        return runs[0]
    assert spec is not None
    for path in _candidates(spec, ckpt_dir):
        if STEP.fullmatch(path.name) and (path / "config.json").is_file():
            return Run(path.resolve().parent)
        if _is_run(path):
            return Run(path if path.name not in ("", "..") else path.resolve())
    raise CheckpointError(f"there is no run {spec!r}", _runs_there(spec, runs, ckpt_dir))


def _is_run(folder: Path) -> bool:
    records = any((folder / name).is_file() for name in ("metrics.jsonl", LOCK))
    return records or any(folder.glob("step-*"))


def find_checkpoint(spec: str | None, ckpt_dir: Path) -> Path:
    """The folder of the checkpoint that the user means.

    spec: None for the best step of the newest run, "latest" for its latest, a run's name, a run's
    folder, or a step's folder. Raises CheckpointError, which lists the runs that exist.
    """
    runs = find_runs(ckpt_dir)
    if spec in (None, "best", "latest"):
        if not runs:
            raise _no_run(ckpt_dir)
        return _step_of(runs[0], spec or "best")
    assert spec is not None
    for path in _candidates(spec, ckpt_dir):
        if (path / "config.json").is_file():
            return path
        if Run(path).pointer("latest"):
            return _step_of(Run(path), "best")
    raise CheckpointError(
        f"there is no run or checkpoint {spec!r}", _runs_there(spec, runs, ckpt_dir)
    )


def _no_run(ckpt_dir: Path) -> CheckpointError:
    return CheckpointError(
        f"there is no trained run under {ckpt_dir}", "Train one first: yocto train"
    )


def _runs_there(spec: str, runs: list[Run], ckpt_dir: Path) -> str:
    """A hint that lists the newest runs, and the one whose name is most like what was typed."""
    if not runs:
        return "Train one first: yocto train"
    names = [run.name for run in runs]
    near = nearest(spec, names)
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    guess = f"Did you mean {near!r}? " if near else ""
    return f"{guess}Runs under {ckpt_dir}, the newest first: {', '.join(names[:8])}{more}"


def _candidates(spec: str, ckpt_dir: Path) -> Iterator[Path]:
    yield ckpt_dir / spec
    yield Path(spec)


def _step_of(run: Run, which: str) -> Path:
    step = run.pointer(which) or run.pointer("latest")
    assert step is not None, "find_runs and find_checkpoint see to it"
    return step
