"""yocto sample: a checkpoint to text."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from yocto.api import LanguageModel
from yocto.checkpoint import find_checkpoint
from yocto.config import SampleConfig
from yocto.dataset.text import read_text
from yocto.errors import ConfigError
from yocto.sampling.request import make_generators
from yocto.utils.progress import Progress


@dataclass(frozen=True)
class Samples:
    """Texts that are made while they are read.

    prompt: what each text begins with. texts: for each sample the pieces that follow the prompt.
    """

    checkpoint: str
    prompt: str
    texts: Iterator[Iterator[str]]
    stream: bool


def run(config: SampleConfig, progress: Progress) -> Samples:
    """Open the checkpoint and the prompt; the text is made when the result is read."""
    path = find_checkpoint(config.ckpt, Path(config.ckpt_dir))
    lm = LanguageModel.open(
        path, config.device, config.quantize, progress, config.max_new_tokens * config.num_samples
    )
    prompt = read_prompt(config.prompt)
    ids = lm.prompt_ids(prompt)
    if len(ids) > lm.block_size:
        progress.notice(
            f"the prompt has {len(ids)} tokens; the model sees the last {lm.block_size} of them"
        )
    generators = make_generators(config.seed, config.num_samples)
    texts = (lm.stream_ids(ids, config, generators=[one]) for one in generators)
    return Samples(str(path), prompt, texts, config.stream)


def read_prompt(prompt: str) -> str:
    """The prompt's text: @FILE is read from the file, - from standard input."""
    if prompt == "-":
        try:
            return sys.stdin.buffer.read().decode("utf-8")
        except UnicodeDecodeError as error:
            raise ConfigError(
                f"byte {error.start} of standard input is not UTF-8", "Convert it with iconv."
            ) from error
    return (
        read_text(prompt[1:], "Check --prompt: @ names a file.")
        if prompt.startswith("@")
        else prompt
    )
