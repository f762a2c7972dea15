"""GGUF: a model with its tokenizer in one file, for llama.cpp, ollama and what is built on them.

Source: the specification in ggml-org/ggml, docs/gguf.md, by way of the package `gguf`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from yocto.checkpoint import Checkpoint
from yocto.checkpoint.chat_template import TemplateFile
from yocto.config import GPTConfig
from yocto.errors import ExportError
from yocto.interop.chat_templates import chat_template
from yocto.interop.gguf_tensors import GGUFTensor, architecture, gguf_tensors
from yocto.interop.gguf_tokenizer import GGUFVocabulary, gguf_vocabulary
from yocto.interop.ollama import modelfile
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.roles import END, has_roles
from yocto.utils.files import atomic_file
from yocto.utils.progress import Progress
from yocto.utils.text import size_text

if TYPE_CHECKING:
    from gguf import GGUFWriter

DTYPES = "float32", "float16", "q8_0"
_BLOCK = 32  # weights of a row that share a scale in q8_0
_LARGEST = 65504.0  # of float16
# llama.cpp treats special tokens otherwise in models of these names, and fails where it finds none.
_TAKEN_NAMES = "phi-3", "phi3", "modern-bert"


@dataclass(frozen=True)
class GGUFFile:
    """A file that was written.

    path: where. bytes: its size. architecture: llama.cpp's name for what the model is. tensors: how
    many; wider: those of them that are kept in float16, since q8_0 can't. modelfile: the text from
    which ollama makes a model. notes: where llama.cpp is not the same as yocto.
    """

    path: str
    bytes: int
    architecture: str
    dtype: str
    tensors: int
    vocab_size: int
    modelfile: str
    wider: int = 0
    notes: list[str] = field(default_factory=list)

    def summary(self) -> list[str]:
        """What was written, and how to run it."""
        path = Path(self.path)
        name = path.stem.lower()
        wider = f", {self.wider} of them in float16: their rows are no multiple of {_BLOCK}"
        return [
            f"Wrote {path}: {self.architecture}, {self.tensors} tensors in {self.dtype}"
            f"{wider if self.wider else ''}; {self.vocab_size:,} tokens, {size_text(self.bytes)}.",
            *(f"Note: {note}." for note in self.notes),
            f"With llama.cpp: llama-cli -m {path}",
            f"With ollama: put these lines into {path.parent / 'Modelfile'},",
            *(f"    {line}" for line in self.modelfile.splitlines()),
            f"then: ollama create {name} -f {path.parent / 'Modelfile'} && ollama run {name}",
        ]


def write_gguf(checkpoint: Checkpoint, path: Path, dtype: str, progress: Progress) -> GGUFFile:
    """Write a checkpoint as a GGUF file, atomically; the weights pass through memory one by one.

    dtype: float32, float16 or q8_0 (whole numbers of a byte with a scale for each 32), of all but
    vectors and positions, which are float32. Raises ExportError where llama.cpp could not compute
    or cut text as yocto does, where weights are too large for dtype, and without `gguf`.
    """
    _check_installed()
    from gguf import GGUFWriter

    assert dtype in DTYPES
    arch = architecture(checkpoint.model)
    tokenizer, template = checkpoint.load_tokenizer(), checkpoint.chat_template()
    ends = _answer_ends(checkpoint, tokenizer, template)
    vocabulary = gguf_vocabulary(
        tokenizer, checkpoint.model.vocab_size, checkpoint.start_ids(tokenizer), ends
    )
    writer = GGUFWriter(None, arch)
    _add_model(writer, checkpoint.model, arch, dtype)
    if name := _name(checkpoint):
        writer.add_name(name)
    _add_tokenizer(writer, vocabulary)
    if source := template.source if template else chat_template(tokenizer):
        writer.add_chat_template(source)
    tensors = list(gguf_tensors(checkpoint, arch))
    kinds = [_kind(tensor, dtype) for tensor in tensors]
    with atomic_file(path) as file:
        _write(file, writer, tensors, kinds, progress)
    return GGUFFile(
        path=str(path),
        bytes=path.stat().st_size,
        architecture=arch,
        dtype=dtype,
        tensors=len(tensors),
        vocab_size=checkpoint.model.vocab_size,
        modelfile=modelfile(
            path.name, tokenizer, checkpoint.model.block_size, ends, template is not None
        ),
        wider=kinds.count("F16") if dtype == "q8_0" else 0,
        notes=vocabulary.notes(),
    )


def _check_installed() -> None:
    if find_spec("gguf") is None:
        raise ExportError(
            "a GGUF file takes the package gguf, which is not installed",
            "pip install 'yocto[gguf]'",
        )


def _answer_ends(
    checkpoint: Checkpoint, tokenizer: BaseTokenizer, template: TemplateFile | None
) -> list[int]:
    """The ids that end an answer or a text, besides the tokenizer's end token."""
    found = checkpoint.end_ids() | (template.end_ids if template is not None else frozenset())
    if template is None and has_roles(tokenizer):
        found |= {tokenizer.special_tokens[END]}
    return sorted(i for i in found - {tokenizer.end_id} if i < checkpoint.model.vocab_size)


