"""A smaller tokenizer out of a larger one is the one that training for its size makes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import make_text

from yocto.errors import TokenizerError
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.bpe_train import BPETrainer
from yocto.tokenizer.nested import first_tokens, reach
from yocto.tokenizer.word import WordTrainer

TEXTS = st.text(alphabet="ab c\nüé", min_size=1, max_size=300)


def trained(kind: str, size: int, text: str, **options: Any) -> Any:
    if kind == "word":
        return WordTrainer(size, **options).train(text)
    return BPETrainer(kind, vocab_size=size, **options).train(text)


def same(one: BaseTokenizer, other: BaseTokenizer) -> bool:
    """Whether all files are: vocabulary, merges, pattern, special tokens."""
    return dict(one.files()) == dict(other.files())


@settings(deadline=None)
@given(TEXTS, st.integers(0, 60), st.integers(0, 60))
def test_the_merges_of_a_smaller_byte_bpe_are_a_prefix(text: str, more: int, less: int) -> None:
    large = trained("byte-bpe", 257 + more + less, text)
    assert same(first_tokens(large, 257 + more), trained("byte-bpe", 257 + more, text))


@settings(deadline=None)
@given(TEXTS, st.integers(0, 40), st.integers(0, 40), st.booleans())
def test_the_merges_of_a_smaller_char_bpe_are_a_prefix(text, more, less, fallback) -> None:
    first = 4 + 2 * len({*text, *("</w>" if fallback else "")}) + 256 * fallback
    large = trained("char-bpe", first + more + less, text, byte_fallback=fallback)
    small = trained("char-bpe", first + more, text, byte_fallback=fallback)
    assert same(first_tokens(large, first + more), small)


@settings(deadline=None)
@given(TEXTS, st.integers(0, 20), st.integers(0, 20))
def test_the_words_of_a_smaller_vocabulary_are_the_commonest(text, more, less) -> None:
    large = trained("word", 5 + more + less, text)
    assert same(first_tokens(large, 5 + more), trained("word", 5 + more, text))


@pytest.mark.parametrize("kind", ["byte-bpe", "char-bpe"])
@pytest.mark.parametrize("options", [
    {}, {"pattern": "gpt4", "special_tokens": ["<a>", "<b>"]}, {"normalize": "nfkc"},
])  # fmt: skip
def test_sizes_of_a_real_text_with_all_options(kind, options) -> None:
    text = make_text(200)
    first = 258 if kind == "byte-bpe" else 110
    large = trained(kind, first + 140, text, **options)
    for size in (first, first + 1, first + 60, first + 139, first + 140):
        assert same(first_tokens(large, size), trained(kind, size, text, **options))


def test_the_kernels_learn_the_same_prefix(monkeypatch) -> None:
    text = make_text(400)
    slow = trained("byte-bpe", 500, text)
    monkeypatch.setattr("yocto.tokenizer.bpe_train.learning_pays", lambda symbols: True)
    large = trained("byte-bpe", 800, text)
    assert same(first_tokens(large, 500), slow)


def test_two_merges_that_lead_to_one_token_count_twice() -> None:
    text = "abc abc abc bcd ab ab bc bc abcd xabc xbc aabcc abbc abcc cabc " * 3
    large = trained("byte-bpe", 400, text)
    for size in range(257, 300):
        assert same(first_tokens(large, size), trained("byte-bpe", size, text))


def test_reach_is_what_was_asked_for_or_less_where_the_text_ends() -> None:
    text = make_text(100)
    assert reach(trained("byte-bpe", 300, text)) == 300
    assert reach(trained("char-bpe", 200, text)) == 200
    assert reach(trained("word", 20, text)) == 20
    for kind in ("byte-bpe", "char-bpe", "word"):
        all_there_is = trained(kind, 100_000, text)
        assert reach(all_there_is) < 100_000
        assert same(first_tokens(all_there_is, 50_000), all_there_is)
        assert same(trained(kind, reach(all_there_is), text), all_there_is)


def test_a_size_without_room_for_the_first_tokens_is_refused() -> None:
    for kind, size, least in (("byte-bpe", 256, 257), ("word", 4, 5)):
        with pytest.raises(TokenizerError, match=f"{size} tokens is too small") as caught:
            first_tokens(trained(kind, 400, "some text"), size)
        assert f"at least {least}" in caught.value.hint
