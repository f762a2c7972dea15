"""What a run learns from, and is measured by, whatever it is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from yocto.dataset.batches import Batch, Batches
from yocto.utils.progress import Progress


class Lessons(Protocol):
    """Two splits: what trains, and what validates."""

    @property
    def documents(self) -> int:
        """How many the model knows when it has learnt these; the end token stands between them."""

    @property
    def sha256(self) -> str:
        """Of both splits: a resumed run must find the same."""

    @property
    def train_tokens(self) -> int:
        """Targets that train."""

    @property
    def val_tokens(self) -> int:
        """Targets of an evaluation of the whole split."""

    @property
    def val_bytes(self) -> int:
        """Bytes of the text that these stand for."""

    @property
    def measured_on(self) -> str | None:
        """What an evaluation looks at where that is no validation split, in words."""

    def batches(self) -> Batches:
        """New ones, from the first on. Raises DataError for a text shorter than a window."""

    def validation(self, max_batches: int | None) -> Iterator[Batch]:
        """The batches of an evaluation, the same each time; None takes the whole split."""

    def validation_batches(self) -> int:
        """How many there are in the whole split, at most one less."""

    def document_start(self, progress: Progress) -> int | None:
        """The id that starts a document, where no token is to see another one's. Raises DataError
        where documents can't be told apart."""
