"""What a run has come to: how far it is, what it measured, and whether it is whole.

Read from its folder alone, without torch, so that looking at a hundred runs takes no time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from yocto.checkpoint import LOCK, Checkpoint, Run, find_run, list_runs
from yocto.errors import CheckpointError
from yocto.model.size import count_parameters
from yocto.training.metrics import MetricsFile
from yocto.utils.lock import holder
from yocto.utils.progress import number

Status = Literal["finished", "interrupted", "training", "imported", "no checkpoint", "damaged"]


@dataclass(frozen=True)
class StepFacts:
    """A step, and what was measured there; None where metrics.jsonl does not tell."""

    step: int
    train_loss: float | None
    val_loss: float | None
    bits_per_byte: float | None


@dataclass(frozen=True)
class RunFacts:
    """A run in a list; None stands for what is not known.

    note: what is damaged, or who trains it; else "". written: seconds since 1970. step: of the
    latest checkpoint, and while it is trained of the latest line in metrics.jsonl. tokens, seconds:
    learnt from, and of training, until then. tokens_per_second: the mean.
    """

    name: str
    path: str
    status: Status
    note: str
    written: float
    step: int | None
    max_iters: int | None
    parameters: int | None
    best: StepFacts | None
    last: StepFacts | None
    tokens: int | None
    seconds: float | None
    tokens_per_second: float | None


@dataclass(frozen=True)
class History:
    """A run's latest checkpoint and the lines of its metrics.jsonl, as far as they can be read.

    checkpoint: None where there is none, or its config.json can't be read. damage: what is wrong
    with it, or "".
    """

    run: Run
    checkpoint: Checkpoint | None
    damage: str
    lines: list[dict[str, Any]]

    @property
    def settings(self) -> dict[str, Any]:
        """What the run was trained with; empty where no checkpoint tells."""
        return self.checkpoint.train if self.checkpoint else {}

    @property
    def imported(self) -> bool:
        """Whether the run holds another tool's model, which nothing was measured of."""
        return self.checkpoint is not None and self.checkpoint.imported

    @property
    def tokens_per_step(self) -> int | None:
        """How many tokens one optimizer step sees."""
        names = ("gradient_accumulation_steps", "batch_size", "block_size")
        counts = [_count(self.settings.get(name)) for name in names]
        return None if None in counts else math.prod(filter(None, counts))

    def tokens_at(self, line: Mapping[str, Any]) -> float | None:
        """Tokens learnt from when a line was written; older runs did not note them."""
        noted = number(line, "tokens")
        if noted is None and self.tokens_per_step:
            return float(line["step"] * self.tokens_per_step)
        return noted


def read_history(run: Run) -> History:
    """What can be read of a run; what can't is told in `damage`, never raised."""
    lines: list[dict[str, Any]] = []
    checkpoint, damage = None, ""
    try:
        lines = MetricsFile(run.path / "metrics.jsonl").read()
        step = run.pointer("latest")
        if step is not None:
            checkpoint = Checkpoint.read(step)
            _check_files(checkpoint)
        elif any(run.path.glob("step-*")):
            damage = f"{run.path} has no whole checkpoint"
    except CheckpointError as error:
        damage = error.message
    except OSError as error:
        damage = f"{error.filename or run.path}: {error.strerror or error}"
    return History(run, checkpoint, damage, lines)


def _check_files(checkpoint: Checkpoint) -> None:
    """Raise a CheckpointError for what shows without reading the weights: a file that is missing,
    weights that are cut off or of another shape."""
    checkpoint.check_size()
    for name in checkpoint.files:
        file = checkpoint.path / Path(name).name
        if not file.is_file():
            raise CheckpointError(f"{file} is missing")


def all_runs(ckpt_dir: Path) -> list[RunFacts]:
    """The runs in a folder, the newest first; a damaged one is among them."""
    return [run_facts(read_history(run)) for run in list_runs(ckpt_dir)]


def newest_trained(ckpt_dir: Path) -> History:
    """The newest run that was trained; an imported one, which measured nothing, where there is no
    other. Raises CheckpointError where there is no run."""
    newest = read_history(find_run(None, ckpt_dir))
    if not newest.imported:
        return newest
    histories = map(read_history, list_runs(ckpt_dir))
    return next((history for history in histories if not history.imported), newest)


def labels(histories: Sequence[History]) -> list[str]:
    """The runs' names, or their folders where two have the same name."""
    names = [history.run.name for history in histories]
    if len(set(names)) == len(names):
        return names
    return [str(history.run.path) for history in histories]


def run_facts(history: History) -> RunFacts:
    """How far a run is, and its figures until there."""
    run, checkpoint = history.run, history.checkpoint
    trained_by = holder(run.path / LOCK)
    measured = max((line["step"] for line in history.lines), default=None)
    step = checkpoint.step if checkpoint else measured
    if trained_by is not None and measured is not None:
        step = max(measured, step or 0)
    lines = [line for line in history.lines if step is not None and line["step"] <= step]
    tokens, seconds = _spent(history, lines)
    told = tokens is not None and seconds is not None and tokens > 0 and seconds > 0
    return RunFacts(
        name=run.name,
        path=str(run.path),
        status=_status(history, lines, trained_by),
        note=history.damage or (f"trained by {trained_by}" if trained_by else ""),
        written=run.written(),
        step=step,
        max_iters=_count(history.settings.get("max_iters")),
        parameters=count_parameters(checkpoint.model) if checkpoint else None,
        best=_best(run, lines),
        last=next(evaluations(reversed(lines)), None),
        tokens=tokens,
        seconds=seconds,
        tokens_per_second=tokens / seconds if told and tokens and seconds else None,
    )


def _status(history: History, lines: list[dict[str, Any]], trained_by: str | None) -> Status:
    if trained_by is not None:
        return "training"
    if history.damage:
        return "damaged"
    if history.checkpoint is None:
        return "no checkpoint"
    if history.imported:
        return "imported"
    step, goal = history.checkpoint.step, _count(history.settings.get("max_iters"))
    there = [line for line in lines if line["step"] == step and "val_loss" in line]
    at_end = (goal is not None and step >= goal) or any(x.get("whole_split") for x in there)
    return "finished" if there and at_end else "interrupted"


def _spent(history: History, lines: list[dict[str, Any]]) -> tuple[int | None, float | None]:
    """Tokens learnt from and seconds of training, as the last line with a time has them."""
    for line in reversed(lines):
        tokens, seconds = history.tokens_at(line), number(line, "seconds")
        if seconds is not None:
            return None if tokens is None else int(tokens), seconds
    return None, None


def _best(run: Run, lines: list[dict[str, Any]]) -> StepFacts | None:
    """The evaluation of the step that `best` names, or else the one with the lowest loss."""
    told = [facts for facts in evaluations(lines) if facts.val_loss is not None]
    named = None
    with suppress(OSError):
        named = run.pointer("best")
    for facts in told:
        if named is not None and named.name == f"step-{facts.step:06d}":
            return facts
    return min(told, key=lambda facts: facts.val_loss or 0.0, default=None)


def evaluations(lines: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> Iterator[StepFacts]:
    """The lines that tell of the validation split."""
    for line in lines:
        if "val_loss" in line:
            names = ("train_loss", "val_loss", "val_bits_per_byte")
            yield StepFacts(line["step"], *(number(line, name) for name in names))


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 1 << 62 else None
