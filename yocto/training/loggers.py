"""Where the lines of metrics.jsonl go besides: TensorBoard, or Weights & Biases.

Nothing here may end a run: what fails while it trains is told once, and left out from there on.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from yocto.errors import ConfigError, RunError
from yocto.utils.files import write_text
from yocto.utils.progress import Progress, number

LOGGERS = ("tensorboard", "wandb")  # as typed, and as the packages are called
_NAMES = {
    "train_loss": "loss/train", "val_loss": "loss/val", "val_bits_per_byte": "bits_per_byte/val",
}  # fmt: skip
_FLUSH = 10  # seconds until TensorBoard can see what was written


class Logger(Protocol):
    """What is told of a run while it trains."""

    def record(self, line: Mapping[str, Any]) -> None:
        """A line of metrics.jsonl."""

    def sample(self, step: int, text: str) -> None:
        """What the model writes at this step."""

    def close(self) -> None:
        """The run is over, or interrupted."""


def check_loggers(names: Sequence[str]) -> None:
    """Raise a ConfigError for a logger that there is not, or whose package is not installed."""
    for name in names:
        if name not in LOGGERS:
            raise ConfigError(f"--log: there is no {name!r}", f"There are {', '.join(LOGGERS)}.")
        if find_spec(name) is None:
            raise ConfigError(
                f"--log {name} takes the package {name}, which is not installed",
                "pip install 'yocto[log]'",
            )


def make_loggers(
    names: Sequence[str],
    run_path: Path,
    settings: Mapping[str, Any],
    resumed_step: int | None,
    progress: Progress,
) -> list[Logger]:
    """The loggers of a run, ready to be told.

    run_path: its folder; its name there is its name everywhere. settings: of the run, plain values.
    resumed_step: the step that it goes on at, whose evaluation may come again; None for a new run.
    Raises ConfigError as `check_loggers` does, and RunError where one can't start.
    """
    check_loggers(names)
    loggers: list[Logger] = []
    for name in dict.fromkeys(names):
        try:
            logger: Logger
            if name == "tensorboard":
                logger = TensorBoardLogger(run_path, settings, resumed_step)
            else:
                logger = WandbLogger(run_path, settings, resumed_step, progress)
        except Exception as error:
            for begun in loggers:
                begun.close()
            raise RunError(
                f"--log {name} can't start: {_reason(error)}",
                "Leave it out: metrics.jsonl has the same lines."
                + (" Or set WANDB_MODE=offline." if name == "wandb" else ""),
            ) from error
        loggers.append(_Spared(name, logger, progress))
    return loggers


def scalars(line: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a line of metrics.jsonl, by the names that they have in a logger.

    An evaluation's line has only what is its own: its train_loss is the mean of what the lines
    before it said. The whole split at the end of a run is another measure than the share of it that
    the evaluations before took, and has a name of its own.
    """
    evaluation = "val_loss" in line
    skipped = ("step", "seconds", *(("train_loss", "tokens") if evaluation else ()))
    end = "_whole_split" if line.get("whole_split") else ""
    values = {key: number(line, key) for key in line if key not in skipped}
    return {_NAMES.get(k, k) + end: value for k, value in values.items() if value is not None}


class TensorBoardLogger:
    """Event files in the run's folder tensorboard/: `tensorboard --logdir checkpoints` shows all
    runs.

    What earlier files there say of steps that are taken again, or of a run that this one takes the
    place of, is not shown any more.
    """

    def __init__(
        self, run_path: Path, settings: Mapping[str, Any], resumed_step: int | None
    ) -> None:
        from torch.utils.tensorboard import SummaryWriter

        first = 0 if resumed_step is None else resumed_step + 1
        folder = str(run_path / "tensorboard")
        self._writer: Any = SummaryWriter(folder, purge_step=first, flush_secs=_FLUSH)
        if resumed_step is None:
            lines = [f"{name}: {value}" for name, value in settings.items()]
            self._writer.add_text("settings", _verbatim("\n".join(lines)), 0)

    def record(self, line: Mapping[str, Any]) -> None:
        """Its numbers as scalars."""
        for name, value in scalars(line).items():
            self._writer.add_scalar(name, value, line["step"])

    def sample(self, step: int, text: str) -> None:
        """The text as it is."""
        self._writer.add_text("sample", _verbatim(text), step)

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()


class WandbLogger:
    """A run in the project yocto on Weights & Biases. Its id is kept in the run's folder, so that a
    resumed run goes on there.

    Without a login, or with WANDB_MODE=offline, all is written into the run's folder wandb/, for
    `wandb sync`. It never asks.
    """

    def __init__(
        self,
        run_path: Path,
        settings: Mapping[str, Any],
        resumed_step: int | None,
        progress: Progress,
    ) -> None:
        import wandb

        mode = os.environ.get("WANDB_MODE")
        if not mode and not wandb.login(prompt=False, verify=False):
            mode = "offline"
            progress.notice(
                f"not logged in to Weights & Biases: all is written to {run_path / 'wandb'}, for "
                f"`wandb sync` after `wandb login`"
            )
        self._run: Any = wandb.init(
            project="yocto", name=run_path.name, id=_run_id(run_path, resumed_step),
            resume="allow", config=dict(settings), dir=str(run_path), mode=mode,
            # Its own lines would run into the view, which it would also copy.
            settings=wandb.Settings(console="off", silent=True),
        )  # fmt: skip
        if mode in (None, "online") and self._run.url:
            progress.say(f"wandb       {self._run.url}")

    def record(self, line: Mapping[str, Any]) -> None:
        """Its numbers; those of steps that it has already are left out by wandb itself."""
        self._run.log(scalars(line), step=line["step"])

    def sample(self, step: int, text: str) -> None:
        """The text as the run's latest."""
        self._run.summary["sample"] = text

    def close(self) -> None:
        """Send what is left."""
        self._run.finish()


class _Spared:
    """A logger whose failure is no failure of the run."""

    def __init__(self, name: str, logger: Logger, progress: Progress) -> None:
        self.name, self.progress = name, progress
        self.logger: Logger | None = logger

    def record(self, line: Mapping[str, Any]) -> None:
        self._tell(lambda logger: logger.record(line))

    def sample(self, step: int, text: str) -> None:
        self._tell(lambda logger: logger.sample(step, text))

    def close(self) -> None:
        self._tell(lambda logger: logger.close())

    def _tell(self, what: Callable[[Logger], None]) -> None:
        if self.logger is None:
            return
        try:
            what(self.logger)
        except Exception as error:
            self.logger = None
            self.progress.notice(
                f"--log {self.name} failed and is off from here on, metrics.jsonl is not: "
                f"{_reason(error)}"
            )


def _run_id(run_path: Path, resumed_step: int | None) -> str:
    """The id that the run has on Weights & Biases; a new one for a new run."""
    file = run_path / "wandb-id"
    if resumed_step is not None and file.is_file():
        kept = file.read_text(encoding="utf-8", errors="replace").strip()
        if kept.isalnum():
            return kept
    made = uuid.uuid4().hex[:12]
    write_text(file, made + "\n")
    return made


def _reason(error: Exception) -> str:
    """The first line of what an error says."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _verbatim(text: str) -> str:
    """Text as a block that Markdown leaves as it is."""
    return "\n".join(f"    {line}" for line in text.splitlines())
