"""The loss: a module of its own, so that it can be compiled or sharded together with the model."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from yocto.dataset.batches import IGNORED
from yocto.model.gpt import GPT
from yocto.training.cross_entropy import chunk_rows, chunked_cross_entropy


class LanguageModelLoss(nn.Module):
    """Mean cross-entropy of the next token, in nats.

    document_start: the id that starts a document, where no token is to see another document's; None
    lets each token see all before it.
    """

    def __init__(self, model: GPT, document_start: int | None = None) -> None:
        super().__init__()
        self.model, self.document_start = model, document_start

    def forward(self, idx: Tensor, targets: Tensor) -> Tensor:
        """idx (B, T), targets (B, T) -> a scalar: the mean over targets that aren't IGNORED."""
        # An end token belongs to the document that follows it: generation starts from it too.
        starts = self.document_start
        segments = None if starts is None else (idx == starts).cumsum(dim=1)  # (B, T)
        head = self.model.lm_head.weight  # (V, C)
        features = self.model.features(idx, segments=segments).flatten(0, 1)  # (B T, C)
        if len(features) > chunk_rows(len(head), features.device):
            return chunked_cross_entropy(features, head, targets.flatten())
        logits = self.model.lm_head(features).float()  # (B T, V)
        return F.cross_entropy(logits, targets.flatten(), ignore_index=IGNORED)
