"""A model in Hugging Face's format, read: weights, tokenizer, and what goes with them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from yocto.checkpoint.chat_template import GENERATION, SETTINGS, TEMPLATE
from yocto.errors import CheckpointError
from yocto.interop.chat_templates import is_own
from yocto.interop.hf_config import Source, read_config
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.ids import IdsTokenizer
from yocto.tokenizer.store import find_tokenizer, load_tokenizer
from yocto.utils.files import making, read_json
from yocto.utils.progress import Progress

if TYPE_CHECKING:
    from yocto.model.gpt import GPT

_HINT = "Put the file right, or take it away."


@dataclass(frozen=True)
class HFModel:
    """What a folder holds. beside: name -> content of the files that a checkpoint carries on."""

    source: Source
    model: GPT
    tokenizer: BaseTokenizer
    beside: dict[str, bytes]

    @property
    def documents(self) -> int:
        """How many documents the model learnt from, as far as that can be told: more than one where
        some id ends them."""
        return 2 if self.source.eos or self.tokenizer.end_id is not None else 1


def read_model(folder: Path, progress: Progress) -> HFModel:
    """Read a model. Raises CheckpointError or TokenizerFileError, which name the file and what is
    wrong with it; the weights are read last."""
    source = read_config(folder)
    tokenizer = _tokenizer(folder, source)
    beside = _beside(folder, source)
    from yocto.interop.hf_weights import HFWeights  # torch, once the rest is known to be right

    model = HFWeights(folder, source.family).load(source, progress)
    return HFModel(source, model, tokenizer, beside)


def _tokenizer(folder: Path, source: Source) -> BaseTokenizer:
    """The one beside the model, or numbers where there is none."""
    size = source.model.vocab_size
    if find_tokenizer(folder) is None:
        return IdsTokenizer(size, source.bos, next(iter(source.eos), None))
    tokenizer = load_tokenizer(folder)
    if tokenizer.vocab_size > size:
        raise CheckpointError(
            f"the tokenizer in {folder} has ids below {tokenizer.vocab_size}, but the model knows "
            f"only those below {size}",
            "They don't belong together: fetch both from one place.",
        )
    return tokenizer


def _beside(folder: Path, source: Source) -> dict[str, bytes]:
    """What a checkpoint carries on: how a text ends, and how conversations are written."""
    found = {}
    for name in (GENERATION, SETTINGS, TEMPLATE):
        file = folder / name
        if file.is_file():
            with making(file):
                found[name] = file.read_bytes()
    if TEMPLATE in found and is_own(found[TEMPLATE]):
        del found[TEMPLATE]  # yocto knows it by itself, with more care
    told = read_json(folder / GENERATION, CheckpointError, _HINT) if GENERATION in found else {}
    if not isinstance(told, dict):
        raise CheckpointError(f"{folder / GENERATION} holds no table", _HINT)
    if told.get("eos_token_id") is None and source.eos:
        eos = list(source.eos) if len(source.eos) > 1 else source.eos[0]
        told = {**told, "bos_token_id": source.bos, "eos_token_id": eos}
        found[GENERATION] = (json.dumps(told, indent=2) + "\n").encode()
    return found
