"""Special tokens: they stand for no text, and no text becomes one unless the caller says so.

byte-bpe has <|endoftext|>, which ends a document. word and char-bpe have the four of the older
tokenizers: <unk> for what the vocabulary lacks, <pad>, <bos> and <eos>, which ends a document.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

import regex

from yocto.config import END_OF_TEXT
from yocto.errors import TokenizerError
from yocto.tokenizer.normalize import check_text

UNK, PAD, BOS, EOS = STANDARD = ("<unk>", "<pad>", "<bos>", "<eos>")
# What other tokenizers name first, and what ends no document.
NO_END = frozenset({
    *STANDARD[:3], "<s>", "<mask>", "[UNK]", "[PAD]", "[CLS]", "[BOS]", "[MASK]",
    "<|begin_of_text|>", "<|startoftext|>", "<|im_start|>", "<｜begin▁of▁sentence｜>",
})  # fmt: skip


def special_tokens_of(kind: str, wanted: Sequence[str] | None) -> list[str]:
    """The special tokens of a new tokenizer of this kind; `wanted` are the user's, None if none
    were named. Raises TokenizerError for one that is empty or there twice."""
    check_special_tokens(wanted or ())
    if kind == "byte-bpe":
        return [END_OF_TEXT] if wanted is None else list(wanted)
    return [*STANDARD, *(token for token in wanted or () if token not in STANDARD)]


def end_token_of(special_tokens: Iterable[str]) -> str | None:
    """Which special token ends a document: <|endoftext|>, else <eos> in the kinds that have the
    four, else the first one that may, else the first one, else none."""
    tokens = list(special_tokens)
    if END_OF_TEXT in tokens:
        return END_OF_TEXT
    if set(tokens) >= set(STANDARD):
        return EOS
    return next((token for token in tokens if token not in NO_END), next(iter(tokens), None))


def missing_tokens(
    special_tokens: Iterable[str], end_token: str | None, wanted: Sequence[str]
) -> list[str]:
    """Which of the special tokens that are wanted a tokenizer lacks; <|endoftext|> is wanted too
    where no token, or none that really does, ends a document."""
    check_special_tokens(wanted)
    if end_token is None or end_token in NO_END:
        wanted = [*wanted, *(() if END_OF_TEXT in wanted else (END_OF_TEXT,))]
    there = set(special_tokens)
    return [token for token in wanted if token not in there]


def separator_of(special_tokens: Iterable[str]) -> str:
    """The line that ends a document in a text file: the special token that ends one, or, in the
    kinds that have the four, the first of the user's own; <|endoftext|> where there is none, or
    where the first one is no end: such tokens are another program's."""
    tokens = list(special_tokens)
    own = [t for t in tokens if t not in STANDARD] if set(tokens) >= set(STANDARD) else tokens
    return own[0] if own and end_token_of(own) == own[0] else END_OF_TEXT


def split_special(text: str, special: Collection[str]) -> Iterator[str]:
    """Cut a text at special tokens, which become parts of their own; of two that start at one
    place the longer one counts."""
    if not special:
        yield text
        return
    longest_first = sorted(special, key=len, reverse=True)
    for part in regex.split("(" + "|".join(map(regex.escape, longest_first)) + ")", text):
        if part:
            yield part


def has_space(special_tokens: Iterable[str]) -> bool:
    """Whether any of them has white space in it, where a text might be cut."""
    return any(character.isspace() for token in special_tokens for character in token)


def check_special_tokens(special_tokens: Sequence[str]) -> None:
    """Raise a TokenizerError for a special token that is empty or there twice."""
    seen: set[str] = set()
    for token in special_tokens:
        if not token or token in seen:
            what = "there twice" if token else "empty"
            raise TokenizerError(f"the special token {token!r} is {what}", "Name each one once.")
        check_text(token)
        seen.add(token)


def check_spelling(special_tokens: Sequence[str], tokens: Iterable[str]) -> None:
    """Raise a TokenizerError for a special token that a file would write like a token of text."""
    for token in set(tokens).intersection(special_tokens):
        raise TokenizerError(
            f"the special token {token!r} is spelled like a token of text",
            "Choose a longer one, such as <|a|>.",
        )
