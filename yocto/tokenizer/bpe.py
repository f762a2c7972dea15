"""Byte-level BPE: any text, any bytes, never an unknown token.

Source of the method: Sennrich et al. 2016 (arXiv:1508.07909), on bytes as in GPT-2 (Radford et al.
2019). A text is cut into pieces by a split pattern; within each piece the pair of neighbours that
was learnt first is merged, again and again, until no learnt pair is left.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeVar, cast

import regex

from yocto.errors import TokenizerError
from yocto.tokenizer.base import BaseTokenizer, sorted_by_id, token_table, unknown_id
from yocto.tokenizer.byte_level import ALPHABET
from yocto.tokenizer.normalize import Normalization, make_normalizer
from yocto.tokenizer.patterns import make_splitter
from yocto.tokenizer.special import check_special_tokens

# (left id, right id) -> (rank: lower merges first, id of the merged token)
Ranks = dict[tuple[int, int], tuple[int, int]]

T = TypeVar("T", bytes, str)  # what a token is: bytes, or in char-bpe characters

_SHORT = 48  # a piece of up to so many bytes is merged by plain scanning, which is quicker there
_CACHED = 64  # pieces of up to so many bytes are remembered …
_CACHE_SIZE = 1 << 18  # … up to so many of them


class BPETokenizer(BaseTokenizer):
    """Byte-level BPE from a vocabulary and its merges.

    vocab: token -> id; must hold all 256 single bytes and what the merges make.
    merges: pairs of tokens, the first learnt first.
    pattern: the name of a split pattern, or a regex.
    special_tokens: text -> id, ids of their own.
    normalize: Unicode form that text is brought into first; then decode gives the normalised text.
    ignore_merges: a piece that is a token as a whole is taken as that token, merges or not.
    """

    kind = "byte-bpe"

    def __init__(
        self,
        vocab: Mapping[bytes, int],
        merges: Sequence[tuple[bytes, bytes]],
        pattern: str = "gpt2",
        special_tokens: Mapping[str, int] | None = None,
        normalize: Normalization = "none",
        ignore_merges: bool = False,
    ) -> None:
        self.vocab = dict(vocab)
        self.merges = list(merges)
        self.pattern = pattern
        self.special_tokens = sorted_by_id(special_tokens or {})
        self.normalize = normalize
        self.ignore_merges = ignore_merges
        check_special_tokens(list(self.special_tokens))
        self._build()

    def _build(self) -> None:
        """Everything that follows from the fields above, made in one place."""
        self._split = make_splitter(self.pattern)
        self._normalized = make_normalizer(self.normalize)
        self._token_bytes = token_table(self.vocab, self.special_tokens)
        self._size = max(self._token_bytes, default=-1) + 1
        try:
            self._byte_ids = [self.vocab[bytes([b])] for b in range(256)]
        except KeyError as error:
            raise TokenizerError(f"the vocabulary lacks the single byte {error}") from None
        self._ranks = make_ranks(self.vocab, self.merges)
        self._cache = PieceCache(self._encode_piece)

    @classmethod
    def train(cls, texts: Iterable[str], **options: Any) -> BPETokenizer:
        """Learn merges from texts; options are those of BPETrainer."""
        from yocto.tokenizer.bpe_train import BPETrainer

        tokenizer = BPETrainer(**options).train(texts)
        assert isinstance(tokenizer, cls)
        return tokenizer

    @property
    def vocab_size(self) -> int:
        """One more than the largest id."""
        return self._size

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes of one token, or the text of a special token."""
        try:
            return self._token_bytes[token_id]
        except KeyError:
            raise unknown_id(token_id, self.vocab_size) from None

    # ------------------------------------------------------------------------------------ encode

    def _encode_plain(self, text: str) -> list[int]:
        cache = self._cache
        ids: list[int] = []
        for piece in self._split(self._normalized(text)):
            ids += cache[piece]
        return ids

    def encode_bytes(self, data: bytes) -> list[int]:
        """The ids of any bytes. Bytes that are no UTF-8 are pieces of their own, and come back."""
        ids: list[int] = []
        # surrogateescape turns each bad byte into a lone surrogate, which no valid text holds.
        for run in regex.split(r"([\uDC80-\uDCFF]+)", data.decode("utf-8", "surrogateescape")):
            if run and "\udc80" <= run[0] <= "\udcff":
                ids += self._encode_chunk(run.encode("utf-8", "surrogateescape"))
            elif run:
                ids += self._encode_plain(run)
        return ids

    def _encode_piece(self, piece: str) -> list[int]:
        return self._encode_chunk(piece.encode("utf-8"))

    def _encode_chunk(self, data: bytes) -> list[int]:
        if self.ignore_merges and data in self.vocab:
            return [self.vocab[data]]
        return merge([self._byte_ids[b] for b in data], self._ranks)

    # ------------------------------------------------------------------------------------- files

    def files(self) -> dict[str, str]:
        """tokenizer.json in Hugging Face's format, and GPT-2's vocab.json and merges.txt."""
        from yocto.tokenizer.huggingface_write import bpe_files

        return bpe_files(self)


