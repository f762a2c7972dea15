"""Checkpoints: a folder that holds all that a model needs, and never half of it.

    checkpoints/<run>/
      step-000500/  model.safetensors  config.json  the tokenizer's files  trainer.pt
      latest  best  each names a step
      metrics.jsonl

config.json holds the SHA-256 of the other files and of its own content, so that a damaged
checkpoint is noticed.
trainer.pt holds tensors and plain values and is read with weights_only=True: nothing runs on load.
"""

from __future__ import annotations

import hashlib
import json
import math
import pickletools
import re
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_model

from yocto.config import GPTConfig, nearest
from yocto.errors import CheckpointError, ConfigError
from yocto.model.gpt import GPT, count_parameters
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.store import load_tokenizer
from yocto.utils.files import atomic_dir, read_json, sha256_file, write_json, write_text

FORMAT = "yocto-checkpoint"
VERSION = 1
WEIGHTS, TRAINER = "model.safetensors", "trainer.pt"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's folder, its config.json read and checked; weights are read on demand.

    train: the run's settings. documents: how many documents the model learnt from; the end token
    means something to it only if there was more than one.
    """

    path: Path
    step: int
    model: GPTConfig
    train: dict[str, Any]
    documents: int
    files: dict[str, str]  # name -> SHA-256

    @classmethod
    def open(cls, path: Path) -> Checkpoint:
        """Read config.json and check the checksums of weights and tokenizer. Raises
        CheckpointError."""
        content = read_json(path / "config.json", CheckpointError, _HINT)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise CheckpointError(f"{path}/config.json is not that of a yocto checkpoint", _HINT)
        version = content.get("version")
        if version != VERSION:
            newer = isinstance(version, int) and version > VERSION
            raise CheckpointError(
                f"{path} has format version {version!r}; this yocto reads {VERSION}",
                "Update yocto: pip install -U yocto" if newer else _HINT,
            )
        if content.pop("sha256", None) != _digest(content):
            raise CheckpointError(f"{path}/config.json is altered", _HINT)
        try:
            checkpoint = cls(
                path, _count(content["step"]), GPTConfig.from_dict(content["model"]),
                _table(content["train"]), _count(content["documents"]), _files(content["files"]),
            )  # fmt: skip
        except (KeyError, TypeError, AttributeError, ValueError, ConfigError) as error:
            what = error.message if isinstance(error, ConfigError) else error
            raise CheckpointError(f"{path}/config.json is damaged: {what}", _HINT) from error
        for name in checkpoint.files:
            if name != TRAINER:  # large, and needed only to train on
                checkpoint.verify(name)
        return checkpoint

    def verify(self, name: str) -> None:
        """Compare a file's checksum with the one in config.json."""
        file = self.path / Path(name).name
        try:
            whole = file.is_file() and sha256_file(file) == self.files.get(name)
        except (OSError, ValueError):  # no file can have that name, say
            whole = False
        if not whole:
            raise CheckpointError(f"{file} is missing, truncated or altered", _HINT)

    def load_tokenizer(self) -> BaseTokenizer:
        """The tokenizer that the model was trained with."""
        tokenizer = load_tokenizer(self.path)
        if tokenizer.vocab_size > self.model.vocab_size:
            raise CheckpointError(
                f"the tokenizer in {self.path} has ids below {tokenizer.vocab_size}, but the model "
                f"knows only those below {self.model.vocab_size}", _HINT,
            )  # fmt: skip
        return tokenizer

    def load_model(self, device: torch.device | str = "cpu") -> GPT:
        """The model with its weights, ready to generate (in eval mode)."""
        self.check_size()
        model = GPT(self.model)
        self.load_weights(model)
        return model.to(device).eval()

    def check_size(self) -> None:
        """Raise a CheckpointError where config.json tells of another model than the weights are:
        before memory is taken for it."""
        file = self.path / WEIGHTS
        try:
            with safe_open(file, "pt") as weights:
                slices = [weights.get_slice(name) for name in list(weights.keys())]
                kinds = {slice.get_dtype() for slice in slices}
                there = sum(math.prod(slice.get_shape()) for slice in slices)
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{file} can't be read: {error}", _HINT) from error
        if odd := kinds - {"F64", "F32", "F16", "BF16"}:
            raise CheckpointError(f"{file} holds weights of type {min(odd)}", _HINT)
        told = count_parameters(self.model)
        if there != told:
            raise CheckpointError(
                f"{file} holds {there:,} weights, but its config.json tells of {told:,}", _HINT
            )

    def load_weights(self, model: GPT) -> None:
        """Put the weights into a model of the same shape."""
        file = self.path / WEIGHTS
        try:
            weights = load_file(file)
            if self.model.tie_weights:
                # safetensors stores a shared weight once, under either of its names.
                shared = next(n for n in ("wte.weight", "lm_head.weight") if n in weights)
                weights["wte.weight"] = weights["lm_head.weight"] = weights[shared]
            model.load_state_dict(weights)
        except (OSError, SafetensorError, RuntimeError, StopIteration) as error:
            raise CheckpointError(f"{file} does not fit its config.json: {error}", _HINT) from error

    def load_trainer(self) -> dict[str, Any]:
        """The state of the training run: optimizer, random generators, position."""
        self.verify(TRAINER)
        file = self.path / TRAINER
        try:
            _check_archive(file)
            state = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged or hostile file makes torch raise almost anything
            # Not torch's own message, which tells users to turn weights_only off.
            raise CheckpointError(
                f"{file} can't be read as tensors and plain values", _HINT
            ) from error
        if not isinstance(state, dict):
            raise CheckpointError(f"{file} holds no trainer state", _HINT)
        return state


