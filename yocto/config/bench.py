"""The settings of each measurement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from yocto.config.commands import DEFAULT_TEXT
from yocto.config.knobs import Config, knob, path_knob


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
