"""A checkpoint: the folder of one step, read and checked."""

from __future__ import annotations

import hashlib
import json
import math
import pickletools
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from yocto.checkpoint.chat_template import (
    TemplateFile,
    adds_start,
    read_chat_template,
    read_end_ids,
)
from yocto.config import IMPORTED, GPTConfig
from yocto.errors import CheckpointError, ConfigError
from yocto.model.size import count_parameters
from yocto.utils.files import check_version, read_json, sha256_file

# What looks at runs without loading one must not wait for torch: what needs it imports it itself.
if TYPE_CHECKING:
    import torch

    from yocto.model.gpt import GPT
    from yocto.tokenizer.base import BaseTokenizer

FORMAT = "yocto-checkpoint"
VERSION = 1
WEIGHTS, TRAINER = "model.safetensors", "trainer.pt"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's folder, its config.json read and checked; weights are read on demand.

    train: the run's settings. documents: how many documents the model learnt from; the end token
    means something to it only if there was more than one. made_with: versions and machine; empty
    in checkpoints that are older than this note.
    """

    path: Path
    step: int
    model: GPTConfig
    train: dict[str, Any]
    documents: int
    files: dict[str, str]  # name -> SHA-256
    made_with: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path) -> Checkpoint:
        """Read config.json and check the checksums of weights and tokenizer. Raises
        CheckpointError."""
        checkpoint = cls.read(path)
        checkpoint.verify_all()
        return checkpoint

    @classmethod
    def read(cls, path: Path) -> Checkpoint:
        """Read config.json, and look at no other file yet. Raises CheckpointError."""
        content = read_json(path / "config.json", CheckpointError, HINT)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise CheckpointError(f"{path}/config.json is not that of a yocto checkpoint", HINT)
        check_version(path, content.get("version"), VERSION, CheckpointError, HINT)
        if content.pop("sha256", None) != digest(content):
            raise CheckpointError(f"{path}/config.json is altered", HINT)
        try:
            checkpoint = cls(
                path, _count(content["step"]), GPTConfig.from_dict(content["model"]),
                _table(content["train"]), _count(content["documents"]), _files(content["files"]),
                _table(content.get("made_with", {})),
            )  # fmt: skip
        except (KeyError, TypeError, AttributeError, ValueError, ConfigError) as error:
            what = error.message if isinstance(error, ConfigError) else error
            raise CheckpointError(f"{path}/config.json is damaged: {what}", HINT) from error
        return checkpoint

    def verify_all(self) -> None:
        """Check the checksums of weights and tokenizer."""
        for name in self.files:
            if name != TRAINER:  # large, and needed only to train on
                self.verify(name)

    def verify(self, name: str) -> None:
        """Compare a file's checksum with the one in config.json."""
        file = self.path / Path(name).name
        try:
            whole = file.is_file() and sha256_file(file) == self.files.get(name)
        except (OSError, ValueError):  # no file can have that name, say
            whole = False
        if not whole:
            raise CheckpointError(f"{file} is missing, truncated or altered", HINT)

    def load_tokenizer(self) -> BaseTokenizer:
        """The tokenizer that the model was trained with."""
        from yocto.tokenizer.store import load_tokenizer

        tokenizer = load_tokenizer(self.path)
        if tokenizer.vocab_size > self.model.vocab_size:
            raise CheckpointError(
                f"the tokenizer in {self.path} has ids below {tokenizer.vocab_size}, but the model "
                f"knows only those below {self.model.vocab_size}", HINT,
            )  # fmt: skip
        return tokenizer

    def chat_template(self) -> TemplateFile | None:
        """How the model wants conversations written, where a file beside it says so."""
        return read_chat_template(self.path)

    @property
    def imported(self) -> bool:
        """Whether it is another tool's model, which no training of ours led to."""
        return self.train.get("mode") == IMPORTED

    def end_ids(self) -> frozenset[int]:
        """The ids that end a text, besides those that the tokenizer tells of."""
        return read_end_ids(self.path)

    def start_ids(self, tokenizer: BaseTokenizer) -> list[int]:
        """The ids that each text begins with, such as Llama's <s>: only imported models learnt
        from texts that were framed so."""
        if not self.imported:
            return []
        if tokenizer.kind == "ids":  # who writes ids writes that one too
            return []
        framed = "frame" in vars(tokenizer) and adds_start(self.path)  # by its file, not its kind
        before = tokenizer.frame[0] if framed else ()
        special = tokenizer.special_tokens
        return [special[token] for token in before if token in special]

    def load_model(self, device: torch.device | str = "cpu") -> GPT:
        """The model with its weights, ready to generate (in eval mode)."""
        from yocto.model.gpt import GPT

        self.check_size()
        model = GPT(self.model)
        self.load_weights(model)
        return model.to(device).eval()

    def check_size(self) -> None:
        """Raise a CheckpointError where config.json tells of another model than the weights are:
        before memory is taken for it."""
        file = self.path / WEIGHTS
        try:
            with safe_open(file, "numpy") as weights:  # only asked for sizes: nothing is imported
                slices = [weights.get_slice(name) for name in list(weights.keys())]
                kinds = {slice.get_dtype() for slice in slices}
                there = sum(math.prod(slice.get_shape()) for slice in slices)
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{file} can't be read: {error}", HINT) from error
        if odd := kinds - {"F64", "F32", "F16", "BF16"}:
            raise CheckpointError(f"{file} holds weights of type {min(odd)}", HINT)
        told = count_parameters(self.model)
        if there != told:
            raise CheckpointError(
                f"{file} holds {there:,} weights, but its config.json tells of {told:,}", HINT
            )

    def load_weights(self, model: GPT) -> None:
        """Put the weights into a model of the same shape."""
        from safetensors.torch import load_file

        file = self.path / WEIGHTS
        try:
            weights = load_file(file)
            if self.model.tie_weights:
                # safetensors stores a shared weight once, under either of its names.
                shared = next(n for n in ("wte.weight", "lm_head.weight") if n in weights)
                weights["wte.weight"] = weights["lm_head.weight"] = weights[shared]
            model.load_state_dict(weights)
        except (OSError, SafetensorError, RuntimeError, StopIteration) as error:
            raise CheckpointError(f"{file} does not fit its config.json: {error}", HINT) from error

    def load_trainer(self) -> dict[str, Any]:
        """The state of the training run: optimizer, random generators, position."""
        import torch

        self.verify(TRAINER)
        file = self.path / TRAINER
        try:
            _check_archive(file)
            state = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged or hostile file makes torch raise almost anything
            # Not torch's own message, which tells users to turn weights_only off.
            raise CheckpointError(
                f"{file} can't be read as tensors and plain values", HINT
            ) from error
        if not isinstance(state, dict):
            raise CheckpointError(f"{file} holds no trainer state", HINT)
        return state

    def corpus(self) -> str | None:
        """The checksum of the token files that the run learns from, as trainer.pt tells; None where
        it does not. Nothing of the file but its table of names and values is looked at."""
        try:
            with zipfile.ZipFile(self.path / TRAINER) as archive:
                names = [n for n in archive.namelist() if n.endswith("/data.pkl")]
                if len(names) != 1 or archive.getinfo(names[0]).file_size > _MOST:
                    return None
                texts = (text for opcode, text, _ in pickletools.genops(archive.read(names[0]))
                         if opcode.name == "BINUNICODE")  # fmt: skip
                for text in texts:
                    if text == "corpus":
                        found = str(next(texts, ""))
                        return found if re.fullmatch(r"([0-9a-f]{64})+", found) else None
        except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError, EOFError):
            pass
        return None


