"""*.tiktoken rank files: one line per token, its bytes in base64 and its rank, which is its id.

Source of the format: openai/tiktoken, `load.py`. The files hold no merges; they follow from the
ranks: the two tokens that a token was merged from are what its bytes become when only tokens of
lower rank may be merged (tiktoken's own `_educational.py` and minbpe find them the same way).
"""

from __future__ import annotations

import base64
import binascii
from itertools import pairwise

from yocto.errors import TokenizerError, TokenizerFileError
from yocto.tokenizer.bpe import BPETokenizer

_HINT = "Fetch the file again from where it came."
_LONGEST = 1000  # bytes of a token, the merging of which takes quadratic time; OpenAI's have 128


def bpe_from_tiktoken(data: bytes, path: str, pattern: str) -> BPETokenizer:
    """Make a tokenizer of a rank file; these files name neither pattern nor special tokens."""
    vocab: dict[bytes, int] = {}
    for number, line in enumerate(data.splitlines(), 1):
        try:
            token, rank = line.split()
            vocab[base64.b64decode(token, validate=True)] = int(rank)
        except (ValueError, binascii.Error):
            raise TokenizerFileError(
                f"{path}: line {number} is not a base64 token and a rank", _HINT
            ) from None
    try:
        return BPETokenizer(vocab, recover_merges(vocab), pattern)
    except TokenizerError as error:
        raise TokenizerFileError(f"{path}: {error.message}", _HINT) from error


def recover_merges(vocab: dict[bytes, int]) -> list[tuple[bytes, bytes]]:
    """The merges behind ranks, the lowest rank first."""
    merges = []
    for token in sorted(vocab, key=vocab.__getitem__):
        if len(token) > _LONGEST:
            raise TokenizerError(f"a token has {len(token)} bytes")
        if len(token) > 1:
            parts = _merge_below(token, vocab)
            if len(parts) != 2:
                raise TokenizerError(f"the token {token!r} is not made of two of lower rank")
            merges.append((parts[0], parts[1]))
    return merges


def _merge_below(token: bytes, vocab: dict[bytes, int]) -> list[bytes]:
    """The token's bytes after all merges of a rank below its own."""
    limit = vocab[token]
    parts = [token[i : i + 1] for i in range(len(token))]
    while True:
        ranks = [vocab.get(a + b, limit) for a, b in pairwise(parts)]
        lowest = min(ranks, default=limit)
        if lowest >= limit:
            return parts
        at = ranks.index(lowest)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
