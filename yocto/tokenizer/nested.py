"""Smaller tokenizers out of a larger one, as training for their size alone would make them.

BPE learns its merges one after the other, and none depends on how many follow: what a smaller
vocabulary learns are the first merges of a larger one. Of words, a smaller one has the commonest.
"""

from __future__ import annotations

from collections.abc import Sequence

from yocto.errors import TokenizerError
from yocto.tokenizer.bpe import BPETokenizer, T, byte_vocab
from yocto.tokenizer.char_bpe import CharBPETokenizer
from yocto.tokenizer.word import WordTokenizer

Trained = BPETokenizer | CharBPETokenizer | WordTokenizer


def reach(tokenizer: Trained) -> int:
    """The largest vocab_size that training could have been asked for with this result: what it was
    asked for, or less where the text held no more. Two merges may lead to the same token, so that
    there are fewer tokens than were asked for though the text held enough."""
    if isinstance(tokenizer, WordTokenizer):
        return tokenizer.vocab_size
    return _smallest(tokenizer) + len(tokenizer.merges)


def first_tokens(tokenizer: Trained, vocab_size: int) -> Trained:
    """What the trainer that made this tokenizer makes of the same text for vocab_size tokens,
    special ones included; of a size beyond its own, the same tokenizer.

    Raises TokenizerError for a size that has no room for what comes before the first merge.
    """
    smallest = _smallest(tokenizer)
    if vocab_size < smallest:
        raise TokenizerError(
            f"a vocabulary of {vocab_size} tokens is too small",
            f"This text and its special tokens need at least {smallest}.",
        )
    t = tokenizer
    if isinstance(t, WordTokenizer):
        words = {word: i for word, i in t.vocab.items() if i < vocab_size}
        return WordTokenizer(words, t.special_tokens, t.normalize)
    if isinstance(t, BPETokenizer):
        vocab, merges = byte_vocab(), t.merges[: vocab_size - smallest]
        _add(vocab, merges, len(vocab))
        special = {token: len(vocab) + i for i, token in enumerate(t.special_tokens)}
        return BPETokenizer(vocab, merges, t.pattern, special, t.normalize)
    learnt = t.merges[: vocab_size - smallest]
    made = {left + right for left, right in t.merges}
    symbols = {token: i for token, i in t.vocab.items() if token not in made}
    _add(symbols, learnt, smallest)
    return CharBPETokenizer(
        symbols, learnt, t.pattern, t.special_tokens, t.normalize, t.byte_fallback
    )


def _smallest(tokenizer: Trained) -> int:
    """Tokens before the first merge, special ones included; of words, with one of them."""
    special = len(tokenizer.special_tokens)
    if isinstance(tokenizer, WordTokenizer):
        return special + 1
    made: set[bytes] | set[str]
    if isinstance(tokenizer, BPETokenizer):
        made = {left + right for left, right in tokenizer.merges}
    else:
        made = {left + right for left, right in tokenizer.merges}
    return special + len(tokenizer.vocab) - len(made)


def _add(vocab: dict[T, int], merges: Sequence[tuple[T, T]], first: int) -> None:
    """Give what merges make the ids from `first` on, as the trainer does."""
    for left, right in merges:
        if left + right not in vocab:
            vocab[left + right] = first
            first += 1
