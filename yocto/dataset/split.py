"""Which text trains and which validates: decided once, the same every time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

SPLITS = ("train", "val")


def split_documents(documents: Sequence[str], val_ratio: float) -> dict[str, list[str]]:
    """Documents by split.

    One document is cut: its first int(n (1 - val_ratio)) characters train, as in nanoGPT. Of
    several, each goes where a hash of its text says, so that adding files moves no document to
    another split.
    """
    if len(documents) == 1:
        text = documents[0]
        cut = int(len(text) * (1 - val_ratio))
        return {"train": [text[:cut]] if cut else [], "val": [text[cut:]] if text[cut:] else []}
    draws = [_draw(document) for document in documents]
    limit = val_ratio
    if draws and val_ratio > 0:
        # With few documents chance may leave a split empty; then the nearest one is moved there.
        limit = max(limit, min(draws) + 1e-12)
        limit = min(limit, max(draws))
    return {
        "train": [d for d, draw in zip(documents, draws, strict=True) if draw >= limit],
        "val": [d for d, draw in zip(documents, draws, strict=True) if draw < limit],
    }


def _draw(document: str) -> float:
    """A number in [0, 1) that only the text decides."""
    digest = hashlib.sha256(document.encode("utf-8")).digest()
    return int.from_bytes(digest[:6], "big") / (1 << 48)
