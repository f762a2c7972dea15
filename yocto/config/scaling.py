"""One dial, depth, from which the rest of a run follows by scaling rules."""

from __future__ import annotations

import math
from typing import Any

TOKENS_PER_PARAMETER = 20  # Hoffmann et al. 2022, "Chinchilla"
MICRO_BATCH = 1 << 14  # the most tokens of one forward pass; more are accumulated


def scaled(depth: int) -> dict[str, Any]:
    """The settings of a model of so many blocks, for with_base.

    Width: 64 channels a block, in heads of 64, as nanochat has it; GPT-2's smallest is depth 12.
    Tokens: 20 for each weight of the blocks, of which there are about 12 n_embd² in each.
    Batch: grows with the tokens to the power of 2/3 (between McCandlish et al. 2018, who tie it to
    the loss, and the square root of Zhang et al. 2024), which makes 1,000 steps a block.
    Rates: Muon's changes a matrix by its spectral norm and needs no rule (Bernstein 2025);
    AdamW's, of embeddings and head, falls with the root of the width.
    """
    n_embd = 64 * depth
    block_size = min(1024, 1 << round(math.log2(n_embd)))
    max_iters = 1000 * depth
    tokens = TOKENS_PER_PARAMETER * 12 * n_embd**2 * depth
    sequences = max(1, round(tokens / max_iters / block_size))
    passes = -(-sequences * block_size // MICRO_BATCH)
    return {
        "n_layer": depth,
        "n_head": depth,
        "n_embd": n_embd,
        "block_size": block_size,
        "batch_size": -(-sequences // passes),
        "gradient_accumulation_steps": passes,
        "max_iters": max_iters,
        "learning_rate": float(f"{8e-3 * math.sqrt(128 / n_embd):.2g}"),
        "muon_lr": 0.03,
        "warmup_iters": max(10, max_iters // 100),
        "eval_interval": max_iters // 20,
        "eval_iters": 40,
    }