_MOST = 1 << 26  # bytes of a table that is worth reading
HINT = "Use another step of the run (--ckpt takes a step's folder), or train it anew."


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= 10**10:
        raise ValueError(f"{value!r} is no count")
    return value


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} is no table")
    return value


def _files(value: Any) -> dict[str, str]:
    """Names and checksums of the files beside config.json."""
    files = {name: str(digest) for name, digest in _table(value).items()}
    if WEIGHTS not in files:
        raise ValueError(f"it names no {WEIGHTS}")
    return files


# All that the pickle in trainer.pt refers to: tensors.
_REFERRED = re.compile(r"collections OrderedDict|torch \w+Storage|torch\._utils _rebuild_tensor_v2")


def _check_archive(file: Path) -> None:
    """Raise a ValueError for what torch.save does not write of a trainer's state, before it is
    read: packed records, and calls of what weights_only=True lets through besides tensors, may
    take any amount of memory."""
    with zipfile.ZipFile(file) as archive:
        records = archive.infolist()
        if sum(record.file_size for record in records) > file.stat().st_size:
            raise ValueError("it unpacks to more than it takes")
        for record in records:
            if record.filename.endswith("data.pkl"):
                for opcode, argument, _ in pickletools.genops(archive.read(record)):
                    if "GLOBAL" in opcode.name and not _REFERRED.fullmatch(str(argument)):
                        raise ValueError(f"it refers to {argument}")


def digest(content: dict[str, Any]) -> str:
    """The SHA-256 of what config.json says, whatever its layout."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode("ascii")).hexdigest()
