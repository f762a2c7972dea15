"""A long text as windows that a model can read, in which each token is scored once.

The layout is that of Hugging Face's guide to the perplexity of models with a fixed context: windows
of block_size tokens begin every `stride` tokens, and each scores what the ones before it have not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from yocto.dataset.tokens import Ids, Tokens, TokenShards
from yocto.evaluation.scoring import Row


def windows(tokens: Tokens, block_size: int, stride: int, first: int = 1) -> Iterator[Row]:
    """Windows of at most block_size tokens at 0, stride, 2 stride and so on, to the first that
    reaches the end: of each what lies behind the one before is scored. With stride = block_size,
    where a window's first token would have nothing before it, the token behind a window is its
    last target instead, as in training's evaluations.

    first: the first token to be scored; those before it are context.
    """
    assert 1 <= stride <= block_size
    assert first >= 1
    size = block_size + (stride == block_size)
    scored, end = first, len(tokens)  # what lies before `scored` is
    for start in range(0, end, stride):
        stop = min(start + size, end)
        if scored < stop:
            yield Row(tokens[start:stop], scored - start)
            scored = stop
        if stop == end:
            return


def preceded(start: Sequence[int], tokens: Tokens) -> Tokens:
    """Tokens with some before them."""
    if not start:
        return tokens
    parts: list[Ids] = [np.array(start, tokens.dtype)]
    parts += tokens.parts if isinstance(tokens, TokenShards) else [tokens[:]]
    return TokenShards(parts)


def suffix_rows(ids: Sequence[int], begin: int, block_size: int) -> tuple[list[Row], bool]:
    """What is to be scored for the sum of ids[begin:], each from all before it that fits into the
    context; and whether anything had to be trimmed, from the left. begin: at least 1.

    What is longer than the context is scored in parts of half a block, so that each token has
    another half of it, or more, before it.
    """
    whole, end = np.array(ids, np.int64), len(ids)
    longest = block_size + 1  # the last one is only predicted
    if end <= longest:
        return [Row(whole, begin)], False
    if end - begin <= block_size:
        return [Row(whole[-longest:], longest - (end - begin))], True
    half, rows = max(1, block_size // 2), []
    for place in range(begin, end, half):
        stop = min(place + half, end)
        start = max(0, stop - longest)
        rows.append(Row(whole[start:stop], place - start))
    return rows, True
