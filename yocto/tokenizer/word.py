"""One word, one id: what a vocabulary of whole words can and can't do.

Words are runs of letters and digits, with apostrophes inside; every other character is a token of
its own. The one space between two words is not written, but known: decoding puts it back, so that a
text whose words are all known comes back whole. What the vocabulary lacks becomes <unk>.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import regex

from yocto.errors import TokenizerError
from yocto.tokenizer.base import BaseTokenizer, plain_ints, sorted_by_id, token_table, unknown_id
from yocto.tokenizer.normalize import Normalization, make_normalizer
from yocto.tokenizer.piece_counts import count_in_python, plain_parts
from yocto.tokenizer.special import (
    UNK,
    check_special_tokens,
    check_spelling,
    special_tokens_of,
)
from yocto.utils.cuts import Cuts
from yocto.utils.progress import Progress, SilentProgress

if TYPE_CHECKING:
    from yocto.utils.cluster import Cluster

IN_WORD = r"[\p{L}\p{N}\p{M}_]"
WORD = rf"{IN_WORD}+(?:['’][\p{{L}}\p{{M}}]{IN_WORD}*)*"
# The same rule as two steps of Hugging Face's pre-tokenizer: drop a space between two words, then
# cut into words and single characters.
BETWEEN_WORDS = rf"(?<={IN_WORD}) (?={IN_WORD})"
PIECES = rf"{WORD}|[\s\S]"

_WORD = regex.compile(WORD)
# findall passes over what nothing matches: the space between two words.
_SPLIT = regex.compile(rf"{WORD}|(?!{BETWEEN_WORDS})[\s\S]")


class WordTokenizer(BaseTokenizer):
    """A vocabulary of words.

    vocab: word or single other character -> id. special_tokens: text -> id; <unk> is one of them.
    normalize: Unicode form that text is brought into first.

    >>> tokenizer = WordTokenizer.train(["the cat, the dog"])
    >>> tokenizer.decode(tokenizer.encode("the dog, the cow"))
    'the dog, the <unk>'
    """

    kind = "word"

    def __init__(
        self,
        vocab: Mapping[str, int],
        special_tokens: Mapping[str, int],
        normalize: Normalization = "none",
    ) -> None:
        self.vocab = sorted_by_id(vocab)
        self.special_tokens = sorted_by_id(special_tokens)
        self.normalize = normalize
        check_special_tokens(list(self.special_tokens))
        if UNK not in self.special_tokens:
            raise TokenizerError(f"a word tokenizer needs the special token {UNK}")
        self._normalized = make_normalizer(normalize)
        self._unk = self.special_tokens[UNK]
        self._token_bytes = token_table(
            {word.encode("utf-8"): i for word, i in self.vocab.items()}, self.special_tokens
        )
        self._size = max(self._token_bytes) + 1
        self._words = {i for word, i in self.vocab.items() if _WORD.fullmatch(word)} | {self._unk}

    @classmethod
    def train(cls, texts: Iterable[str], **options: Any) -> WordTokenizer:
        """Collect words; options are those of WordTrainer."""
        return WordTrainer(**options).train(texts)

    @property
    def vocab_size(self) -> int:
        """One more than the largest id."""
        return self._size

    def token_bytes(self, token_id: int) -> bytes:
        """The UTF-8 of one word or character, or the text of a special token."""
        try:
            return self._token_bytes[token_id]
        except KeyError:
            raise unknown_id(token_id, self.vocab_size) from None

    def bytes_after(self, previous: int | None, token_id: int) -> bytes:
        """A word, with the space before it where it follows another word."""
        space = b" " if previous in self._words and token_id in self._words else b""
        return space + self.token_bytes(token_id)

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The UTF-8 that ids stand for."""
        plain = list(plain_ints(ids))
        return b"".join(map(self.bytes_after, [None, *plain], plain))

    def _encode_plain(self, text: str) -> list[int]:
        known, unk = self.vocab, self._unk
        return [known.get(piece, unk) for piece in split_words(self._normalized(text))]

    def _with_special(self, added: Mapping[str, int]) -> WordTokenizer:
        check_spelling(list(added), self.vocab)
        return WordTokenizer(self.vocab, {**self.special_tokens, **added}, self.normalize)

    def files(self) -> dict[str, str]:
        """tokenizer.json in Hugging Face's format, model WordLevel."""
        from yocto.tokenizer.huggingface_write import word_json

        return {"tokenizer.json": word_json(self)}


def split_words(text: str) -> list[str]:
    """Words and single other characters; the space between two words is left out."""
    pieces: list[str] = _SPLIT.findall(text)
    return pieces


class WordTrainer:
    """Trains a word tokenizer: the commonest words and characters.

    vocab_size: tokens to reach, special tokens included. special_tokens: those that stand beside
    <unk>, <pad>, <bos> and <eos>.
    """

    def __init__(
        self,
        vocab_size: int = 8000,
        special_tokens: Sequence[str] | None = None,
        normalize: Normalization = "none",
    ) -> None:
        self.special_tokens = special_tokens_of("word", special_tokens)
        if vocab_size <= len(self.special_tokens):
            raise TokenizerError(
                f"a vocabulary of {vocab_size} tokens is too small",
                f"{len(self.special_tokens)} special tokens and one word need at least "
                f"{len(self.special_tokens) + 1}.",
            )
        self.vocab_size = vocab_size
        self.normalize: Normalization = normalize

    @property
    def cuts(self) -> Cuts:
        """A text comes whole: the space between two words belongs to neither."""
        return "none"

    def train(
        self,
        texts: str | Iterable[str],
        progress: Progress | None = None,
        size: int | None = None,
        cluster: Cluster | None = None,
    ) -> WordTokenizer:
        """Count, and keep the commonest; of equally common ones, the first by its characters.

        size: the bytes of all texts, for a bar. cluster: counts, if there is one.
        """
        progress = progress or SilentProgress()
        if cluster is not None:
            from yocto.tokenizer.remote_counts import CountRules, count_on_cluster

            special = tuple(self.special_tokens)
            rules = CountRules(split_words, special, self.normalize, size=size)
            counts = count_on_cluster(texts, rules, cluster, progress).texts()
        else:
            normalized = make_normalizer(self.normalize)
            parts = plain_parts(texts, self.special_tokens, normalized, progress, size)
            counts, _ = count_in_python(parts, split_words)
        check_spelling(self.special_tokens, counts)
        room = self.vocab_size - len(self.special_tokens)
        commonest = sorted(counts, key=lambda piece: (-counts[piece], piece))[:room]
        progress.say(
            f"{len(commonest):,} of {len(counts):,} different words and signs are in the vocabulary"
        )
        ids = {token: i for i, token in enumerate(self.special_tokens)}
        vocab = {piece: len(ids) + i for i, piece in enumerate(commonest)}
        return WordTokenizer(vocab, ids, self.normalize)
