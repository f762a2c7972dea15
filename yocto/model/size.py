"""How many weights a GPT has, told from its shape alone."""

from __future__ import annotations

from yocto.config import GPTConfig


def count_parameters(config: GPTConfig) -> int:
    """The weights that a GPT would have, told without making one."""
    C, K, inner, bias = config.n_embd, config.n_kv_head, config.n_inner, bool(config.bias)
    D = config.head_size
    assert K is not None and inner is not None and D is not None

    def linear(inputs: int, outputs: int) -> int:
        return inputs * outputs + bias * outputs

    norm = C * (2 if config.norm == "layernorm" and bias else 1)
    attention = linear(C, config.n_head * D) + 2 * linear(C, K * D) + linear(config.n_head * D, C)
    attention += 2 * D if config.qk_norm else 0
    mlp = linear(C, inner) * (2 if config.mlp == "swiglu" else 1) + linear(inner, C)
    embeddings = config.vocab_size * C * (1 if config.tie_weights else 2)
    embeddings += config.block_size * C if config.position == "learned" else 0
    return embeddings + config.n_layer * (2 * norm + attention + mlp) + norm
