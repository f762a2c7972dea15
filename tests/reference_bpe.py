"""BPE on bytes and on characters, slow and short: the oracle that the fast tokenizers are held
against.

It shares nothing with yocto but the order of the 256 bytes, the patterns and their Unicode version.
Training counts every pair anew after each merge; encoding looks for the best pair anew after each
merge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import regex

from yocto.tokenizer.byte_level import ALPHABET
from yocto.tokenizer.patterns import NAMED_PATTERNS
from yocto.utils.unicode_classes import OTHER, class_table

Merge = tuple[int, int, int]  # left id, right id, id of what they become
Symbol = tuple[str, bool]  # a text of characters, and whether it ends a piece


def cut(text: str, expression: str) -> list[str]:
    """The matches of a split pattern, and what lies between them."""
    pieces, end = [], 0
    named = expression in NAMED_PATTERNS.values()
    read = regex.sub(r"[^\x00-\x7f]", _as_frozen, text) if named else text
    for match in regex.finditer(expression, read):
        if match[0]:
            pieces += [text[end : match.start()], text[match.start() : match.end()]]
            end = match.end()
    return [piece for piece in [*pieces, text[end:]] if piece]


def _as_frozen(match: regex.Match[str]) -> str:
    """A character that a newer Unicode assigns than yocto's table knows, as one without a class."""
    is_new = class_table()[ord(match[0])] == OTHER and regex.match(r"[\s\p{L}\p{N}\p{M}]", match[0])
    return "\ue000" if is_new else match[0]


def train(texts: list[str], expression: str, num_merges: int) -> tuple[list[bytes], list[Merge]]:
    """Merge the commonest pair again and again: the tokens in the order of ids, and the merges."""
    tokens = list(ALPHABET)
    pieces = Counter(piece for text in texts for piece in cut(text, expression))
    words = [([tokens.index(bytes([b])) for b in p.encode()], n) for p, n in pieces.items()]
    return tokens, learn(tokens, words, num_merges, lambda left, right: left + right)


def train_characters(
    texts: list[str], expression: str, num_merges: int, alphabet: str = ""
) -> tuple[list[Symbol], list[Merge]]:
    """The same on characters. What would read as a mark, a byte or a special token is not made."""
    pieces = Counter(piece for text in texts for piece in cut(text, expression))
    characters = sorted(set(alphabet).union(*pieces))
    tokens = [(c, ends) for ends in (False, True) for c in characters]
    words = [([tokens.index(s) for s in symbols(piece)], n) for piece, n in pieces.items()]

    def join(left: Symbol, right: Symbol) -> Symbol | None:
        text, ends = left[0] + right[0], right[1]
        is_reserved = not ends and regex.fullmatch("<(0x[0-9A-F]{2}|unk|pad|bos|eos)>", text)
        return None if is_reserved or "</w>" in text else (text, ends)

    return tokens, learn(tokens, words, num_merges, join)


def symbols(piece: str) -> list[Symbol]:
    """The characters of a piece; the last one ends it."""
    return [(c, i == len(piece)) for i, c in enumerate(piece, 1)]


def learn(
    tokens: list[Any],
    words: list[tuple[list[int], int]],
    num_merges: int,
    join: Callable[[Any, Any], Any],
) -> list[Merge]:
    """The merges of words with their counts; `tokens` grows. join: None where there is no token."""
    merges: list[Merge] = []
    while len(merges) < num_merges:
        counts: Counter[tuple[int, int]] = Counter()
        for ids, n in words:
            for left, right in pairwise(ids):
                if join(tokens[left], tokens[right]) is not None:
                    counts[left, right] += n
        if not counts:
            break
        left, right = min(counts, key=lambda pair: (-counts[pair], pair))
        made = join(tokens[left], tokens[right])
        if made not in tokens:
            tokens.append(made)
        merges.append((left, right, tokens.index(made)))
        words = [(merge(ids, merges[-1]), n) for ids, n in words]
    return merges


def merge(ids: list[int], rule: Merge) -> list[int]:
    """Every place of a pair merged, from the left."""
    left, right, new = rule
    out: list[int] = []
    while ids:
        found = ids[:2] == [left, right]
        out.append(new if found else ids[0])
        ids = ids[2:] if found else ids[1:]
    return out


def merge_all(ids: list[int], merges: list[Merge]) -> list[int]:
    """Merge the pair that was learnt first, the leftmost of several, until none is left."""
    ranks = {(left, right): (rank, new) for rank, (left, right, new) in enumerate(merges)}
    ids = list(ids)
    while known := [pair for pair in pairwise(ids) if pair in ranks]:
        best = min(known, key=lambda pair: ranks[pair])
        at = list(pairwise(ids)).index(best)
        ids[at : at + 2] = [ranks[best][1]]
    return ids


def encode(text: str, expression: str, merges: list[Merge]) -> list[int]:
    """The ids of a text."""
    pieces = [piece.encode() for piece in cut(text, expression)]
    return [i for p in pieces for i in merge_all([ALPHABET.index(bytes([b])) for b in p], merges)]


def encode_characters(
    text: str, expression: str, tokens: list[Symbol], merges: list[Merge]
) -> list[int]:
    """The ids of a text whose characters are all known."""
    pieces = [[tokens.index(s) for s in symbols(piece)] for piece in cut(text, expression)]
    return [i for ids in pieces for i in merge_all(ids, merges)]
