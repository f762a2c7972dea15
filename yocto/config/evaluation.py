"""The settings of what measures how good models and tokenizers are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from yocto.config.commands import DEFAULT_TEXT, TextConfig, TrainTokenizerConfig
from yocto.config.knobs import Config, knob, path_knob
from yocto.errors import ConfigError

_OF_TRAINING = (("kind", "byte-bpe"), ("pattern", "gpt2"), ("out_dir", None))


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
class CompareTokenizersConfig(TextConfig):
    """Settings of `yocto compare-tokenizers`."""

    tokenizer: tuple[str, ...] = path_knob(
        (),
        "Tokenizers: a file or its folder, a run or checkpoint, or a name: gpt2, cl100k, o200k.",
        positional=True, default_text="none",
    )  # fmt: skip
    text_path: tuple[str, ...] = path_knob(
        (DEFAULT_TEXT,),
        "Text to measure on: a file, a folder, a glob, a URL, or - for standard input; repeat it "
        "for several, each of which has figures of its own.",
    )
    train_sizes: str | None = knob(
        None,
        "Train tokenizers of these sizes on the first 90 % of each text, and measure all on the "
        "last 10 %: 1000,4000,16k.",
        low=1, high=1000, default_text="off",
    )  # fmt: skip
    kind: Literal["byte-bpe", "char-bpe", "word"] = knob(
        "byte-bpe", "What --train-sizes trains, as train-tokenizer has it."
    )
    pattern: str = knob(
        "gpt2",
        "How --train-sizes splits text: gpt2, gpt4, gpt4o, llama3, qwen2, or a regex.",
        low=1, high=10_000,
    )  # fmt: skip
    out_dir: str | None = path_knob(
        None, "Folder for the trained tokenizers, each in a folder of its own.",
        default_text="they are not kept",
    )  # fmt: skip
    out_path: str | None = path_knob(
        None, "Picture to write: FILE.png or FILE.svg.", default_text="none"
    )
    ckpt_dir: str = path_knob("checkpoints", "Folder where runs are looked for by name.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.train_sizes is None:
            if given := [n for n, default in _OF_TRAINING if getattr(self, n) != default]:
                raise ConfigError(
                    f"{' and '.join(given)} can't go without train_sizes: nothing is trained",
                    "Say which sizes: --train-sizes 1000,8000",
                )
            return
        for size in self.sizes():
            # What train-tokenizer would refuse.
            settings = {"kind": self.kind, "pattern": self.pattern, "vocab_size": size}
            TrainTokenizerConfig.from_dict(settings, "train_sizes")

    def sizes(self) -> list[int]:
        """The sizes to train, each once, the smallest first."""
        hint = "Sizes stand with commas between them: --train-sizes 1000,4000,16k"
        found = set()
        for word in (self.train_sizes or "").replace(",", " ").split():
            number = int(word) if word.isascii() and word.isdecimal() else word
            try:
                checked = TrainTokenizerConfig.checked({"vocab_size": number})
            except ConfigError as error:
                what = error.message.replace("vocab_size is", "a size is", 1)
                raise ConfigError(f"train_sizes: {what}", hint) from None
            found.add(int(checked["vocab_size"]))
        if self.train_sizes is not None and not found:
            raise ConfigError(f"train_sizes is {self.train_sizes!r}, which names no size", hint)
        return sorted(found)


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
