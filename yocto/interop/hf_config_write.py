"""Hugging Face's config.json, written: what a GPT of ours is called there."""

from __future__ import annotations

from typing import Any

from yocto.config import FAMILIES, GPTConfig
from yocto.errors import ExportError
from yocto.interop.families import BY_TYPE, GPT2, QWEN3, Family
from yocto.interop.hf_rope import rope_parameters

# Its key tells an exported model from one that was fetched; what transformers has saved since then
# has its version as well.
MARK, RESAVED = {"exported_by": "yocto"}, "transformers_version"
_HINT = (
    "What can be exported is trained with --family gpt2, llama or qwen3 and their own norm, "
    "position and mlp"
)


def family_of(config: GPTConfig) -> Family:
    """The family that has a model's parts, whatever its own says. Raises ExportError, which names
    the parts that stand in the way, where transformers has no class for them."""
    wanted = {name: getattr(config, name) for name in ("norm", "position", "mlp", "qk_norm")}
    apart = {
        model_type: [name for name in wanted if parts[name] != wanted[name]]
        for model_type, parts in FAMILIES.items()
    }
    nearest = min(apart, key=lambda model_type: len(apart[model_type]))
    if differing := apart[nearest]:
        told = ", ".join(f"{name}={_text(wanted[name])}" for name in differing)
        change = " ".join(f"--set {name}={_text(FAMILIES[nearest][name])}" for name in differing)
        raise ExportError(
            f"transformers has no model with {told} beside the rest of this one's parts",
            f"Train one that it has: yocto train --family {nearest} {change}",
        )
    family = BY_TYPE[nearest]
    _check(config, family)
    return family


def _check(config: GPTConfig, family: Family) -> None:
    """Raise ExportError for a shape that the family's class in transformers does not take."""
    usual, rest = divmod(config.n_embd, config.n_head)
    if family is GPT2 and config.n_kv_head != config.n_head:
        raise ExportError(
            f"n_kv_head is {config.n_kv_head}, but transformers' GPT-2 has as many as heads: "
            f"{config.n_head}",
            "Train with --set n_kv_head left out, or with --family llama.",
        )
    if family is GPT2 and (rest or config.head_size != usual):
        raise ExportError(
            f"head_size is {config.head_size}, but in transformers' GPT-2 it is n_embd / n_head",
            "Train with --set head_size left out, or with --family llama.",
        )
    if family is not QWEN3 and rest:
        raise ExportError(
            f"n_embd {config.n_embd} is not a multiple of n_head {config.n_head}, which "
            f"transformers' {family.model_type} asks for",
            "Train with another --n-embd, or with --family qwen3.",
        )


def config_json(
    config: GPTConfig, family: Family, attention_bias: bool, mlp_bias: bool, ends: dict[str, Any],
    dtype: str,
) -> dict[str, Any]:  # fmt: skip
    """What config.json says. ends: its keys for the ids that begin and end a text."""
    shape = _gpt2(config) if family is GPT2 else _llama(config, family, attention_bias, mlp_bias)
    return {
        "architectures": [family.causal],
        "model_type": family.model_type,
        "vocab_size": config.vocab_size,
        **shape,
        "tie_word_embeddings": bool(config.tie_weights),
        "initializer_range": 0.02,
        "use_cache": True,
        **ends,
        "dtype": dtype,
        "torch_dtype": dtype,  # its name before transformers 5
        **MARK,
    }


def is_exported(content: Any) -> bool:
    """Whether a config.json is as `config_json` has made it."""
    return isinstance(content, dict) and MARK.items() <= content.items() and RESAVED not in content


def _gpt2(config: GPTConfig) -> dict[str, Any]:
    return {
        "n_layer": config.n_layer,
        "n_head": config.n_head,
        "n_embd": config.n_embd,
        "n_inner": config.n_inner,
        "n_positions": config.block_size,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": config.norm_eps,
        "resid_pdrop": config.dropout,
        "embd_pdrop": config.dropout,
        "attn_pdrop": config.dropout,
    }


def _llama(
    config: GPTConfig, family: Family, attention_bias: bool, mlp_bias: bool
) -> dict[str, Any]:
    only_llama = {} if family is QWEN3 else {"mlp_bias": mlp_bias}
    return {
        "num_hidden_layers": config.n_layer,
        "num_attention_heads": config.n_head,
        "num_key_value_heads": config.n_kv_head,
        "head_dim": config.head_size,
        "hidden_size": config.n_embd,
        "intermediate_size": config.n_inner,
        "max_position_embeddings": config.block_size,
        "hidden_act": "silu",
        "rms_norm_eps": config.norm_eps,
        **rope_parameters(config),
        "attention_bias": attention_bias,
        **only_llama,
        "attention_dropout": config.dropout,
    }


def _text(value: Any) -> str:
    return str(value).lower()
