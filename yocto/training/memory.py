"""How much memory a run takes, counted before it starts."""

from __future__ import annotations

import dataclasses
from collections import Counter

import torch

from yocto.config import GPTConfig, LoopConfig
from yocto.model.size import count_parameters
from yocto.training.cross_entropy import chunk_rows
from yocto.utils.device import pick_device, pick_dtype

# Bytes that torch itself takes on a CPU once it trains: code that it loads late (its optimizers
# import its compiler, some 75 MB) and its libraries' buffers.
WORKSPACE = 100_000_000
LARGEST_KEPT = 1 << 25  # bytes: the most that malloc keeps of a freed piece (glibc, 64 bits)


def training_memory(model: GPTConfig, train: LoopConfig) -> int:
    """Bytes that a run takes at its peak, on top of the imported program; of several processes
    (`nproc`), what each one takes.

    On a CPU the parts add up, though a step needs them one after the other: the system's malloc
    asks for some bytes more than an aligned tensor has, so that what one has left free rarely holds
    another of the same size (glibc 2.36). A GPU's allocator gives all of it out again.
    """
    device = pick_device(train.device)
    processes = train.nproc or 1
    train = _portion(train, processes)
    weights, gradients = count_parameters(model), trained_weights(model, train)
    always = weights + optimizer_states(model, train)
    if processes > 1 and train.parallel == "fsdp":
        # Parts of all, and whole: embeddings and head, and two blocks.
        tables = model.vocab_size * model.n_embd * (1 if model.tie_weights else 2)
        whole = tables + min(2, model.n_layer) * (weights - tables) // model.n_layer
        weights, gradients, always = (
            -(-count // processes) for count in (weights, gradients, always)
        )
        always, gradients = always + whole, gradients + whole
    if train.rank is not None:  # the factors, and both tables with the rows that are trained
        always += gradients + 2 * model.vocab_size * model.n_embd
    kept, head = kept_by_pass(model, train), loss_head(model, train, device)
    update = update_intermediates(model, train)
    if device.type == "cpu":
        freed = freed_between(model, train)
        if train.gradient_accumulation_steps > 1:
            # The gradients of a pass and their sum, which lies between what other passes free.
            gradients += gradients + 2 * model.vocab_size * model.n_embd
            freed *= 2
        return WORKSPACE + 4 * int(always + gradients + kept + freed + head + update)
    if pick_dtype(train.dtype, device) != torch.float32:
        # Counted under autocast: what products keep takes half, norms and the residual stream
        # don't; and the weights are there in that format too.
        kept, always = 0.7 * kept, always + weights // 2
    return 4 * int(always + max(gradients + update, gradients + kept + head))


def _portion(train: LoopConfig, processes: int) -> LoopConfig:
    """A run as one of several processes sees it, which has a share of each batch."""
    passes, size = train.gradient_accumulation_steps, train.batch_size
    if passes % processes == 0:
        passes //= processes
    else:
        size = -(-size // processes)
    return dataclasses.replace(
        train, gradient_accumulation_steps=passes, batch_size=size, given=train.given
    )


def kept_by_block(model: GPTConfig) -> float:
    """Numbers a token that a block keeps for its backward pass, line by line as in model/gpt.py."""
    C, H, K, inner = model.n_embd, model.n_head, model.n_kv_head, model.n_inner
    D = model.head_size
    assert inner is not None and K is not None and D is not None
    heads, keys = H * D, K * D
    # A norm keeps its input, which is the residual stream; its output, which the projections read;
    # its statistics; and RMSNorm the normalised values before its weight.
    numbers: float = 2 * (3 * C + 1 if model.norm == "rmsnorm" else 2 * C + 2)
    if model.qk_norm:  # the same of queries and keys, all but their outputs
        numbers += 2 * heads + H + 2 * keys + K
    numbers += 4 * heads  # q, and k and v for each head, and y, for the projection
    if model.dropout == 0:
        numbers += H  # a sum for each head
        # y gets the layout of q: where norms have made that anew, y is copied for the projection.
        numbers += heads if model.qk_norm else 0
    else:
        # Attention with dropout has no kernel of its own on a CPU: it keeps its weights, their
        # mask and their product. And the masks of what both halves add.
        numbers += 3 * H * model.block_size + 2 * C
    # swiglu: gate, silu(gate), up and their product; the others: before and after.
    return numbers + inner * (4 if model.mlp == "swiglu" else 2)


def kept_by_pass(model: GPTConfig, train: LoopConfig) -> float:
    """Numbers that a forward pass keeps for its backward pass."""
    C, block = model.n_embd, kept_by_block(model)
    numbers = block * model.n_layer
    if train.activation_checkpointing:  # what goes into each block, and one block at a time
        numbers = C * model.n_layer + block
    numbers += 3 * C  # the last norm
    numbers += C if model.dropout else 0  # the mask of the embeddings
    numbers += model.block_size if train.keeps_apart else 0  # one mask for all blocks
    return _tokens(model, train) * numbers


def freed_between(model: GPTConfig, train: LoopConfig) -> float:
    """Numbers that a forward pass makes and frees again between those that it keeps."""
    C, H, K, tokens = model.n_embd, model.n_head, model.n_kv_head, _tokens(model, train)
    assert K is not None and model.head_size is not None
    if train.activation_checkpointing:  # half of what would be kept otherwise, as measured
        return tokens * model.n_layer * 0.5 * kept_by_block(model)
    ones = 2.0  # of C numbers a token: what both halves of a block add to the residual stream
    if model.position == "rope":  # x cos, -right, [-right, left], [-right, left] sin
        ones += 3.5 * (H + K) * model.head_size / C
    if model.dropout:
        ones += 2
    numbers = ones * _reusable(tokens * C)
    if model.dropout:
        numbers += _reusable(tokens * H * model.block_size)
    return model.n_layer * numbers


def _reusable(numbers: int) -> int:
    """A tensor's numbers, or none where it is so large that malloc gives it back to the system."""
    return numbers if 4 * numbers < LARGEST_KEPT else 0


def loss_head(model: GPTConfig, train: LoopConfig, device: torch.device) -> int:
    """Numbers that the loss needs, or the backward pass of a block, whichever is more."""
    C, V, inner, tokens = model.n_embd, model.vocab_size, model.n_inner, _tokens(model, train)
    assert inner is not None
    rows = chunk_rows(V, device)
    head = 3 * tokens * V  # loss.py: logits, their logarithms and their gradient
    if tokens > rows:
        # cross_entropy.py: logits and their logarithms; the gradients of the features and of the
        # weights
        head = 2 * rows * V + tokens * C + V * C
    # gradients of the MLP's product and of one that went into it; two of the residual stream
    return max(head, tokens * (2 * inner + 2 * C))


def trained_weights(model: GPTConfig, train: LoopConfig) -> int:
    """Weights that have a gradient: all, or with LoRA the factors; the few vectors that are trained
    besides don't count."""
    if train.rank is None:
        return count_parameters(model)
    return sum(count * train.rank * (n + m) for (n, m), count in _matrices(model).items())


def optimizer_states(model: GPTConfig, train: LoopConfig) -> int:
    """Numbers that the optimizers keep: AdamW two for each weight, Muon one."""
    by_muon = train.optimizer == "muon"
    moved = sum(count * n * m for (n, m), count in _matrices(model).items()) if by_muon else 0
    return 2 * trained_weights(model, train) - moved


def update_intermediates(model: GPTConfig, train: LoopConfig) -> int:
    """Numbers that an update of the weights needs: muon.py moves matrices of one shape at once."""
    if train.optimizer == "adamw":
        return 0  # its kernel changes them where they are
    most = 0
    for (n, m), count in _matrices(model).items():
        # Momenta side by side, normalised, and orthogonal; Gram matrices and their products.
        whole, gram = count * n * m, count * n * n
        most = max(most, 2 * whole + 5 * gram, 3 * whole + (3 if m > 1.5 * n else 2) * gram)
    return most


def _matrices(model: GPTConfig) -> Counter[tuple[int, int]]:
    """The blocks' matrices: how many there are of each shape, the shorter side first."""
    C, H, K, inner = model.n_embd, model.n_head, model.n_kv_head, model.n_inner
    D = model.head_size
    assert inner is not None and K is not None and D is not None
    shapes = [(H * D, C)] * 2 + [(K * D, C)] * 2
    shapes += [(inner, C)] * (3 if model.mlp == "swiglu" else 2)
    found: Counter[tuple[int, int]] = Counter()
    for rows, columns in shapes:
        found[min(rows, columns), max(rows, columns)] += model.n_layer
    return found


def _tokens(model: GPTConfig, train: LoopConfig) -> int:
    return train.batch_size * model.block_size