class PieceCache(dict[str, list[int]]):
    """Piece -> ids, filled when a piece is first seen, bounded in size."""

    def __init__(self, encode_piece: Any) -> None:
        super().__init__()
        self.encode_piece = encode_piece

    def __missing__(self, piece: str) -> list[int]:
        ids = cast("list[int]", self.encode_piece(piece))
        if len(piece) <= _CACHED:
            if len(self) >= _CACHE_SIZE:
                self.clear()
            self[piece] = ids
        return ids


def make_ranks(vocab: Mapping[T, int], merges: Sequence[tuple[T, T]]) -> Ranks:
    """Merges by the ids of their pairs. Raises TokenizerError for one that makes no token."""
    ranks: Ranks = {}
    for rank, (left, right) in enumerate(merges):
        try:
            pair = vocab[left], vocab[right]
            ranks[pair] = rank, vocab[left + right]
        except KeyError as error:
            raise TokenizerError(f"merge {rank} needs {error}, which is no token") from None
    return ranks


def merge(ids: list[int], ranks: Ranks) -> list[int]:
    """What one piece becomes when all its learnt pairs are merged."""
    return merge_by_scan(ids, ranks) if len(ids) <= _SHORT else merge_by_heap(ids, ranks)


def merge_by_scan(ids: list[int], ranks: Ranks) -> list[int]:
    """Merge the pair of lowest rank, of equals the leftmost, until none is left: O(n²)."""
    while len(ids) > 1:
        candidates = ((ranks.get(pair, _NEVER), i) for i, pair in enumerate(pairwise(ids)))
        (rank, merged), at = min(candidates)
        if rank == _NEVER[0]:
            break
        ids[at : at + 2] = [merged]
    return ids


_NEVER = (1 << 62, -1)


def merge_by_heap(ids: list[int], ranks: Ranks) -> list[int]:
    """The same result as merge_by_scan in O(n log n).

    Tokens are nodes of a linked list that stay at the place of their first byte; `ids[i] = -1`
    marks a node that was merged into the one before it. The heap holds (rank, place, left, right)
    of each pair when it arose; an entry whose place holds other tokens by now is skipped.
    """
    n = len(ids)
    after, before = list(range(1, n + 1)), list(range(-1, n - 1))
    heap: list[tuple[int, int, int, int]] = []

    def offer(i: int) -> None:
        pair = ids[i], ids[after[i]]
        if pair in ranks:
            heapq.heappush(heap, (ranks[pair][0], i, *pair))

    for i in range(n - 1):
        offer(i)
    while heap:
        _, i, left, right = heapq.heappop(heap)
        j = after[i]
        if ids[i] != left or j == n or ids[j] != right:
            continue
        ids[i], ids[j] = ranks[left, right][1], -1
        after[i] = after[j]
        if after[j] < n:
            before[after[j]] = i
            offer(i)
        if before[i] >= 0:
            offer(before[i])
    return [i for i in ids if i >= 0]


def byte_vocab() -> dict[bytes, int]:
    """The 256 single bytes with the ids that a trained vocabulary starts with."""
    return {token: i for i, token in enumerate(ALPHABET)}
