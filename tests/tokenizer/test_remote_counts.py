"""Counting in tasks: the counts are those of one loop in plain Python. Without a cluster."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from pieces import hard_texts

from yocto.tokenizer import remote_counts
from yocto.tokenizer.normalize import make_normalizer
from yocto.tokenizer.patterns import make_splitter
from yocto.tokenizer.piece_counts import PieceCounts, encoded
from yocto.tokenizer.remote_counts import CountRules, count_texts
from yocto.tokenizer.special import split_special
from yocto.tokenizer.word import split_words

SPECIAL = ("<|endoftext|>", "é")


def counted_slowly(texts: list[str], split, normalize) -> Counter[bytes]:
    normalized = make_normalizer(normalize)
    parts = [p for text in texts for p in split_special(text, SPECIAL) if p not in SPECIAL]
    return encoded(Counter(piece for part in parts for piece in split(normalized(part))))


@pytest.mark.parametrize("pattern", ["gpt2", "gpt4o", r"\w+|.", split_words])
@pytest.mark.parametrize("normalize", ["none", "nfkc"])
@pytest.mark.parametrize("with_kernels", [True, False])
def test_a_tasks_counts_are_those_of_plain_python(pattern, normalize, with_kernels, monkeypatch):
    monkeypatch.setattr(remote_counts, "enough_for", lambda *_, size: 0 if with_kernels else None)
    texts = [f"{text}<|endoftext|>ﬁé {text}" for text in hard_texts(seed=3, count=60)]
    made = count_texts(CountRules(pattern, SPECIAL, normalize), texts)
    split = make_splitter(pattern) if isinstance(pattern, str) else pattern
    assert made.counter() == counted_slowly(texts, split, normalize)


@pytest.mark.parametrize("kernel_from", [0, 3, 100])
def test_sums_are_the_same_in_python_in_the_kernel_and_where_it_goes_on(kernel_from, monkeypatch):
    counters = [Counter({b"ab": n, b"x" * n: 2, bytes([n]): n}) for n in range(1, 9)]
    tally = remote_counts._Tally(None)
    for n, counter in enumerate(counters):
        monkeypatch.setattr(remote_counts, "pay", lambda *_, n=n: n >= kernel_from)
        tally.add(PieceCounts.of(counter))
    assert tally.result().counter() == sum(counters, Counter())
    assert (tally._table is not None) == (kernel_from < 100)


def test_no_counts_at_all_are_an_empty_sum():
    assert remote_counts._Tally(0).result().counter() == Counter()
    assert len(remote_counts._Tally(None).result().data) == 0
    assert np.array_equal(remote_counts._Tally(None).result().counts, [])


def test_texts_are_shared_out_in_order_and_a_long_one_is_a_batch_of_its_own(monkeypatch):
    monkeypatch.setattr(remote_counts, "_BATCH", 5)
    texts = ["ab", "cd", "e", "f" * 20, "g", ""]
    assert list(remote_counts._batches(texts)) == [["ab", "cd", "e"], ["f" * 20], ["g", ""]]
    assert list(remote_counts._batches([])) == []
