"""Which of llama.cpp's architectures a model is, and its weights by the names of those.

Source: llama.cpp, src/models/gpt2.cpp, llama.cpp and qwen3.cpp, which say what they read and how
they compute; convert_hf_to_gguf.py for rope_freqs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from yocto.checkpoint.step import HINT, WEIGHTS, Checkpoint
from yocto.config import GPTConfig
from yocto.errors import CheckpointError, ExportError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PARTS = "position", "norm", "mlp"
_GPT2, _LLAMA = ("learned", "layernorm", "gelu"), ("rope", "rmsnorm", "swiglu")
_HINT = (
    "It runs gpt2 (position=learned, norm=layernorm, mlp=gelu), llama (position=rope, "
    "norm=rmsnorm, mlp=swiglu) and qwen3 (llama's parts with qk_norm, without bias). Train such a "
    "model: yocto train --family llama"
)


@dataclass(frozen=True)
class GGUFTensor:
    """A tensor of the file. shape: rows first, as in yocto. exact: always float32, as what adds
    next to nothing to the size and is not multiplied by. read: gives it, in float32."""

    name: str
    shape: tuple[int, ...]
    exact: bool
    read: Callable[[], NDArray[Any]]


def architecture(config: GPTConfig) -> str:
    """ "gpt2", "llama" or "qwen3", by what the model is made of, whatever its family.

    Raises ExportError where llama.cpp has no such model.
    """
    parts = tuple(getattr(config, part) for part in _PARTS)
    if parts == _GPT2 and not config.qk_norm:
        if config.n_head * (config.head_size or 0) != config.n_embd:
            raise _unsaid("gpt2 whose head_size is not n_embd / n_head")
        return "gpt2"
    if parts != _LLAMA:
        found = ", ".join(f"{name}={part}" for name, part in zip(_PARTS, parts, strict=True))
        raise _unsaid(f"model with {found}" + (", qk_norm" if config.qk_norm else ""))
    if not config.qk_norm:
        return "llama"
    if config.bias:
        raise _unsaid("qwen3 with biases")
    if config.rope_slowing is not None and config.rope_slowing.kind == "llama3":
        raise _unsaid("qwen3 whose rope_scaling is that of llama3")
    return "qwen3"


def _unsaid(what: str) -> ExportError:
    return ExportError(f"llama.cpp has no {what}", _HINT)


def gguf_tensors(checkpoint: Checkpoint, arch: str) -> Iterator[GGUFTensor]:
    """All tensors of a model, each read from the checkpoint when its turn comes."""
    config, weights = checkpoint.model, Weights(checkpoint)
    yield weights.tensor("token_embd.weight", weights.embedding)
    if arch == "gpt2":
        yield weights.tensor("position_embd.weight", "wpe.weight", exact=True)
    elif (slowing := config.rope_slowing) is not None and slowing.kind == "llama3":
        size = (config.head_size or 0) // 2
        yield GGUFTensor("rope_freqs.weight", (size,), True, lambda: rope_freqs(config))
    for layer in range(config.n_layer):
        yield from _block(config, weights, arch, f"blocks.{layer}.", f"blk.{layer}.")
    yield from _norm(weights, arch, "output_norm", "norm")
    if not config.tie_weights:
        yield weights.tensor("output.weight", "lm_head.weight")


def _block(
    config: GPTConfig, weights: Weights, arch: str, ours: str, theirs: str
) -> Iterator[GGUFTensor]:
    yield from _norm(weights, arch, f"{theirs}attn_norm", f"{ours}norm_1")
    attention = [f"{ours}attn.{part}_proj" for part in "qkv"]
    if arch == "gpt2":
        yield from _linear(weights, arch, f"{theirs}attn_qkv", *attention)
    else:
        heads = config.n_head, config.n_kv_head, None
        for part, name, count in zip("qkv", attention, heads, strict=True):
            # llama's rotation pairs neighbours; qwen3's the halves of a head, as ours does.
            pairs = count if arch == "llama" else None
            yield from _linear(weights, arch, f"{theirs}attn_{part}", name, pairs=pairs)
    if arch == "qwen3":
        for part in "qk":
            yield weights.tensor(
                f"{theirs}attn_{part}_norm.weight", f"{ours}attn.{part}_norm.weight"
            )
    yield from _linear(weights, arch, f"{theirs}attn_output", f"{ours}attn.o_proj")
    yield from _norm(weights, arch, f"{theirs}ffn_norm", f"{ours}norm_2")
    for part in ("gate", "up", "down") if arch != "gpt2" else ("up", "down"):
        yield from _linear(weights, arch, f"{theirs}ffn_{part}", f"{ours}mlp.{part}_proj")


def _norm(weights: Weights, arch: str, theirs: str, ours: str) -> Iterator[GGUFTensor]:
    yield weights.tensor(f"{theirs}.weight", f"{ours}.weight")
    if arch == "gpt2":
        yield weights.tensor(f"{theirs}.bias", f"{ours}.bias")


def _linear(
    weights: Weights, arch: str, theirs: str, *ours: str, pairs: int | None = None
) -> Iterator[GGUFTensor]:
    """A linear part, of several of ours that stand below each other; gpt2 wants all biases."""
    yield weights.tensor(f"{theirs}.weight", *(f"{name}.weight" for name in ours), pairs=pairs)
    if arch == "gpt2" or f"{ours[0]}.bias" in weights.shapes:
        yield weights.tensor(f"{theirs}.bias", *(f"{name}.bias" for name in ours), pairs=pairs)


class Weights:
    """The weights of a checkpoint, read one by one from its file.

    shapes: name -> shape, of all that a model of this configuration has.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        import torch

        from yocto.model.gpt import GPT

        checkpoint.check_size()
        self.file = checkpoint.path / WEIGHTS
        with torch.device("meta"):  # shapes only
            model = GPT(checkpoint.model)
        self.shapes = {name: tuple(p.shape) for name, p in model.state_dict().items()}
        there = _shapes(self.file)
        # safetensors stores a shared weight once, under either of its names.
        tied = checkpoint.model.tie_weights and "wte.weight" not in there
        self.embedding = "lm_head.weight" if tied else "wte.weight"
        left_out = {"wte.weight", "lm_head.weight"} if checkpoint.model.tie_weights else set()
        for name in (*(self.shapes.keys() - left_out), self.embedding):
            if there.get(name) != self.shapes[name]:
                raise CheckpointError(f"{self.file} does not fit its config.json: {name}", HINT)

    def tensor(
        self, theirs: str, *ours: str, exact: bool = False, pairs: int | None = None
    ) -> GGUFTensor:
        """A tensor made of some of ours, one below the other. pairs: how many heads it has, whose
        halves are to be interleaved."""
        sizes = [self._shape(name) for name in ours]
        shape = sum(size[0] for size in sizes), *sizes[0][1:]

        def read() -> NDArray[Any]:
            import numpy as np

            parts = [self._read(name, size) for name, size in zip(ours, sizes, strict=True)]
            made = parts[0] if len(parts) == 1 else np.concatenate(parts)
            return made if pairs is None else interleaved(made, pairs)

        return GGUFTensor(theirs, shape, exact or len(shape) == 1, read)

    def _shape(self, name: str) -> tuple[int, ...]:
        """Of a weight; a bias that is not there has its weight's rows."""
        if name in self.shapes:
            return self.shapes[name]
        return self.shapes[f"{name.removesuffix('.bias')}.weight"][:1]

    def _read(self, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
        import numpy as np

        if name not in self.shapes:
            return np.zeros(shape, np.float32)
        try:
            with safe_open(self.file, "pt") as file:  # NumPy has no bfloat16
                made: NDArray[Any] = file.get_tensor(name).float().numpy()
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{self.file} can't be read: {error}", HINT) from error
        return made


def _shapes(file: Path) -> dict[str, tuple[int, ...]]:
    with safe_open(file, "pt") as weights:
        return {name: tuple(weights.get_slice(name).get_shape()) for name in weights.keys()}  # noqa: SIM118


def interleaved(rows: NDArray[Any], heads: int) -> NDArray[Any]:
    """Rows (heads D, …) of which channel i of a head turned with channel i + D/2, in the order in
    which channel 2i turns with channel 2i + 1."""
    halves = rows.reshape(heads, 2, -1, *rows.shape[1:])
    return halves.swapaxes(1, 2).reshape(rows.shape)


def rope_freqs(config: GPTConfig) -> NDArray[Any]:
    """How many times slower each pair of channels turns, (D/2,), as llama.cpp divides by it."""
    import torch

    from yocto.model.gpt import rope_factors

    D, slowing = config.head_size, config.rope_slowing
    assert D is not None and slowing is not None
    inverse = config.rope_base ** (-torch.arange(0, D, 2, dtype=torch.float32) / D)
    made: NDArray[Any] = rope_factors(inverse, slowing).numpy()
    return made
