"""The settings of the commands that tell what tokenizers and models are worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from yocto.config.commands import DEFAULT_TEXT, TextConfig, TrainTokenizerConfig
from yocto.config.knobs import knob, path_knob
from yocto.errors import ConfigError

_OF_TRAINING = (("kind", "byte-bpe"), ("pattern", "gpt2"), ("out_dir", None))


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
