"""The settings of each measurement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from yocto.config.commands import DEFAULT_TEXT
from yocto.config.knobs import Config, knob, knobs, path_knob
from yocto.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class BenchConfig(Config):
    """Settings of `yocto bench` by itself."""

    text_path: str = path_knob(DEFAULT_TEXT, "Text file: plain text in UTF-8.")
    vocab_size: int = knob(8000, "Tokens that are learnt, bytes included.", low=256, high=1 << 20)
    rounds: int = knob(3, "How often each engine is measured.", low=1, high=1000)
    peers: tuple[str, ...] | None = path_knob(
        None, "What to measure yocto against; repeat it for several.",
        default_text="all that are installed",
    )  # fmt: skip
    out_path: str | None = path_knob(
        None, "Markdown file to write the table into: FILE.md.", default_text="none"
    )


@dataclass(frozen=True, kw_only=True)
class BenchTokenizerConfig(Config):
    """Settings of `yocto bench tokenizer`."""

    text_path: tuple[str, ...] = path_knob((DEFAULT_TEXT,), "Text file; repeat it for several.")
    tokenizer_path: str | None = path_knob(
        None, "Tokenizer that encodes, of kind byte-bpe: a file or its folder.",
        default_text="one is trained on the text",
    )  # fmt: skip
    vocab_size: int = knob(
        8000, "Tokens that the trainers reach, bytes included.", low=256, high=1 << 20
    )
    rounds: int = knob(5, "How often each engine is measured.", low=1, high=1000)
    only: Literal["encode", "train"] | None = knob(
        None, "Measure encoding or training alone.", default_text="both"
    )
    peers: tuple[str, ...] | None = path_knob(
        None, "Engine to measure yocto against; repeat it for several.",
        default_text="tiktoken tokenizers rustbpe gigatoken fastokens",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class BenchEncodeConfig(Config):
    """Settings of `yocto bench encode`."""

    text_path: str = path_knob(DEFAULT_TEXT, "Text file: plain text in UTF-8.")
    tokenizer_path: str | None = path_knob(
        None, "Tokenizer that encodes, of kind byte-bpe: a file or its folder.",
        default_text="one is trained on the text",
    )  # fmt: skip
    vocab_size: int = knob(
        8000, "Tokens of the one that is trained, bytes included.", low=256, high=1 << 20
    )
    rounds: int = knob(5, "How often each engine is measured.", low=1, high=1000)
    peers: tuple[str, ...] | None = path_knob(
        None, "Engine to measure yocto against; repeat it for several.",
        default_text="tiktoken tokenizers",
    )  # fmt: skip
    work_dir: str | None = path_knob(
        None, "Folder for the .bin files, deleted at the end.",
        default_text="the system's temporary one",
    )  # fmt: skip


# What means nothing to one of the two parts of `yocto bench train`.
_OF_LEARNING = ("seeds", "target_loss", "scale")
_OF_SPEED = ("n_layer", "n_head", "n_embd", "block_size", "batch_size", "rounds")


@dataclass(frozen=True, kw_only=True)
class BenchTrainConfig(Config):
    """Settings of `yocto bench train`."""

    text_path: tuple[str, ...] = path_knob(
        (DEFAULT_TEXT,), "Text file, read as characters; repeat it for several."
    )
    only: Literal["learning", "speed"] | None = knob(
        None, "Measure one part alone: the time to a loss, or the tokens per second.",
        default_text="both",
    )  # fmt: skip
    seeds: int = knob(3, "Learning: how often each recipe is run.", low=1, high=1000)
    target_loss: float | None = knob(
        None, "Learning: the loss whose time is told, nats per character.", low=0, high=100,
        default_text="what nanogpt-recipe ends at, seed by seed",
    )  # fmt: skip
    scale: float = knob(
        1.0, "Learning: every recipe's iterations, times this.", low=0.001, high=100
    )
    n_layer: int = knob(4, "Speed: number of transformer blocks.", low=1, high=1000)
    n_head: int = knob(4, "Speed: number of attention heads.", low=1, high=1024)
    n_embd: int = knob(128, "Speed: width of the model.", low=1, high=65536)
    block_size: int = knob(64, "Speed: tokens in a sequence.", low=1, high=1 << 20)
    batch_size: int = knob(12, "Speed: sequences in a step.", low=1, high=1 << 20)
    rounds: int = knob(10, "Speed: how often each side is measured.", low=1, high=1000)
    threads: int = knob(
        1, "Threads of each side; one stays on one core, whatever else a library starts.",
        low=1, high=1024,
    )  # fmt: skip
    peers: tuple[str, ...] | None = path_knob(
        None, "What to measure yocto against; repeat it for several.",
        default_text="nanogpt-recipe transformers",
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        others = {"learning": _OF_SPEED, "speed": _OF_LEARNING}.get(self.only or "", ())
        idle = [f for f in knobs(BenchTrainConfig) if f.name in others]
        if given := [f.name for f in idle if getattr(self, f.name) != f.default]:
            part = "speed" if self.only == "learning" else "learning"
            raise ConfigError(
                f"{' and '.join(given)} can't go with only={self.only}",
                f"It is for the part {part}: leave it out, or say --only {part}.",
            )


@dataclass(frozen=True, kw_only=True)
class BenchDecodeConfig(Config):
    """Settings of `yocto bench decode`."""

    family: Literal["gpt2", "llama", "qwen3"] = knob("gpt2", "Architecture of the model.")
    n_layer: int = knob(8, "Number of transformer blocks.", low=1, high=1000)
    n_head: int = knob(8, "Number of attention heads.", low=1, high=1024)
    n_embd: int = knob(512, "Width of the model.", low=1, high=65536)
    block_size: int = knob(
        512, "Context: the most tokens that the model sees.", low=2, high=1 << 20
    )
    vocab_size: int = knob(8000, "Number of different tokens.", low=1, high=1 << 24)
    prompt_tokens: int = knob(16, "Tokens of each prompt.", low=1, high=1 << 20)
    new_tokens: int = knob(256, "Tokens that follow it.", low=1, high=1 << 20)
    batch_size: int = knob(16, "Texts at a time where there are several.", low=2, high=4096)
    rounds: int = knob(5, "How often each side is measured.", low=1, high=1000)
    threads: int = knob(
        1, "Threads of each side; one stays on one core, whatever else a library starts.",
        low=1, high=1024,
    )  # fmt: skip
    peers: tuple[str, ...] | None = path_knob(
        None, "What to measure yocto against; repeat it for several.",
        default_text="no-cache transformers",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class BenchEvalConfig(Config):
    """Settings of `yocto bench eval`."""

    family: Literal["gpt2", "llama", "qwen3"] = knob("gpt2", "Architecture of the model.")
    n_layer: int = knob(4, "Number of transformer blocks.", low=1, high=1000)
    n_head: int = knob(4, "Number of attention heads.", low=1, high=1024)
    n_embd: int = knob(128, "Width of the model.", low=1, high=65536)
    block_size: int = knob(
        128, "Context: the most tokens that the model sees.", low=2, high=1 << 20
    )
    vocab_size: int = knob(8000, "Number of different tokens.", low=1, high=1 << 24)
    batch_size: int = knob(8, "Windows at a time.", low=1, high=4096)
    batches: int = knob(4, "Batches in a turn.", low=1, high=1 << 20)
    rounds: int = knob(9, "How often each side is measured.", low=1, high=1000)
    threads: int = knob(1, "Threads of each side.", low=1, high=1024)
