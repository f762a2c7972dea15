"""Models of transformers with random weights, for the tests of import and export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen3Config,
    Qwen3ForCausalLM,
)

VOCAB = 61
LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 500.0, "factor": 4.0, "low_freq_factor": 1.0,
    "high_freq_factor": 4.0, "original_max_position_embeddings": 16,
}  # fmt: skip


def gpt2(**values: Any) -> GPT2LMHeadModel:
    """A GPT-2 of two blocks."""
    shape = {"n_layer": 2, "n_head": 4, "n_embd": 32, "n_positions": 48}
    ends = {"bos_token_id": 1, "eos_token_id": 2}
    return randomized(GPT2LMHeadModel(GPT2Config(vocab_size=VOCAB, **shape, **ends, **values)))


def llama(**values: Any) -> LlamaForCausalLM:
    """A Llama of two blocks."""
    return randomized(LlamaForCausalLM(LlamaConfig(**_shape(values))))


def qwen3(**values: Any) -> Qwen3ForCausalLM:
    """A Qwen3 of two blocks, its heads wider than n_embd / n_head."""
    return randomized(Qwen3ForCausalLM(Qwen3Config(**{"head_dim": 12, **_shape(values)})))


def _shape(values: dict[str, Any]) -> dict[str, Any]:
    return {
        "vocab_size": VOCAB, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "hidden_size": 32, "intermediate_size": 40,
        "max_position_embeddings": 48, "bos_token_id": 1, "eos_token_id": 2, **values,
    }  # fmt: skip


@torch.no_grad()
def randomized(model: PreTrainedModel) -> Any:
    """All weights random, biases and norms too, so that none is without effect."""
    generator = torch.Generator().manual_seed(0)
    for name, p in model.named_parameters():
        p.normal_(0.0, 0.3, generator=generator)
        if p.dim() == 1 and not name.endswith("bias"):
            p.add_(1.0)
    return model.eval()


def opened(folder: Path) -> Any:
    """What transformers makes of a folder, in float32."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def some_ids(length: int = 40, vocab_size: int = VOCAB) -> torch.Tensor:
    """Ids of two texts, (2, length)."""
    return torch.randint(vocab_size, (2, length), generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def greedy(model: Any, ids: list[int], count: int) -> list[int]:
    """What transformers continues ids with, by its own generate."""
    made = model.generate(
        torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long),
        max_new_tokens=count, do_sample=False,
    )  # fmt: skip
    return made[0, len(ids) :].tolist()
