"""Byte-level BPE, slow and short: the oracle that the fast tokenizer is held against.

It shares nothing with yocto but the order of the 256 bytes. Training counts every pair anew after
each merge; encoding looks for the best pair anew after each merge.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import regex

from yocto.tokenizer.byte_level import ALPHABET

Merge = tuple[int, int, int]  # left id, right id, id of what they become


def cut(text: str, expression: str) -> list[str]:
    """The matches of a split pattern, and what lies between them."""
    pieces, end = [], 0
    for match in regex.finditer(expression, text):
        if match[0]:
            pieces += [text[end : match.start()], match[0]]
            end = match.end()
    return [piece for piece in [*pieces, text[end:]] if piece]


def train(texts: list[str], expression: str, num_merges: int) -> tuple[list[bytes], list[Merge]]:
    """Merge the commonest pair again and again: the tokens in the order of ids, and the merges."""
    tokens = list(ALPHABET)
    pieces = Counter(piece for text in texts for piece in cut(text, expression))
    words = [([tokens.index(bytes([b])) for b in p.encode()], n) for p, n in pieces.items()]
    merges: list[Merge] = []
    while len(merges) < num_merges:
        counts: Counter[tuple[int, int]] = Counter()
        for ids, n in words:
            for pair in pairwise(ids):
                counts[pair] += n
        if not counts:
            break
        left, right = min(counts, key=lambda pair: (-counts[pair], pair))
        if tokens[left] + tokens[right] not in tokens:
            tokens.append(tokens[left] + tokens[right])
        merges.append((left, right, tokens.index(tokens[left] + tokens[right])))
        words = [(merge(ids, merges[-1]), n) for ids, n in words]
    return tokens, merges


def merge(ids: list[int], rule: Merge) -> list[int]:
    """Every place of a pair merged, from the left."""
    left, right, new = rule
    out: list[int] = []
    while ids:
        found = ids[:2] == [left, right]
        out.append(new if found else ids[0])
        ids = ids[2:] if found else ids[1:]
    return out


def encode_piece(data: bytes, merges: list[Merge]) -> list[int]:
    """Merge the pair that was learnt first, the leftmost of several, until none is left."""
    ranks = {(left, right): (rank, new) for rank, (left, right, new) in enumerate(merges)}
    ids = [ALPHABET.index(bytes([b])) for b in data]
    while known := [pair for pair in pairwise(ids) if pair in ranks]:
        best = min(known, key=lambda pair: ranks[pair])
        at = list(pairwise(ids)).index(best)
        ids[at : at + 2] = [ranks[best][1]]
    return ids


def encode(text: str, expression: str, merges: list[Merge]) -> list[int]:
    """The ids of a text."""
    return [i for piece in cut(text, expression) for i in encode_piece(piece.encode(), merges)]
