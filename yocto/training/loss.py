"""The loss: a module of its own, so that it can be compiled or sharded together with the model."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from yocto.model.gpt import GPT


class LanguageModelLoss(nn.Module):
    """Mean cross-entropy of the next token, in nats."""

    def __init__(self, model: GPT) -> None:
        super().__init__()
        self.model = model

    def forward(self, idx: Tensor, targets: Tensor) -> Tensor:
        """idx (B, T), targets (B, T) -> a scalar."""
        logits = self.model(idx)  # (B, T, V)
        return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten())
