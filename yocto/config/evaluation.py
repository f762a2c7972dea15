"""The settings of what measures how good models and tokenizers are."""

from __future__ import annotations

from dataclasses import dataclass

from yocto.config.commands import TextConfig
from yocto.config.knobs import knob, path_knob


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