def _name(checkpoint: Checkpoint) -> str | None:
    """The run's name, if llama.cpp makes nothing of it."""
    name = checkpoint.path.resolve().parent.name
    return None if any(taken in name.lower() for taken in _TAKEN_NAMES) else name


def _add_model(writer: GGUFWriter, config: GPTConfig, arch: str, dtype: str) -> None:
    """What the model's shape is."""
    from gguf import GGML_QUANT_VERSION, LlamaFileType, RopeScalingType

    writer.add_context_length(config.block_size)
    writer.add_embedding_length(config.n_embd)
    writer.add_block_count(config.n_layer)
    writer.add_feed_forward_length(config.n_inner)
    writer.add_head_count(config.n_head)
    writer.add_head_count_kv(config.n_kv_head)
    writer.add_vocab_size(config.vocab_size)
    types = LlamaFileType.ALL_F32, LlamaFileType.MOSTLY_F16, LlamaFileType.MOSTLY_Q8_0
    writer.add_file_type(types[DTYPES.index(dtype)])
    if dtype == "q8_0":
        writer.add_quantization_version(GGML_QUANT_VERSION)
    if arch == "gpt2":
        writer.add_layer_norm_eps(config.norm_eps)
        return
    writer.add_layer_norm_rms_eps(config.norm_eps)
    writer.add_key_length(config.head_size)
    writer.add_value_length(config.head_size)
    writer.add_rope_dimension_count(config.head_size)
    writer.add_rope_freq_base(config.rope_base)
    slowing = config.rope_slowing
    if slowing is not None and slowing.kind == "linear":  # llama3's is a tensor
        writer.add_rope_scaling_type(RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(slowing.factor)


def _add_tokenizer(writer: GGUFWriter, vocabulary: GGUFVocabulary) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(vocabulary.pre)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.types)
    writer.add_token_merges(vocabulary.merges)
    writer.add_bos_token_id(vocabulary.bos)
    writer.add_eos_token_id(vocabulary.eos)
    writer.add_eot_token_id(vocabulary.eot)
    writer.add_add_bos_token(vocabulary.begins)
    writer.add_add_eos_token(False)
    writer.add_array("tokenizer.ggml.suppress_tokens", vocabulary.never)


def _kind(tensor: GGUFTensor, dtype: str) -> str:
    """gguf's name for how the weights of a tensor are kept."""
    if tensor.exact or dtype == "float32":
        return "F32"
    return "F16" if dtype == "float16" or tensor.shape[-1] % _BLOCK else "Q8_0"


def _write(
    file: IO[bytes],
    writer: GGUFWriter,
    tensors: list[GGUFTensor],
    kinds: list[str],
    progress: Progress,
) -> None:
    """Header, then one tensor after the other."""
    import numpy as np
    from gguf import GGMLQuantizationType, quants
    from gguf.gguf_writer import WriterState

    types = [GGMLQuantizationType[kind] for kind in kinds]
    sizes = [
        int(np.prod(quants.quant_shape_to_byte_shape(tensor.shape, type_)))
        for tensor, type_ in zip(tensors, types, strict=True)
    ]
    for tensor, type_, size in zip(tensors, types, sizes, strict=True):
        writer.add_tensor_info(tensor.name, tensor.shape, np.dtype(np.float32), size, type_)
    # The writer would open a file by its name; this one has none yet.
    writer.fout, writer.state = [file], WriterState.EMPTY
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    with progress.task("writing", sum(sizes), "byte") as task:
        for tensor, kind, type_, size in zip(tensors, kinds, types, sizes, strict=True):
            weights = tensor.read()
            _check_range(tensor.name, weights, kind)
            writer.write_tensor_data(quants.quantize(weights, type_))
            task.advance(size)
    writer.flush()


def _check_range(name: str, weights: Any, kind: str) -> None:
    """Raise ExportError where weights are no numbers, or where they, or the scales of them, become
    infinite."""
    limit = {"F32": float("inf"), "F16": _LARGEST, "Q8_0": 127 * _LARGEST}[kind]
    largest = float(abs(weights).max(initial=0))
    if not math.isfinite(largest):  # NaN is the largest wherever it is
        raise ExportError(
            f"{name} holds values that are NaN or infinite: the weights are spoilt",
            "Export an earlier checkpoint: --ckpt RUN/STEP",
        )
    if largest > limit:
        raise ExportError(
            f"{name} has a weight of {largest:.3g}, and {kind.lower()} goes up to {limit:.3g}",
            "Keep them as they are: --dtype float32",
        )
