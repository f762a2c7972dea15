"""What a run learns from, and is measured by, whatever it is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from yocto.dataset.batches import Batch, Batches
from yocto.utils.progress import Progress


class Lessons(Protocol):
    """Two splits: what trains, and what validates.

    documents: how many train; the end token stands between them. sha256: of both splits: a resumed
    run must find the same. train_tokens, val_tokens: targets, about. val_bytes: of the text that
    the targets of the validation split stand for.
    """

    documents: int
    sha256: str
    train_tokens: int
    val_tokens: int
    val_bytes: int

    def batches(self) -> Batches:
        """New ones, from the first on. Raises DataError for a text shorter than a window."""

    def validation(self, max_batches: int | None) -> Iterator[Batch]:
        """The batches of an evaluation, the same each time; None takes the whole split."""

    def validation_batches(self) -> int:
        """How many there are in the whole split, at most one less."""

    def document_start(self, progress: Progress) -> int | None:
        """The id that starts a document, where no token is to see another one's. Raises DataError
        where documents can't be told apart."""
