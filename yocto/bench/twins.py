"""transformers' model of the same shape with the same weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from yocto.config import GPTConfig
from yocto.model.gpt import GPT

# Parts of our names and of theirs.
_GPT2 = {
    "blocks.": "h.", "norm_1": "ln_1", "norm_2": "ln_2", "attn.o_proj": "attn.c_proj",
    "mlp.up_proj": "mlp.c_fc", "mlp.down_proj": "mlp.c_proj",
}  # fmt: skip
_LLAMA = {
    "blocks.": "layers.", "norm_1": "input_layernorm", "norm_2": "post_attention_layernorm",
    "attn.": "self_attn.", "wte.": "embed_tokens.",
}  # fmt: skip


def twin_of(model: GPT) -> nn.Module:
    """A GPT2LMHeadModel, LlamaForCausalLM or Qwen3ForCausalLM with a copy of a model's weights, in
    eval mode. The model has the parts of its family."""
    if model.config.family == "gpt2":
        twin, weights = _gpt2(model.config), gpt2_weights(model.state_dict())
    else:
        twin, weights = _llama(model.config), llama_weights(model.state_dict())
    twin.load_state_dict(weights)  # strict: every weight has its place, and no other is there
    return twin.eval()


def gpt2_weights(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Our weights by transformers' names for GPT-2, whose Conv1D holds matrices transposed and
    makes q, k and v in one."""
    theirs: dict[str, Tensor] = {}
    for name, value in state.items():
        if ".k_proj." in name or ".v_proj." in name:
            continue
        if ".q_proj." in name:
            value = torch.cat([state[name.replace("q_proj", f"{x}_proj")] for x in "qkv"])
            name = name.replace("q_proj", "c_attn")
        if name.startswith("blocks.") and value.dim() == 2:
            value = value.t()
        name = f"ln_f.{name[5:]}" if name.startswith("norm.") else _renamed(name, _GPT2)
        theirs[name if name.startswith("lm_head.") else f"transformer.{name}"] = value
    return theirs


def llama_weights(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Our weights by transformers' names for Llama and Qwen3."""
    theirs: dict[str, Tensor] = {}
    for name, value in state.items():
        name = _renamed(name, _LLAMA)
        theirs[name if name.startswith("lm_head.") else f"model.{name}"] = value
    return theirs


def _renamed(name: str, parts: dict[str, str]) -> str:
    for ours, theirs in parts.items():
        name = name.replace(ours, theirs)
    return name


def _gpt2(c: GPTConfig) -> nn.Module:
    from transformers import GPT2Config, GPT2LMHeadModel

    twin: nn.Module = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=c.vocab_size, n_positions=c.block_size, n_embd=c.n_embd, n_layer=c.n_layer,
            n_head=c.n_head, n_inner=c.n_inner, layer_norm_epsilon=c.norm_eps,
            activation_function="gelu_new", tie_word_embeddings=bool(c.tie_weights),
            bos_token_id=None, eos_token_id=None, attn_implementation="sdpa",
        )
    )  # fmt: skip
    return twin


def _llama(c: GPTConfig) -> nn.Module:
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM

    shape: dict[str, Any] = {
        "vocab_size": c.vocab_size, "max_position_embeddings": c.block_size,
        "hidden_size": c.n_embd, "intermediate_size": c.n_inner, "num_hidden_layers": c.n_layer,
        "num_attention_heads": c.n_head, "num_key_value_heads": c.n_kv_head,
        "head_dim": c.head_size, "rms_norm_eps": c.norm_eps,
        "rope_parameters": {"rope_type": "default", "rope_theta": c.rope_base},
        "tie_word_embeddings": bool(c.tie_weights), "bos_token_id": None, "eos_token_id": None,
        "attn_implementation": "sdpa",
    }  # fmt: skip
    qwen3 = c.family == "qwen3"
    twin: nn.Module = (
        Qwen3ForCausalLM(Qwen3Config(**shape)) if qwen3 else LlamaForCausalLM(LlamaConfig(**shape))
    )
    return twin
