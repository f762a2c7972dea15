"""How much text tokens stand for, in bytes and characters: what a loss is divided by."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from yocto.dataset.tokens import Ids, Tokens
from yocto.tokenizer.base import BaseTokenizer

_BLOCK = 1 << 16  # tokens that are decoded at once


def extent_of(tokenizer: BaseTokenizer, tokens: Tokens, first: int, end: int) -> tuple[int, int]:
    """Bytes and characters of tokens[first:end] where they stand. A character counts where its
    first byte does.

    Special tokens stand for no text: neither those between documents nor one in the place of what
    the vocabulary lacks.
    """
    special = set(tokenizer.special_tokens.values())
    listed = np.array(sorted(special), np.int64)
    size = characters = 0
    # A token may look different behind another one: a word has a space before it there.
    before = [i for i in tokens[max(0, first - 1) : first].tolist() if i not in special]
    for start in range(first, end, _BLOCK):
        for run, ends in _runs(tokens[start : min(start + _BLOCK, end)], tokenizer.end_id):
            ids = run[~np.isin(run, listed)].tolist()
            data = tokenizer.decode_bytes([*before, *ids])
            data = data[len(tokenizer.decode_bytes(before)) :]
            size += len(data)
            characters += count_characters(data)
            before = [] if ends else ids[-1:] or before
    return size, characters


def count_characters(data: bytes) -> int:
    """How many characters begin in UTF-8: all bytes but 0b10xxxxxx, as signed numbers below -64."""
    return len(data) - int(np.count_nonzero(np.frombuffer(data, np.int8) < -64))


def _runs(ids: Ids, end_id: int | None) -> Iterator[tuple[Ids, bool]]:
    """Ids without an end token among them, and whether a document ends behind them."""
    start = 0
    for end in np.flatnonzero(ids == end_id).tolist() if end_id is not None else ():
        yield ids[start:end], True
        start = end + 1
    yield ids[start:], False
