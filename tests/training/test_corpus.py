"""How a run reads its text."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from tiny import Recorder, tiny_corpus, train_config

from yocto.dataset.batches import RandomBatches, SequentialBatches
from yocto.errors import DataError
from yocto.training.corpus import document_start, make_batches


def test_each_order_has_its_batches() -> None:
    corpus = tiny_corpus()
    draws = make_batches(train_config(seed=7), corpus, 26)
    assert isinstance(draws, RandomBatches)
    generator = torch.Generator().manual_seed(7)
    assert torch.equal(draws.next()[0], RandomBatches(corpus.train, 8, 4, generator).next()[0])
    turns = make_batches(train_config(order="sequential", seed=7), corpus, 26)
    assert isinstance(turns, SequentialBatches)
    assert torch.equal(turns.next()[0], SequentialBatches(corpus.train, 8, 4, 7).next()[0])


@pytest.mark.parametrize("order", ["random", "sequential"])
def test_batches_of_either_order_know_the_vocabulary(order: str) -> None:
    batches = make_batches(train_config(order=order, batch_size=50), tiny_corpus(), 25)
    with pytest.raises(DataError, match="holds id 25"):
        batches.next()


def test_an_epoch_takes_as_many_targets_as_its_windows_have_room_for() -> None:
    assert make_batches(train_config(), tiny_corpus(402), 26).epoch_tokens == 402
    turns = make_batches(train_config(order="sequential"), tiny_corpus(402), 26)
    assert turns.epoch_tokens == 51 * 8  # 401 targets: the last window has one


def test_documents_are_kept_apart_by_the_end_token_and_only_when_asked_for() -> None:
    corpus = dataclasses.replace(tiny_corpus(), documents=9, end_id=25)
    progress = Recorder()
    assert document_start(train_config(respect_documents=True), corpus, progress) == 25
    assert document_start(train_config(), corpus, progress) is None
    assert progress.notices == []


def test_token_files_without_an_end_token_can_not_keep_documents_apart() -> None:
    with pytest.raises(DataError, match="no end token between documents") as caught:
        document_start(train_config(respect_documents=True), tiny_corpus(), Recorder())
    assert "yocto train-tokenizer" in caught.value.hint
    assert document_start(train_config(), tiny_corpus(), Recorder()) is None


def test_keeping_a_single_document_apart_is_told_to_change_nothing() -> None:
    corpus, progress = dataclasses.replace(tiny_corpus(), end_id=25), Recorder()
    document_start(train_config(respect_documents=True), corpus, progress)
    (notice,) = progress.notices
    assert "one document: --respect-documents changes nothing" in notice
