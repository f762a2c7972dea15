"""Conversations as what a run learns from: the assistant's words alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from yocto.config import LoopConfig
from yocto.dataset.batches import Batch
from yocto.dataset.packed import Conversations, PackedBatches, packed_batches
from yocto.utils.progress import Progress


@dataclass(frozen=True)
class ChatLessons:
    """Conversations, several in a window: Lessons.

    val: empty where there are too few to set some aside; then the evaluation looks at those that
    train. val_bytes: of the text that is learnt in those that the evaluation looks at. documents:
    that the model has learnt from before, too. start: the id that begins each.
    """

    config: LoopConfig
    train: Conversations
    val: Conversations
    val_bytes: int
    documents: int
    block_size: int
    start: int

    @property
    def evaluated(self) -> Conversations:
        """Those that an evaluation looks at."""
        return self.val if len(self.val) else self.train

    @property
    def measured_on(self) -> str | None:
        """What an evaluation looks at, where it is not the validation split."""
        return None if len(self.val) else "the conversations that it learnt"

    @property
    def train_tokens(self) -> int:
        """Targets that are learnt."""
        return self.train.targets

    @property
    def val_tokens(self) -> int:
        """The same of the evaluation."""
        return self.evaluated.targets

    @property
    def sha256(self) -> str:
        """Of both splits."""
        return self.train.sha256 + self.val.sha256

    def batches(self) -> PackedBatches:
        """New ones, from the first epoch on."""
        c = self.config
        return PackedBatches(self.train, self.block_size, c.batch_size, c.seed, self.start)

    def validation(self, max_batches: int | None) -> Iterator[Batch]:
        """The batches of an evaluation."""
        size, batch_size = self.block_size, self.config.batch_size
        return packed_batches(self.evaluated, size, batch_size, self.start, max_batches)

    def validation_batches(self) -> int:
        """How many there are in the whole split."""
        return sum(1 for _ in self.validation(None))

    def document_start(self, progress: Progress) -> int:
        """The id that begins each conversation."""
        return self.start
