"""A tokenizer that is sent to workers: the same one, or an error. Without a cluster."""

from __future__ import annotations

import pytest

from yocto.errors import ClusterError
from yocto.tokenizer import remote
from yocto.tokenizer.bpe_train import BPETrainer
from yocto.tokenizer.char import CharTokenizer
from yocto.tokenizer.word import WordTokenizer

TEXT = "the theme of the thesis is that a thing is a thing\n🙂 ünïcödé"


@pytest.mark.parametrize(
    "tokenizer",
    [BPETrainer(vocab_size=280).train(TEXT), WordTokenizer.train([TEXT]), CharTokenizer("ab")],
    ids=["byte-bpe", "word", "char"],
)
def test_its_files_make_the_same_tokenizer(tokenizer):
    made = remote._opened((remote._files_of(tokenizer), tokenizer.sha256, 1000))
    assert made.sha256 == tokenizer.sha256
    assert made.encode("abba" if tokenizer.kind == "char" else TEXT) == tokenizer.encode(
        "abba" if tokenizer.kind == "char" else TEXT
    )


def test_one_that_is_opened_as_another_is_an_error():
    files = remote._files_of(CharTokenizer("ab"))
    with pytest.raises(ClusterError, match="opens the char tokenizer as another one"):
        remote._opened((files, "0" * 64, 1000))
