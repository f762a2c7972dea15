"""A checkpoint's weights as the tensors of a model in Hugging Face's format."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from yocto.checkpoint import Checkpoint
from yocto.errors import ExportError
from yocto.interop.families import GPT2, HEAD, QWEN3, Family, Tensor
from yocto.interop.hf_weights import WEIGHTS
from yocto.model.gpt import GPT

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Written:
    """The tensors to write. attention_bias, mlp_bias: which of the parts have biases there."""

    def __init__(self, checkpoint: Checkpoint, family: Family) -> None:
        self.config = checkpoint.model
        self.family = family
        self.model: GPT = checkpoint.load_model()
        bias = bool(self.config.bias)
        self.attention_bias = family is GPT2 or bias
        self.mlp_bias = family is GPT2 or bias
        if family is QWEN3 and bias:
            self._check_no_mlp_bias()
            self.mlp_bias = False

    def _check_no_mlp_bias(self) -> None:
        """Biases of 0, as an imported Qwen3 has them, can be left out."""
        for name, value in self.model.named_parameters():
            if ".mlp." in name and name.endswith("bias") and bool(value.any()):
                raise ExportError(
                    "bias=true gives this model's mlp biases, which transformers' Qwen3 has not",
                    "Train one that it has: yocto train --set bias=false, or --set qk_norm=false.",
                )

    def save(self, folder: Path, dtype: str) -> None:
        """Write model.safetensors. Raises ExportError where a weight is no number, or too large for
        the type."""
        wanted = self.family.tensors(self.config, self.attention_bias, self.mlp_bias)
        ours = {name: value.detach() for name, value in self.model.state_dict().items()}
        theirs = {}
        for tensor in wanted:
            if tensor.name == HEAD and self.config.tie_weights:
                continue  # as transformers does: it is the embedding
            value = _joined(tensor, ours)
            if not bool(torch.isfinite(value).all()):
                raise ExportError(
                    f"{tensor.name} holds values that are NaN or infinite: the weights are spoilt",
                    "Export an earlier checkpoint: --ckpt RUN/STEP",
                )
            value = value.to(_DTYPES[dtype])
            if not bool(torch.isfinite(value).all()):
                wider = "bfloat16" if dtype == "float16" else "float32"
                raise ExportError(
                    f"{tensor.name} holds numbers that {dtype} can't", f"Take --dtype {wider}."
                )
            theirs[tensor.name] = value.contiguous()
        save_file(theirs, folder / WEIGHTS, metadata={"format": "pt"})


def _joined(tensor: Tensor, ours: dict[str, torch.Tensor]) -> torch.Tensor:
    """The tensor of theirs; a bias that the model has not is 0."""
    parts = [
        ours[name] if name in ours else torch.zeros(len(ours[name.removesuffix("bias") + "weight"]))
        for name in tensor.ours
    ]
    joined = torch.cat(parts) if len(parts) > 1 else parts[0].clone()
    return joined.t() if tensor.flipped else joined
