"""How much memory a run takes, counted before it starts."""

from __future__ import annotations

from collections import Counter

import torch

from yocto.config import GPTConfig, TrainConfig
from yocto.model.gpt import count_parameters
from yocto.training.cross_entropy import chunk_rows
from yocto.utils.device import pick_device, pick_dtype

FLOAT = 4  # bytes
# What torch itself takes on a CPU once it computes: code that it loads late (its optimizers import
# its compiler, 75 MB), and its libraries' buffers.
WORKSPACE = 100_000_000


def kept_by_block(config: GPTConfig, apart: bool = False) -> float:
    """Numbers a token that a block keeps for its backward pass, line by line as in model/gpt.py.

    apart: with a mask, which all blocks share and which is not counted here.
    """
    C, H, T, inner, K = (
        config.n_embd, config.n_head, config.block_size, config.n_inner, config.n_kv_head,
    )  # fmt: skip
    assert inner is not None and K is not None
    keys = K * C // H
    # A norm keeps its input, which is the residual stream; its statistics; its output, which the
    # projections read; and RMSNorm the normalised values before its weight.
    norms = 2 * (3 * C + 1 if config.norm == "rmsnorm" else 2 * C + 2)
    attention: float = 0
    if config.qk_norm:  # the same of queries and keys, all but their outputs
        attention += 2 * C + H + 2 * keys + K
    if config.dropout == 0:
        attention += 4 * C + H  # q, k, v (each head its own), y, and a sum for each head
        # Queries that are made anew have another layout, which y inherits: it is copied.
        attention += C if config.qk_norm else 0
    else:  # attention with dropout has no kernel of its own on a CPU: weights, mask, product
        attention += 4 * C + 3 * H * T + 2 * C  # and masks of both outputs
    # swiglu keeps gate, silu(gate), up and their product; the others input and output.
    mlp = inner * (4 if config.mlp == "swiglu" else 2)
    return norms + attention + mlp


def kept(config: GPTConfig, train: TrainConfig) -> float:
    """Numbers that a forward pass keeps for its backward pass."""
    C, tokens = config.n_embd, train.batch_size * config.block_size
    block = kept_by_block(config)
    # A recomputed block keeps its input, and one of them is open at a time.
    blocks = C * config.n_layer + block if train.activation_checkpointing else block * config.n_layer
    ends = 3 * C + (C if config.dropout else 0)  # the last norm; the mask of the embedding
    mask = 1.0 * config.block_size if train.respect_documents else 0.0  # one for all blocks
    return tokens * (blocks + ends + mask)


def in_passing(config: GPTConfig, train: TrainConfig) -> float:
    """Numbers that the head, where the backward pass begins, needs besides."""
    C, V, tokens = config.n_embd, config.vocab_size, train.batch_size * config.block_size
    rows = chunk_rows(V, torch.device("cpu"))
    if tokens <= rows:  # loss.py: logits, their logarithms, their gradient
        head = 3.0 * tokens * V
    else:  # cross_entropy.py: logits and their logarithms; both gradients, and both scaled
        head = 2.0 * rows * V + 2 * (tokens * C + V * C)
    # or, in a block, the gradient of the MLP's product, of its gate, and of what was added up
    assert config.n_inner is not None
    block = tokens * (2 * config.n_inner + 2 * C)
    return max(head, block)


def states(config: GPTConfig, train: TrainConfig) -> int:
    """Numbers that the optimizer keeps: AdamW two means for each weight, Muon one."""
    blocks = sum(n * rows * columns for (rows, columns), n in matrices(config).items())
    return 2 * count_parameters(config) - (blocks if train.optimizer == "muon" else 0)


def matrices(config: GPTConfig) -> Counter[tuple[int, int]]:
    """The blocks' matrices: how many of each shape, the shorter side first."""
    C, inner, K = config.n_embd, config.n_inner, config.n_kv_head
    assert inner is not None and K is not None
    keys = K * C // config.n_head
    shapes = [(C, C), (C, C), (keys, C), (keys, C), (inner, C), (inner, C)]
    shapes += [(inner, C)] if config.mlp == "swiglu" else []
    found: Counter[tuple[int, int]] = Counter()
    for rows, columns in shapes:
        found[min(rows, columns), max(rows, columns)] += config.n_layer
    return found


def update(config: GPTConfig, train: TrainConfig) -> int:
    """Numbers that the update of all weights needs besides; see muon.py."""
    if train.optimizer == "adamw":
        return 0  # its kernel changes weights and means in place
    most = 0
    for (n, m), count in matrices(config).items():
        # The momenta stacked, the same normalised, the result; and Gram matrices.
        whole, gram = count * n * m, count * n * n
        most = max(most, 2 * whole + 5 * gram, 3 * whole + (3 if m > 1.5 * n else 2) * gram)
    return most


def training_memory(config: GPTConfig, train: TrainConfig) -> int:
    P, V, C = count_parameters(config), config.vocab_size, config.n_embd
    always = P + states(config, train)
    gradients = P if train.gradient_accumulation_steps > 1 else 0
    forward = gradients + FRAG * kept(config, train) + in_passing(config, train)
    end = P + (3 if config.tie_weights else 2) * V * C
    return int(WORKSPACE + FLOAT * (always + max(forward, end, P + update(config, train))))

FRAG = 1.0
