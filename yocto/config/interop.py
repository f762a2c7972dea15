"""The settings of the commands that read and write the formats of other tools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from yocto.config.knobs import Config, knob, path_knob
from yocto.errors import ConfigError

IMPORTED = "import"  # the mode of a run that was not trained here

# What the weights of each format may be kept as; the first one is the default.
DTYPES: dict[str, tuple[str, ...]] = {
    "hf": ("float32", "bfloat16", "float16"),
    "gguf": ("float16", "float32", "q8_0"),
}


@dataclass(frozen=True, kw_only=True)
class ImportConfig(Config):
    """Settings of `yocto import`."""

    path: str | None = path_knob(
        None,
        "Folder of a GPT-2, Llama or Qwen3 model in Hugging Face's format: config.json and "
        "model.safetensors, with its tokenizer if there is one.",
        default_text="none", positional=True,
    )  # fmt: skip
    run_name: str | None = path_knob(
        None, "Name of the run that it becomes.", default_text="the folder's name"
    )
    ckpt_dir: str = path_knob("checkpoints", "Folder where runs lie.")
    overwrite: bool = knob(False, "Replace a run of this name.")


@dataclass(frozen=True, kw_only=True)
class ExportConfig(Config):
    """Settings of `yocto export`."""

    ckpt: str | None = path_knob(
        None, "A run's name, latest, or a folder of a run or a step.",
        default_text="the best step of the newest run",
    )  # fmt: skip
    ckpt_dir: str = path_knob("checkpoints", "Folder where runs are looked for.")
    format: Literal["hf", "gguf"] = knob(
        "hf", "A folder for Hugging Face's transformers, or a file for llama.cpp and ollama."
    )
    out_path: str | None = path_knob(
        None,
        "The folder, or the file, to write.",
        default_text="exports/RUN-hf or exports/RUN.gguf",
    )
    dtype: Literal["float32", "bfloat16", "float16", "q8_0"] | None = knob(
        None,
        "What the weights are kept as: of hf float32, bfloat16 or float16, of gguf float32, "
        "float16 or q8_0.",
        default_text="float32 of hf, float16 of gguf",
    )
    overwrite: bool = knob(False, "Replace an exported model that lies there.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dtype is not None and self.dtype not in DTYPES[self.format]:
            raise ConfigError(
                f"format {self.format} keeps no weights as {self.dtype}",
                f"It takes {', '.join(DTYPES[self.format])}.",
            )

    @property
    def weights(self) -> str:
        """dtype, or the format's own where it is left open."""
        return self.dtype or DTYPES[self.format][0]
