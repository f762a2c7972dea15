"""What there is to know of a tokenizer: its kind, its size, its special and its longest tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from yocto.errors import TokenizerError
from yocto.tokenizer.base import BaseTokenizer
from yocto.utils.text import escaped


@dataclass(frozen=True)
class TokenRow:
    """One token in a list.

    text: what it stands for, `escaped`; None where that is not known. bytes: their number. count
    and share: how often it occurs in what is looked at.
    """

    id: int
    text: str | None
    bytes: int | None
    count: int | None = None
    share: float | None = None


@dataclass(frozen=True)
class TokenizerFacts:
    """What a tokenizer is.

    tokens: ids that stand for something, at most vocab_size. merges, pattern, normalize: None where
    the kind has none, or another library keeps them to itself. lengths: how many tokens have so
    many bytes; special tokens are not counted. identity: the SHA-256 by which token files and
    checkpoints know it.
    """

    kind: str
    vocab_size: int
    tokens: int
    merges: int | None
    pattern: str | None
    normalize: str | None
    special_tokens: dict[str, int]
    lengths: dict[int, int]
    longest: list[TokenRow]
    identity: str


def tokenizer_facts(tokenizer: BaseTokenizer, top: int) -> TokenizerFacts:
    """Look at every token; `top` of the longest are listed."""
    table = token_table_of(tokenizer, range(tokenizer.vocab_size))
    special = set(tokenizer.special_tokens.values())
    plain = {i: data for i, data in table.items() if i not in special}
    merges = getattr(tokenizer, "merges", None)
    return TokenizerFacts(
        kind=tokenizer.kind,
        vocab_size=tokenizer.vocab_size,
        tokens=len(table),
        merges=None if merges is None else len(merges),
        pattern=getattr(tokenizer, "pattern", None),
        normalize=getattr(tokenizer, "normalize", None),
        special_tokens=dict(tokenizer.special_tokens),
        lengths=dict(sorted(Counter(map(len, plain.values())).items())),
        longest=[TokenRow(i, escaped(plain[i]), len(plain[i])) for i in longest(plain, top)],
        identity=tokenizer.sha256,
    )


def token_table_of(tokenizer: BaseTokenizer, ids: Iterable[int]) -> dict[int, bytes]:
    """Id -> bytes; ids that no token has are left out."""
    table = {}
    for i in ids:
        try:
            table[i] = tokenizer.token_bytes(i)
        except TokenizerError:
            continue
    return table


def longest(table: dict[int, bytes], top: int) -> list[int]:
    """The ids of the longest tokens, the lower one first of equally long ones."""
    return sorted(table, key=lambda i: (-len(table[i]), i))[:top]
