"""*.tiktoken rank files: one line per token, its bytes in base64 and its rank, which is its id.

Source of the format: openai/tiktoken, `load.py`. The files hold no merges; they follow from the
ranks: the two tokens that a token was merged from are what its bytes become when only tokens of
lower rank may be merged (tiktoken's own `_educational.py` and minbpe find them the same way).
Neither do they name the split pattern or the special tokens: whoever loads one has to know.
"""

from __future__ import annotations

import base64
import binascii
import codecs
from typing import Any

from yocto.errors import TokenizerError, TokenizerFileError
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.bpe import BPETokenizer
from yocto.tokenizer.patterns import pattern_name

_HINT = "Fetch the file again from where it came."
_LONGEST = 1000  # bytes of a token, the merging of which takes quadratic time; OpenAI's have 128

# How tiktoken's releases spell the patterns that have names here: the same pieces for any text. Its
# o200k is spelled as here.
_SPELLINGS = {
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s": "gpt2",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+": "gpt2",
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s": "gpt4",
}


def bpe_from_tiktoken(data: bytes, path: str, pattern: str) -> BPETokenizer:
    """Make a tokenizer of a rank file; these files name neither pattern nor special tokens."""
    vocab: dict[bytes, int] = {}
    for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).splitlines(), 1):
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


def bpe_from_encoding(encoding: Any) -> BPETokenizer:
    """Make a tokenizer of a tiktoken.Encoding; of two special tokens with one id the first counts.
    Raises TokenizerError where its ranks come from no merges."""
    vocab, pattern = dict(encoding._mergeable_ranks), encoding._pat_str
    names = {i: text for text, i in reversed(encoding._special_tokens.items())}
    return BPETokenizer(
        vocab,
        recover_merges(vocab),
        _SPELLINGS.get(pattern, pattern_name(pattern)),
        {text: i for i, text in names.items()},
    )


def rank_file(tokenizer: BaseTokenizer) -> bytes:
    """A tokenizer as a rank file, without its pattern and special tokens, which such a file can't
    name. Raises TokenizerError where the ranks would say something else than its merges."""
    hint = "Write it into a folder instead."
    if not isinstance(tokenizer, BPETokenizer):
        raise TokenizerError(
            f"a .tiktoken file holds byte-bpe tokenizers, not {tokenizer.kind} ones", hint
        )
    if tokenizer.normalize != "none":
        raise TokenizerError(
            f"a .tiktoken file can't say that text is brought into {tokenizer.normalize}", hint
        )
    if any(i < 0 for i in tokenizer.vocab.values()) or not _says(tokenizer):
        raise TokenizerError(
            "a .tiktoken file takes the ids for the order of the merges, and here they differ", hint
        )
    ranks = sorted(tokenizer.vocab.items(), key=lambda item: item[1])
    return b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in ranks)


def _says(tokenizer: BPETokenizer) -> bool:
    """Whether the ids alone tell the merges."""
    try:
        return recover_merges(tokenizer.vocab) == tokenizer.merges
    except TokenizerError:
        return False


def recover_merges(vocab: dict[bytes, int]) -> list[tuple[bytes, bytes]]:
    """The merges behind ranks, the lowest rank first."""
    merges = []
    for token, rank in sorted(vocab.items(), key=lambda item: item[1]):
        if len(token) > _LONGEST:
            raise TokenizerError(f"a token has {len(token)} bytes")
        if len(token) > 1:
            parts = _merge_below(token, rank, vocab)
            if len(parts) != 2:
                raise TokenizerError(f"the token {token!r} is not made of two of lower rank")
            merges.append((parts[0], parts[1]))
    return merges


def _merge_below(token: bytes, limit: int, vocab: dict[bytes, int]) -> list[bytes]:
    """The token's bytes after all merges of a rank below its own."""
    rank_of = vocab.get
    parts = [token[i : i + 1] for i in range(len(token))]
    # ranks[i] is that of parts[i] + parts[i + 1]; only those beside a merge change. The loop is as
    # flat as that because o200k has 200,000 tokens.
    ranks = [rank_of(token[i : i + 2], limit) for i in range(len(token) - 1)]
    while len(ranks) > 1:
        lowest = min(ranks)
        if lowest >= limit:
            break
        at = ranks.index(lowest)
        parts[at] += parts.pop(at + 1)
        del ranks[at]
        if at < len(ranks):
            ranks[at] = rank_of(parts[at] + parts[at + 1], limit)
        if at:
            ranks[at - 1] = rank_of(parts[at - 1] + parts[at], limit)
    return parts
