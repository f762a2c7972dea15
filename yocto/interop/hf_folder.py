"""A checkpoint as a folder that Hugging Face's transformers opens."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yocto.checkpoint import Checkpoint
from yocto.checkpoint.chat_template import GENERATION, SETTINGS, TEMPLATE
from yocto.checkpoint.step import WEIGHTS
from yocto.errors import CheckpointError
from yocto.interop.chat_templates import chat_template
from yocto.interop.hf_config_write import config_json, family_of, is_exported
from yocto.interop.hf_tokenizer import tokenizer_config, tokenizer_files
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.roles import END
from yocto.utils.files import atomic_dir, parse_json, read_json
from yocto.utils.progress import Progress

_HINT = "Put the file right, or take it away."
_MOST_BANNED = 1000
# All that is ever written.
_NAMES = frozenset({
    "config.json", WEIGHTS, SETTINGS, GENERATION, TEMPLATE, "tokenizer.json", "tokenizer.model",
})  # fmt: skip


@dataclass(frozen=True)
class HFFolder:
    """What was written. notes: what whoever uses it should know."""

    out_path: str
    checkpoint: str
    architecture: str
    dtype: str
    parameters: int
    files: list[str]
    notes: list[str]

    def summary(self) -> list[str]:
        """The result in words."""
        lines = [
            f"{self.architecture}, {self.parameters:,} parameters in {self.dtype} "
            f"-> {self.out_path}",
            f"files: {', '.join(self.files)}",
            *(f"note: {note}" for note in self.notes),
        ]
        opens = f"AutoModelForCausalLM.from_pretrained({self.out_path!r})"
        return [*lines, f"next: {opens}, or yocto import {shlex.quote(self.out_path)}"]


def write_folder(checkpoint: Checkpoint, out: Path, dtype: str, progress: Progress) -> HFFolder:
    """Write config.json, model.safetensors, the tokenizer, generation_config.json and a chat
    template, all or nothing. Raises ExportError for a model that transformers has no class for."""
    family = family_of(checkpoint.model)
    tokenizer = checkpoint.load_tokenizer()
    files, notes = _beside(checkpoint, tokenizer)
    from yocto.interop.hf_weights_write import Written  # torch, once there is something to write

    with progress.task("writing weights", 1, "file") as task:
        written = Written(checkpoint, family)
        files["config.json"] = _json(
            config_json(
                checkpoint.model, family, written.attention_bias, written.mlp_bias,
                _ends(checkpoint, tokenizer), dtype,
            )
        )  # fmt: skip
        with atomic_dir(out) as folder:
            for name, data in files.items():
                (folder / name).write_bytes(data)
            written.save(folder, dtype)
        task.advance(1)
    return HFFolder(
        out_path=str(out),
        checkpoint=str(checkpoint.path),
        architecture=family.causal,
        dtype=dtype,
        parameters=written.model.num_parameters(),
        files=sorted(file.name for file in out.iterdir()),
        notes=notes,
    )


def why_kept(folder: Path) -> str | None:
    """Why a folder must not be replaced; None for one that is empty, and for an exported model with
    nothing beside it."""
    there = sorted(folder.iterdir())
    for path in there:
        if path.name not in _NAMES or path.is_symlink() or not path.is_file():
            return f"{path.name}, for one"
    if not there:
        return None
    try:
        content = parse_json((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        content = None
    return None if is_exported(content) else "its config.json is not that of an export"


def _beside(checkpoint: Checkpoint, tokenizer: BaseTokenizer) -> tuple[dict[str, bytes], list[str]]:
    """The files besides config.json and the weights, and what is to be told of them. An imported
    model's own are handed on."""
    files, notes = tokenizer_files(tokenizer), []
    for name in (SETTINGS, GENERATION, TEMPLATE):
        if (checkpoint.path / name).is_file():
            files[name] = (checkpoint.path / name).read_bytes()
    if GENERATION not in files:
        files[GENERATION] = _json(_generation(checkpoint, tokenizer))
    if tokenizer.kind == "ids":
        return files, ["the model works on ids, so there is no tokenizer beside it"]
    if SETTINGS not in files:
        files[SETTINGS] = _json(tokenizer_config(tokenizer, checkpoint.model.block_size))
    template = chat_template(tokenizer)
    if checkpoint.chat_template() is None and template is not None:
        files[TEMPLATE] = template.encode("utf-8")
    if tokenizer.kind == "sentencepiece":
        notes.append("tokenizer.model is handed on as it is: sentencepiece has yocto's ids, and "
                     "transformers, which rebuilds it, may have others for some texts")  # fmt: skip
    pattern = getattr(tokenizer, "pattern", None)
    if pattern is not None and not _is_named(pattern):
        notes.append("the split pattern is a regex of your own, which may mean something else to "
                     "the engine of tokenizers")  # fmt: skip
    return files, notes


def _is_named(pattern: str) -> bool:
    from yocto.tokenizer.patterns import NAMED_PATTERNS

    return pattern in NAMED_PATTERNS


def _ends(checkpoint: Checkpoint, tokenizer: BaseTokenizer) -> dict[str, Any]:
    """The ids that begin and end a text."""
    if (checkpoint.path / GENERATION).is_file():
        told = read_json(checkpoint.path / GENERATION, CheckpointError, _HINT)
        names = ("bos_token_id", "eos_token_id", "pad_token_id")
        return {name: told.get(name) for name in names} if isinstance(told, dict) else {}
    ends = [tokenizer.end_id, tokenizer.special_tokens.get(END)]
    eos = sorted({i for i in ends if i is not None})
    return {
        "bos_token_id": tokenizer.end_id,
        "eos_token_id": eos if len(eos) > 1 else next(iter(eos), None),
        "pad_token_id": tokenizer.end_id if tokenizer.pad_id is None else tokenizer.pad_id,
    }


def _generation(checkpoint: Checkpoint, tokenizer: BaseTokenizer) -> dict[str, Any]:
    """generation_config.json. What yocto never lets a model say is suppressed there too: other
    special tokens, and ids that stand for nothing."""
    ends = _ends(checkpoint, tokenizer)
    special = {*tokenizer.special_tokens.values()}
    special -= {tokenizer.end_id, tokenizer.special_tokens.get(END)}
    banned = [*sorted(special), *range(tokenizer.vocab_size, checkpoint.model.vocab_size)]
    suppressed = {"suppress_tokens": banned} if 0 < len(banned) <= _MOST_BANNED else {}
    return {**{k: v for k, v in ends.items() if v is not None}, **suppressed}


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode("utf-8")
