"""The cross-entropy of the next token without all logits in memory at once."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from yocto.dataset.batches import IGNORED

# Logits computed at a time, as many numbers: 8 MB on a CPU, whose caches are small, and 256 MB on a
# GPU, which needs large products to be busy.
CPU_LOGITS, GPU_LOGITS = 1 << 21, 1 << 26


def chunk_rows(vocab_size: int, device: torch.device) -> int:
    """How many tokens have their logits computed at a time."""
    return max(1, (CPU_LOGITS if device.type == "cpu" else GPU_LOGITS) // vocab_size)


def chunked_cross_entropy(features: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """Mean of -log softmax(features weightᵀ)[target], in nats: a scalar.

    features (R, C), weight (V, C), targets (R,); those that are IGNORED don't count. The logits
    (R, V), by far the largest tensor where the vocabulary is large, are never whole in memory.
    Under autocast the products are in its format; the rest is float32.
    """
    if torch.is_autocast_enabled(features.device.type):
        dtype = torch.get_autocast_dtype(features.device.type)
    else:
        dtype = features.dtype
    rows = chunk_rows(weight.shape[0], features.device)
    # Asked here: within the function gradients are always off, and needs_input_grad is on.
    wanted = torch.is_grad_enabled() and (features.requires_grad or weight.requires_grad)
    loss: Tensor = _ChunkedCrossEntropy.apply(  # type: ignore[no-untyped-call]
        features, weight, targets, rows, dtype, wanted
    )
    return loss


class _ChunkedCrossEntropy(torch.autograd.Function):
    """Computes the gradients in the forward pass, chunk by chunk, while the logits are there: the
    gradient of the logits is softmax minus one at the target, whatever comes after (as in Wijmans
    et al. 2024, "Cut Your Losses", and Liger Kernel). Nothing is computed twice."""

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, weight: Tensor, targets: Tensor,
        rows: int, dtype: torch.dtype, wanted: bool,
    ) -> Tensor:  # fmt: skip
        with torch.autocast(features.device.type, enabled=False):
            head = weight.to(dtype)  # (V, C)
            count = (targets != IGNORED).sum()
            to_features = torch.empty_like(features) if wanted else None
            to_weight = torch.zeros_like(weight, dtype=torch.float32) if wanted else None
            loss = features.new_zeros((), dtype=torch.float32)
            for first in range(0, len(targets), rows):
                part = slice(first, first + rows)
                x, y = features[part].to(dtype), targets[part]
                there = y != IGNORED
                place = y.where(there, 0)[:, None]  # (rows, 1)
                logits = (x @ head.T).float()  # (rows, V)
                logprobs = F.log_softmax(logits, dim=1)
                loss -= (logprobs.gather(1, place) * there[:, None]).sum()
                if to_features is None or to_weight is None:
                    continue
                real = there.float()[:, None]
                gradient = logprobs.exp_().mul_(real)
                gradient.scatter_add_(1, place, -real)
                gradient = gradient.to(dtype)
                to_features[part] = gradient @ head
                if dtype == torch.float32:
                    to_weight.addmm_(gradient.T, x)
                else:  # added up in float32, though the products are not
                    to_weight += gradient.T @ x
        # Divided by the count at the very end: in float16 so small numbers would vanish before.
        ctx.gradients = to_features, to_weight, count
        return loss / count

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        to_features, to_weight, count = ctx.gradients
        del ctx.gradients  # they are changed in place, so that this can be asked once only
        scale = outer[0] / count
        return to_features.mul_(scale), to_weight.mul_(scale), None, None, None, None
