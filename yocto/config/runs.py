"""The settings of the commands that look at runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from yocto.config.knobs import Config, knob, path_knob


@dataclass(frozen=True, kw_only=True)
class RunsConfig(Config):
    """Settings of `yocto runs`."""

    ckpt_dir: str = path_knob("checkpoints", "Folder where runs lie.")
    sort: Literal["time", "name", "loss"] = knob(
        "time", "The newest first, by name, or the lowest best validation loss first."
    )


@dataclass(frozen=True, kw_only=True)
class RunsCompareConfig(Config):
    """Settings of `yocto runs compare`."""

    run: tuple[str, ...] = path_knob(
        (), "Two runs or more, by name or folder.", positional=True, default_text="none"
    )
    ckpt_dir: str = path_knob("checkpoints", "Folder where runs are looked for by name.")


@dataclass(frozen=True, kw_only=True)
class PlotConfig(Config):
    """Settings of `yocto plot`."""

    run: tuple[str, ...] = path_knob(
        (), "Runs, by name or folder.", positional=True, default_text="the newest"
    )
    out_path: str = path_knob("curves.png", "Picture to write: FILE.png or FILE.svg.")
    x: Literal["steps", "tokens", "seconds"] = knob("steps", "What runs from left to right.")
    y: Literal["loss", "bits-per-byte", "learning-rate", "grad-norm", "tokens-per-second"] = knob(
        "loss",
        "What is drawn: loss and bits-per-byte of the validation split, loss of the training text "
        "too.",
    )
    ckpt_dir: str = path_knob("checkpoints", "Folder where runs are looked for by name.")
