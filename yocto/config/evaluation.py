"""The settings of what measures how good models and tokenizers are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from yocto.config.commands import TextConfig
from yocto.config.knobs import Config, knob, path_knob
from yocto.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class EvalConfig(TextConfig):
    """Settings of `yocto eval`."""

    ckpt: str | None = path_knob(
        None, "latest, a run's name or a path.", default_text="the best step of the newest run"
    )
    ckpt_dir: str = path_knob("checkpoints", "Folder where runs lie.")
    text_path: tuple[str, ...] = path_knob(
        (),
        "Text to measure: a file, a folder, a glob, a URL, or - for standard input; repeat it for "
        "several.",
        default_text="the validation split of the run's own token files",
    )
    data_dir: str | None = path_knob(
        None, "Folder of token files whose validation split is measured.",
        default_text="the run's own, where neither a text nor a task is named",
    )  # fmt: skip
    task: tuple[str, ...] = path_knob(
        (),
        "Task: a file of JSON lines, or NAME=FILE where NAME is hellaswag, lambada, blimp or "
        "multiple-choice; repeat it for several. A folder of blimp's files is one task.",
        default_text="none",
    )
    stride: int | None = knob(
        None, "Tokens from the start of a window of text to that of the next one.",
        low=1, high=1 << 20, default_text="block_size",
    )  # fmt: skip
    batch_size: int | None = knob(
        None, "Windows that are read at once; of shorter rows more.", low=1, high=1 << 20,
        default_text="what suits the device",
    )  # fmt: skip
    limit: int | None = knob(
        None, "Rows of each task's file.", low=1, high=1 << 40, default_text="all"
    )
    skip_bad: bool = knob(False, "Pass over rows that are damaged, and count them.")
    rows_path: str | None = path_knob(
        None, "File to write, with a JSON line for each row of the tasks.", default_text="none"
    )
    save: bool = knob(True, "Note the results in the run's evaluations.jsonl.")
    device: str = path_knob("auto", "auto, cpu, cuda, cuda:N or mps.")


@dataclass(frozen=True, kw_only=True)
class ReportConfig(Config):
    """Settings of `yocto report`."""

    run: tuple[str, ...] = path_knob(
        (), "Runs, by name or folder.", positional=True, default_text="the newest that was trained"
    )
    out_path: str = path_knob("report.html", "File to write: FILE.html or FILE.md.")
    format: Literal["both", "html", "md"] = knob(
        "both",
        "HTML, Markdown, or both beside each other; with an --out-path that ends in .md Markdown "
        "alone.",
    )
    prompt: tuple[str, ...] = knob(
        (), "Text to continue, or a question to a model that answers; repeat it for several.",
        low=0, high=100_000, default_text="the start of a text, or a question",
    )  # fmt: skip
    temperature: tuple[str, ...] = knob(
        ("0", "0.5", "0.8", "1.0"), "Temperature of a sample; 0 is greedy; repeat it for several.",
        low=1, high=20,
    )  # fmt: skip
    max_new_tokens: int | None = knob(
        None, "Most tokens of a sample.", low=1, high=100_000,
        default_text="100, or 300 characters",
    )  # fmt: skip
    seed: int = knob(1337, "Seed of the samples.", low=0, high=2**63 - 1)
    samples: bool = knob(True, "Let the models write.")
    overwrite: bool = knob(False, "Replace a file that is no report.")
    ckpt_dir: str = path_knob("checkpoints", "Folder where runs are looked for by name.")
    device: str = path_knob("auto", "auto, cpu, cuda, cuda:N or mps.")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.temperatures()  # raises where one is none

    def temperatures(self) -> list[float]:
        """The temperatures as numbers, each once. Raises ConfigError, which names the wrong one."""
        found = []
        for text in self.temperature:
            try:
                value = float(text)
            except ValueError:
                value = math.nan
            if not 0 <= value <= 100:  # NaN neither
                raise ConfigError(
                    f"temperature is {text!r}, but it takes numbers from 0 to 100",
                    "Like --temperature 0 --temperature 0.8; 0 is greedy.",
                )
            found.append(value)
        return list(dict.fromkeys(found))
