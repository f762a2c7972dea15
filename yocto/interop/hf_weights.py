"""The tensors of a model in Hugging Face's format: found, checked, and put into a GPT.

Only safetensors are read, whole or in shards; a pickle is never opened. All shapes are looked at
before memory is taken for a model, and then one tensor is read at a time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from yocto.errors import CheckpointError
from yocto.interop.families import HEAD, Family, Shape, Tensor
from yocto.interop.hf_config import HINT, Source
from yocto.model.empty import empty_gpt
from yocto.model.gpt import GPT
from yocto.utils.files import read_json
from yocto.utils.progress import Progress

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
_KINDS = ("F32", "F16", "BF16")
_FETCH = "Fetch the model's files again from where they came."


@dataclass(frozen=True)
class Stored:
    """Where a tensor lies, and its shape there."""

    file: Path
    name: str  # in the file
    shape: Shape


class HFWeights:
    """The weights in a folder: their names as of a model with a head, wherever they lie.

    Raises CheckpointError where there are none that can be read.
    """

    def __init__(self, folder: Path, family: Family) -> None:
        self.folder, self.family = folder, family
        self.stored: dict[str, Stored] = {}
        for file, names in _shards(folder).items():
            for name, stored in _headers(file, names).items():
                full = _full_name(name, family)
                if name.endswith(family.buffers):
                    continue
                if full in self.stored:
                    raise CheckpointError(
                        f"{folder} holds {full} twice: as {self.stored[full].name} and as {name}",
                        _FETCH,
                    )
                self.stored[full] = stored

    def load(self, source: Source, progress: Progress) -> GPT:
        """The model, in float32. Raises CheckpointError for tensors that are missing, too many or
        of another shape than config.json tells of, before it takes memory; and, as it reads them,
        for those with values that are no numbers."""
        config = source.model
        if config.tie_weights and HEAD in self.stored and not self._head_is_tied(source):
            config = dataclasses.replace(config, tie_weights=False, given=config.given)
        with torch.device("meta"):  # shapes, and no memory
            weights = GPT(config).state_dict()
        shapes = {name: tuple(value.shape) for name, value in weights.items()}
        wanted = list(self.family.tensors(config, source.attention_bias, source.mlp_bias))
        self._check(wanted, shapes, bool(config.tie_weights))
        model = empty_gpt(config)
        self._fill(model, wanted, progress)
        return model.eval()

    def _head_is_tied(self, source: Source) -> bool:
        """Whether a head that is there although it is tied is the embedding. Where it is not,
        transformers keeps both, and so does this."""
        wte = next(t for t in self.family.tensors(source.model, False, False)
                   if t.ours == ("wte.weight",))  # fmt: skip
        if wte.name not in self.stored or self.stored[wte.name].shape != self.stored[HEAD].shape:
            return True  # which is told in a moment, in words for that
        return torch.equal(self._read(wte.name), self._read(HEAD))

    def _check(self, wanted: list[Tensor], shapes: Mapping[str, Shape], tied: bool) -> None:
        names = {tensor.name for tensor in wanted}
        if extra := sorted(self.stored.keys() - names):
            raise CheckpointError(
                f"{self.folder} holds {_few(extra)}, which {self.family.causal} has not as its "
                f"config.json tells of it", HINT,
            )  # fmt: skip
        missing = sorted(names - self.stored.keys() - ({HEAD} if tied else set()))
        if missing:
            raise CheckpointError(f"{self.folder} lacks {_few(missing)}", _FETCH)
        for tensor in wanted:
            there = self.stored.get(tensor.name)
            shape = tensor.shape(shapes)
            if there is not None and there.shape != shape:
                raise CheckpointError(
                    f"{there.file}: {there.name} is {_by(there.shape)}, but config.json tells of "
                    f"{_by(shape)}", _FETCH,
                )  # fmt: skip

    @torch.no_grad()
    def _fill(self, model: GPT, wanted: list[Tensor], progress: Progress) -> None:
        """Copy all tensors; biases that the file has not are 0."""
        values = model.state_dict()
        for name, value in values.items():
            if name.endswith(".bias"):
                value.zero_()
        there = [tensor for tensor in wanted if tensor.name in self.stored]
        with progress.task("reading weights", len(there), "tensor") as task:
            for tensor in there:
                theirs = self._read(tensor.name)
                self._check_finite(tensor.name, theirs)
                theirs = theirs.t() if tensor.flipped else theirs
                start = 0
                for name in tensor.ours:
                    value = values[name]
                    value.copy_(theirs[start : start + len(value)])
                    start += len(value)
                task.advance(1)

    def _check_finite(self, name: str, values: torch.Tensor) -> None:
        if not bool(torch.isfinite(values).all()):
            stored = self.stored[name]
            raise CheckpointError(
                f"{stored.file}: {stored.name} holds values that are NaN or infinite: the weights "
                f"are spoilt", _FETCH,
            )  # fmt: skip

    def _read(self, name: str) -> torch.Tensor:
        stored = self.stored[name]
        with _reading(stored.file), safe_open(stored.file, "pt") as file:
            tensor: torch.Tensor = file.get_tensor(stored.name)
        return tensor


def _shards(folder: Path) -> dict[Path, set[str] | None]:
    """The files, and what an index says is in each; None: whatever is in it."""
    if (folder / INDEX).is_file():
        content = read_json(folder / INDEX, CheckpointError, _FETCH)
        table = content.get("weight_map") if isinstance(content, dict) else None
        if not isinstance(table, dict) or not table:
            raise CheckpointError(f"{folder / INDEX} has no weight_map", _FETCH)
        found: dict[Path, set[str] | None] = {}
        for name, file in table.items():
            # A name with a folder in it might lead anywhere.
            if not isinstance(file, str) or Path(file).name != file or file in ("", ".."):
                raise CheckpointError(f"{folder / INDEX} names the file {file!r}", _FETCH)
            names = found.setdefault(folder / file, set())
            assert names is not None
            names.add(name)
        return found
    if (folder / WEIGHTS).is_file():
        return {folder / WEIGHTS: None}
    if any(folder.glob("*.bin")) or any(folder.glob("*.pt*")) or any(folder.glob("*.pth")):
        raise CheckpointError(
            f"{folder} has its weights in a pickle only, which can run code; yocto reads none",
            f"Fetch {WEIGHTS}, or write it with transformers: save_pretrained(FOLDER).",
        )
    raise CheckpointError(f"{folder} has no {WEIGHTS} and no {INDEX}", _FETCH)


def _headers(file: Path, names: set[str] | None) -> dict[str, Stored]:
    """The tensors of a file, by name, their shapes read and no more."""
    if not file.is_file():
        raise CheckpointError(f"{file} is missing", _FETCH)
    found = {}
    with _reading(file), safe_open(file, "numpy") as opened:
        for name in list(opened.keys()):
            part = opened.get_slice(name)
            found[name] = Stored(file, name, tuple(part.get_shape()))
            if names is None or name in names:
                _check_kind(file, name, part.get_dtype())
    if names is None:
        return found
    if lacking := sorted(names - found.keys()):
        raise CheckpointError(f"{file} lacks {_few(lacking)}, which {INDEX} names", _FETCH)
    return {name: found[name] for name in found if name in names}


def _check_kind(file: Path, name: str, kind: Any) -> None:
    # Buffers, which nobody reads, may be of any type; no weight is called like one.
    if kind not in _KINDS and not name.endswith((".attn.bias", ".attn.masked_bias", ".inv_freq")):
        raise CheckpointError(
            f"{file}: {name} is of type {kind}; yocto reads float32, float16 and bfloat16",
            "Take the model's own weights, which are not quantized.",
        )


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{file} can't be read: {error}", _FETCH) from error


def _full_name(name: str, family: Family) -> str:
    """The name in a model with a head; a model without one has no prefix."""
    if name == HEAD or name.startswith(family.prefix):
        return name
    return family.prefix + name


def _few(names: list[str]) -> str:
    more = f" and {len(names) - 3} more tensors" if len(names) > 4 else ""
    return ", ".join(names if not more else names[:3]) + more


def _by(shape: Shape) -> str:
    return " x ".join(map(str, shape)) or "a single number"
