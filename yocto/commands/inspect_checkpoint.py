"""What a checkpoint, a run or a folder of runs holds, told without reading weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yocto.checkpoint import Checkpoint, Run, find_runs
from yocto.checkpoint.step import FORMAT
from yocto.errors import CheckpointError, YoctoError
from yocto.model.size import count_parameters
from yocto.training.history import StepFacts, evaluations
from yocto.training.metrics import MetricsFile
from yocto.utils.files import parse_json
from yocto.utils.progress import Progress

# Of all settings those that tell one run from another.
_TOLD = (
    "mode", "source", "architecture", "preset", "data_dir", "batch_size",
    "gradient_accumulation_steps", "max_iters", "learning_rate", "min_lr", "warmup_iters",
    "weight_decay", "dropout", "dtype", "seed",
)  # fmt: skip


@dataclass(frozen=True)
class CheckpointFacts:
    """A checkpoint, and the run it is of.

    path: the step that is told of. best, latest: of the run; None where it is not known. files:
    name -> bytes, None for one that is missing.
    """

    path: str
    run: str
    step: StepFacts
    best: StepFacts | None
    latest: StepFacts | None
    steps: list[int]
    model: dict[str, Any]
    parameters: int
    documents: int
    tokenizer: str
    tokenizer_vocab_size: int
    training: dict[str, Any]
    files: dict[str, int | None]


@dataclass(frozen=True)
class RunLine:
    """A run in a list. problem: why nothing can be told of it, else ""."""

    name: str
    path: str
    step: int | None = None
    parameters: int | None = None
    best: StepFacts | None = None
    problem: str = ""


def is_step(folder: Path) -> bool:
    """Whether a folder is a checkpoint's; a damaged one in a run's folder counts too."""
    file = folder / "config.json"
    if not file.is_file():
        return False
    try:
        content = parse_json(file.read_bytes())
    except (OSError, ValueError):
        return folder.name.startswith("step-")
    return isinstance(content, dict) and content.get("format") == FORMAT


def inspect_step(folder: Path) -> CheckpointFacts:
    """Tell of one step's folder. Raises CheckpointError or TokenizerFileError."""
    checkpoint = Checkpoint.read(folder)
    run = Run(folder.absolute().parent)
    metrics = _measured(run)
    tokenizer = checkpoint.load_tokenizer()
    best, latest = (_pointed(run, which, metrics) for which in ("best", "latest"))
    return CheckpointFacts(
        path=str(folder),
        run=run.name,
        step=_facts(checkpoint.step, metrics),
        best=best,
        latest=latest,
        steps=sorted(number for path in _steps(run.path) if (number := _number(path)) is not None),
        model=checkpoint.model.to_dict(),
        parameters=count_parameters(checkpoint.model),
        documents=checkpoint.documents,
        tokenizer=tokenizer.kind,
        tokenizer_vocab_size=tokenizer.vocab_size,
        training={k: checkpoint.train[k] for k in _TOLD if checkpoint.train.get(k) is not None},
        files={name: _size(folder / Path(name).name) for name in checkpoint.files},
    )


def inspect_run(folder: Path) -> CheckpointFacts:
    """Tell of a run by its best step, or its latest where none is the best yet."""
    run = Run(folder)
    step = run.pointer("best") or run.pointer("latest")
    if step is None:
        raise CheckpointError(f"the run {folder} has no checkpoint", "Train it: yocto train")
    return inspect_step(step)


def list_runs(folder: Path) -> list[RunLine]:
    """The runs in a folder, the newest first; what is wrong with one is told in its line."""
    lines = []
    for run in find_runs(folder):
        latest = run.pointer("latest")
        assert latest is not None, "find_runs sees to it"
        try:
            checkpoint = Checkpoint.read(latest)
        except YoctoError as error:
            lines.append(RunLine(run.name, str(run.path), problem=error.message))
            continue
        best = _pointed(run, "best", _measured(run))
        parameters = count_parameters(checkpoint.model)
        lines.append(RunLine(run.name, str(run.path), checkpoint.step, parameters, best))
    return lines


def verify_steps(folder: Path, progress: Progress) -> list[str]:
    """Compare every checksum of a step, of all steps of a run, or of all runs in a folder; returns
    the files. Raises CheckpointError, which names the file."""
    folders = [folder] if is_step(folder) else _steps(folder)
    if not folders:
        folders = [step for run in find_runs(folder) for step in _steps(run.path)]
    checkpoints = [Checkpoint.read(step) for step in folders]
    verified = []
    total = sum(_size(c.path / Path(name).name) or 0 for c in checkpoints for name in c.files)
    with progress.task("verifying", total, "byte") as task:
        for checkpoint in checkpoints:
            for name in checkpoint.files:
                checkpoint.verify(name)
                task.advance(_size(checkpoint.path / Path(name).name) or 0)
                verified.append(str(checkpoint.path / name))
            checkpoint.check_size()
            verified.append(str(checkpoint.path / "config.json"))  # read, it has checked itself
    return verified


def _steps(folder: Path) -> list[Path]:
    return sorted(file.parent for file in folder.glob("step-*/config.json"))


def _number(step: Path) -> int | None:
    number = step.name.removeprefix("step-")
    return int(number) if number.isdecimal() else None


def _size(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except (OSError, ValueError):
        return None


def _measured(run: Run) -> dict[int, StepFacts]:
    """Step -> its evaluation."""
    lines = MetricsFile(run.path / "metrics.jsonl").read()
    return {facts.step: facts for facts in evaluations(lines)}


def _pointed(run: Run, which: str, metrics: dict[int, StepFacts]) -> StepFacts | None:
    step = run.pointer(which)
    number = None if step is None else _number(step)
    return None if number is None else _facts(number, metrics)


def _facts(step: int, metrics: dict[int, StepFacts]) -> StepFacts:
    return metrics.get(step, StepFacts(step, None, None, None))