_HINT = "Use another step of the run (--ckpt takes a step's folder), or train it anew."


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= 10**10:
        raise ValueError(f"{value!r} is no count")
    return value


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} is no table")
    return value


def _files(value: Any) -> dict[str, str]:
    """Names and checksums of the files beside config.json."""
    files = {name: str(digest) for name, digest in _table(value).items()}
    if WEIGHTS not in files:
        raise ValueError(f"it names no {WEIGHTS}")
    return files


# All that the pickle in trainer.pt refers to: tensors.
_REFERRED = re.compile(r"collections OrderedDict|torch \w+Storage|torch\._utils _rebuild_tensor_v2")


def _check_archive(file: Path) -> None:
    """Raise a ValueError for what torch.save does not write of a trainer's state, before it is
    read: packed records, and calls of what weights_only=True lets through besides tensors, may
    take any amount of memory."""
    with zipfile.ZipFile(file) as archive:
        records = archive.infolist()
        if sum(record.file_size for record in records) > file.stat().st_size:
            raise ValueError("it unpacks to more than it takes")
        for record in records:
            if record.filename.endswith("data.pkl"):
                for opcode, argument, _ in pickletools.genops(archive.read(record)):
                    if "GLOBAL" in opcode.name and not _REFERRED.fullmatch(str(argument)):
                        raise ValueError(f"it refers to {argument}")


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
        steps = sorted(self.path.glob("step-*/config.json")) if which == "latest" else []
        return steps[-1].parent if steps else None

    def save(
        self,
        step: int,
        model: GPT,
        tokenizer: BaseTokenizer,
        train: dict[str, Any],
        documents: int,
        trainer: dict[str, Any],
    ) -> Path:
        """Write a checkpoint and let `latest` name it. A kill leaves the one before whole."""
        folder = self.path / f"step-{step:06d}"
        with atomic_dir(folder) as temporary, _full_disk(folder):
            save_model(model, str(temporary / WEIGHTS))
            tokenizer.save(temporary)
            with (temporary / TRAINER).open("wb") as file:  # whose errors tell their reason
                torch.save(trainer, file)
            content = {
                "format": FORMAT,
                "version": VERSION,
                "step": step,
                "documents": documents,
                "model": model.config.to_dict(),
                "train": train,
                "files": {f.name: sha256_file(f) for f in sorted(temporary.iterdir())},
            }
            write_json(temporary / "config.json", {**content, "sha256": _digest(content)})
        write_text(self.path / "latest", folder.name + "\n")
        return folder

    def mark_best(self, step: int) -> None:
        """Let `best` name a step that is saved."""
        write_text(self.path / "best", f"step-{step:06d}\n")

    def prune(self) -> None:
        """Delete the steps that neither `latest` nor `best` names, and what a kill left half
        written."""
        keep = {self.pointer("latest"), self.pointer("best")}
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


def _digest(content: dict[str, Any]) -> str:
    """The SHA-256 of what config.json says, whatever its layout."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode("ascii")).hexdigest()


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


def find_checkpoint(spec: str | None, ckpt_dir: Path) -> Path:
    """The folder of the checkpoint that the user means.

    spec: None for the best step of the newest run, "latest" for its latest, a run's name, a run's
    folder, or a step's folder. Raises CheckpointError, which lists the runs that exist.
    """
    runs = find_runs(ckpt_dir)
    if spec in (None, "best", "latest"):
        if not runs:
            raise CheckpointError(
                f"there is no trained run under {ckpt_dir}", "Train one first: yocto train"
            )
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
