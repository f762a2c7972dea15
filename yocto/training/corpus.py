"""Token files as what a run learns from, and how it reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from yocto.config import TrainConfig
from yocto.dataset.batches import (
    Batch,
    Batches,
    OneBatch,
    RandomBatches,
    SequentialBatches,
    check_validation_split,
    count_eval_batches,
    eval_batches,
)
from yocto.dataset.tokens import Tokens
from yocto.errors import DataError
from yocto.utils.progress import Progress


@dataclass(frozen=True)
class Corpus:
    """Token files."""

    train: Tokens
    val: Tokens
    val_bytes: int  # of text in the validation split
    documents: int  # in the training split; the end token stands between them
    sha256: str = ""  # of both splits: a resumed run must find the same
    end_id: int | None = None  # the id between two documents


class TextLessons:
    """Windows of token files, read as a run's settings say: its Lessons. Raises DataError for a
    validation split that is shorter than a window."""

    def __init__(self, config: TrainConfig, corpus: Corpus, vocab_size: int) -> None:
        check_validation_split(corpus.val, config.block_size)  # first: it is the shorter one
        self.config, self.corpus, self.vocab_size = config, corpus, vocab_size
        self.documents, self.sha256, self.val_bytes = (
            corpus.documents, corpus.sha256, corpus.val_bytes,
        )  # fmt: skip
        self.measured_on = "the one batch that it learnt" if config.overfit_batch else None
        self.train_tokens, self.val_tokens = len(corpus.train), len(corpus.val)

    def batches(self) -> Batches:
        """Those that the settings name."""
        return make_batches(self.config, self.corpus, self.vocab_size)

    def validation(self, max_batches: int | None) -> Iterator[Batch]:
        """The batches of an evaluation."""
        return validation(self.config, self.corpus, self.vocab_size, max_batches)

    def validation_batches(self) -> int:
        """How many there are in the whole split, at most one less."""
        if self.config.overfit_batch:
            return 1
        return count_eval_batches(self.corpus.val, self.config.block_size, self.config.batch_size)

    def document_start(self, progress: Progress) -> int | None:
        """The id that starts a document, where documents are kept apart."""
        return document_start(self.config, self.corpus, progress)


def make_batches(config: TrainConfig, corpus: Corpus, vocab_size: int) -> Batches:
    """The batches that the settings name. Raises DataError for a text shorter than a window."""
    if config.overfit_batch:
        return OneBatch(_windows(config, corpus, vocab_size).next())
    return _windows(config, corpus, vocab_size)


def _windows(config: TrainConfig, corpus: Corpus, vocab_size: int) -> Batches:
    tokens, block_size, batch_size = corpus.train, config.block_size, config.batch_size
    if config.order == "sequential":
        return SequentialBatches(tokens, block_size, batch_size, config.seed, vocab_size)
    generator = torch.Generator().manual_seed(config.seed)
    return RandomBatches(tokens, block_size, batch_size, generator, vocab_size)


def validation(
    config: TrainConfig, corpus: Corpus, vocab_size: int, max_batches: int | None
) -> Iterator[Batch]:
    """The batches of an evaluation, the same each time; None takes the whole split. A run that
    learns one batch is asked about that one."""
    if config.overfit_batch:
        return iter([make_batches(config, corpus, vocab_size).next()])
    return eval_batches(corpus.val, config.block_size, config.batch_size, max_batches, vocab_size)


def document_start(config: TrainConfig, corpus: Corpus, progress: Progress) -> int | None:
    """The id that starts a document, where the run is to keep documents apart; None where it reads
    across them. Raises DataError for token files that don't tell documents apart."""
    if not config.respect_documents:
        return None
    if corpus.end_id is None:
        raise DataError(
            "the token files have no end token between documents, so --respect-documents can't "
            "tell them apart",
            "Leave it out, or encode the text with a tokenizer that has one: yocto train-tokenizer",
        )
    if corpus.documents <= 1:
        progress.notice(
            "the training text is one document: --respect-documents changes nothing there"
        )
    return corpus.end_id
