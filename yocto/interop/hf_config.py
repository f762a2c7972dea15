"""Hugging Face's config.json, read: which GPT it tells of.

Whatever changes a model's logits is either understood or refused by its name. Keys that are left
out have the defaults of transformers' own classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yocto.config import FAMILIES, GPTConfig
from yocto.errors import CheckpointError
from yocto.interop.families import BY_TYPE, GPT2, QWEN3, SUPPORTED, Family
from yocto.interop.hf_rope import is_number, read_rope
from yocto.utils.files import read_json

HINT = "yocto imports GPT-2, Llama and Qwen3 models; `yocto import --help` tells of what."
_TANH = ("gelu_new", "gelu_pytorch_tanh", "gelu_fast")
# What only one value is understood of: key -> (its default, that value).
_FIXED_GPT2 = {
    "scale_attn_weights": (True, True), "scale_attn_by_inverse_layer_idx": (False, False),
    "add_cross_attention": (False, False),
}  # fmt: skip
_ENDS: dict[str, tuple[int | None, int | None]] = {
    "gpt2": (50256, 50256), "llama": (1, 2), "qwen3": (None, None),
}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """What a config.json tells.

    attention_bias, mlp_bias: which of the linear layers have biases; `bias` of ours is one switch.
    bos, eos: ids that begin and end a text.
    """

    family: Family
    model: GPTConfig
    attention_bias: bool
    mlp_bias: bool
    bos: int | None
    eos: tuple[int, ...]


def read_config(folder: Path) -> Source:
    """Read a folder's config.json. Raises CheckpointError, which names the key that can't be."""
    path = folder / "config.json"
    if not path.is_file():
        if folder.is_dir():
            raise CheckpointError(f"{folder} has no config.json", HINT)
        raise CheckpointError(
            f"{folder} is no folder",
            f"To fetch a model of that name: hf download {folder} --local-dir FOLDER",
        )
    content = read_json(path, CheckpointError, HINT)
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds no table", HINT)
    if "format" in content and "architectures" not in content:
        raise CheckpointError(
            f"{folder} is a checkpoint of yocto's own", f"It needs no import: --ckpt {folder}"
        )
    return _Reader(content, path).source()


class _Reader:
    """One config.json."""

    def __init__(self, content: Mapping[str, Any], path: Path) -> None:
        self.content, self.path = content, path

    def source(self) -> Source:
        family = self._family()
        if self.content.get("quantization_config"):
            raise self.fault("quantization_config", "the weights are quantized", "Take the "
                             "model's own weights: float32, float16 or bfloat16.")  # fmt: skip
        shape = self._gpt2() if family is GPT2 else self._llama(family)
        attention = family is GPT2 or self._flag("attention_bias", False)
        mlp = family is GPT2 or (family is not QWEN3 and self._flag("mlp_bias", False))
        parts = {**FAMILIES[family.model_type], **shape, "bias": attention or mlp}
        parts["tie_weights"] = self._flag("tie_word_embeddings", family is GPT2)
        values = {"family": family.model_type, "vocab_size": self._count("vocab_size"), **parts}
        model = GPTConfig.from_dict(values, str(self.path))
        bos, eos = _ENDS[family.model_type]
        begins = self._ids("bos_token_id", bos, model.vocab_size)
        ends = self._ids("eos_token_id", eos, model.vocab_size)
        return Source(family, model, attention, mlp, next(iter(begins), None), ends)

    def fault(self, key: str, why: str, hint: str = HINT) -> CheckpointError:
        """The error for a key, with its value."""
        value = repr(self.content.get(key))
        value = value if len(value) <= 80 else value[:77] + "..."
        return CheckpointError(f"{self.path}: {key} is {value}: {why}", hint)

    def _family(self) -> Family:
        named = self.content.get("architectures") or [None]
        name = named[0] if isinstance(named, list) else named
        family = BY_TYPE.get(str(self.content.get("model_type")))
        if family is None and "model_type" not in self.content:
            of_name = [f for f in BY_TYPE.values() if name in (f.causal, f.base)]
            family = next(iter(of_name), None)
        if family is None:
            key = "model_type" if "model_type" in self.content else "architectures"
            raise self.fault(key, f"yocto knows {SUPPORTED}")
        if name not in (None, family.causal, family.base):
            raise self.fault("architectures", f"of {family.model_type} it is {family.causal}")
        return family

    def _gpt2(self) -> dict[str, Any]:
        self._activation("activation_function", "gelu_new", _TANH)
        for key, (default, known) in _FIXED_GPT2.items():
            if self.content.get(key, default) != known:
                raise self.fault(key, f"yocto's GPT-2 knows only {str(known).lower()}")
        width = self._count("n_embd", "hidden_size")
        return {
            "n_layer": self._count("n_layer", "num_hidden_layers"),
            "n_head": self._count("n_head", "num_attention_heads"),
            "n_embd": width,
            "n_inner": 4 * width if self.content.get("n_inner") is None else self._count("n_inner"),
            "block_size": self._count("n_positions", "max_position_embeddings"),
            "norm_eps": self._number("layer_norm_epsilon", 1e-5),
        }

    def _llama(self, family: Family) -> dict[str, Any]:
        self._activation("hidden_act", "silu", ("silu", "swish"))
        self._check_windows()
        heads, width = self._count("num_attention_heads"), self._count("hidden_size")
        given = self.content.get("head_dim", 128 if family is QWEN3 else None)
        head_size = width // max(1, heads) if given is None else self._whole("head_dim", given)
        groups = self.content.get("num_key_value_heads")
        shared = heads if groups is None else self._whole("num_key_value_heads", groups)
        base, scaling = read_rope(self.content, self.fault)
        return {
            "n_layer": self._count("num_hidden_layers"),
            "n_head": heads,
            "n_kv_head": shared,
            "n_embd": width,
            "head_size": head_size,
            "n_inner": self._count("intermediate_size"),
            "block_size": self._count("max_position_embeddings"),
            "norm_eps": self._number("rms_norm_eps", 1e-6),
            "rope_base": base,
            "rope_scaling": scaling,
        }

    def _check_windows(self) -> None:
        """Raise for attention that looks back only so far."""
        hint = "yocto's attention sees the whole context."
        kinds = self.content.get("layer_types")
        known = isinstance(kinds, list) and all(kind == "full_attention" for kind in kinds)
        if kinds is not None and not known:
            raise self.fault("layer_types", "only full_attention is known", hint)
        if kinds is not None or not self._flag("use_sliding_window", False):
            return
        first = self.content.get("max_window_layers", 28)
        if type(first) is not int:
            raise self.fault("max_window_layers", "a whole number belongs there", hint)
        if self.content.get("sliding_window") and first < self._count("num_hidden_layers"):
            raise self.fault("use_sliding_window", "sliding windows are not known", hint)

    def _activation(self, key: str, default: str, known: tuple[str, ...]) -> None:
        if self.content.get(key, default) not in known:
            raise self.fault(key, f"yocto has {' and '.join(known)} there")

    def _count(self, key: str, other: str = "") -> int:
        """A size; `other` is a second name that transformers takes for it."""
        key = other if key not in self.content and other in self.content else key
        if key not in self.content:
            raise CheckpointError(f"{self.path} has no {key}", HINT)
        return self._whole(key, self.content[key])

    def _whole(self, key: str, value: Any) -> int:
        if type(value) is not int or value < 1:
            raise self.fault(key, "a whole number above 0 belongs there")
        return value

    def _number(self, key: str, default: float) -> float:
        value = self.content.get(key, default)
        if not is_number(value):
            raise self.fault(key, "a number belongs there")
        return float(value)

    def _flag(self, key: str, default: bool) -> bool:
        value = self.content.get(key, default)
        if value is None:
            return default
        if type(value) is not bool:
            raise self.fault(key, "true or false belongs there")
        return value

    def _ids(self, key: str, default: int | None, size: int) -> tuple[int, ...]:
        """The ids that a key names, one or several; those that the vocabulary has."""
        value = self.content.get(key, default)
        values = value if isinstance(value, list) else [value]
        return tuple(i for i in values if type(i) is int and 0 <= i < size)
