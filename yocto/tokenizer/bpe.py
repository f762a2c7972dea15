"""Byte-level BPE: any text, any bytes, never an unknown token.

Source of the method: Sennrich et al. 2016 (arXiv:1508.07909), on bytes as in GPT-2 (Radford et al.
2019). A text is cut into pieces by a split pattern; within each piece the pair of neighbours that
was learnt first is merged, again and again, until no learnt pair is left.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, TypeGuard, TypeVar, cast

import regex

from yocto.errors import TokenizerError
from yocto.tokenizer.base import (
    BaseTokenizer,
    id_dtype,
    plain_ints,
    sorted_by_id,
    to_list,
    token_table,
    unknown_id,
)
from yocto.tokenizer.byte_level import ALPHABET, to_visible
from yocto.tokenizer.normalize import Normalization, check_text, make_normalizer, utf8, utf8_view
from yocto.tokenizer.patterns import NAMED_PATTERNS, make_splitter
from yocto.tokenizer.pay import Patience, modules_for, pay
from yocto.tokenizer.special import check_special_tokens, check_spelling
from yocto.utils.cuts import Cuts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from yocto.tokenizer.bulk import BulkDecoder, BulkEncoder

# (left id, right id) -> (rank: lower merges first, id of the merged token)
Ranks = dict[tuple[int, int], tuple[int, int]]

T = TypeVar("T", bytes, str)  # what a token is: bytes, or in char-bpe characters

_SHORT = 48  # a piece of up to so many bytes is merged by plain scanning, which is quicker there
_CACHED = 64  # pieces of up to so many bytes are remembered …
_CACHE_SIZE = 1 << 18  # … up to so many of them
_ENDLESS = 100_000  # bytes of a piece that plain Python would merge for half a second


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
        self._bulk: BulkEncoder | None = None
        self._decoder: BulkDecoder | None = None
        self._bits = 16 if self._size <= 65536 else 32
        self._patience = Patience(*modules_for(self.pattern, "encode", f"encode_{self._bits}"))

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
        text = self._normalized(text)
        if self._patience.is_over(len(text)):
            return to_list(self._bulk_encode(utf8_view(text)))
        return self._encode_pieces(text)

    def _encode_pieces(self, text: str) -> list[int]:
        """The plain way: short texts, and all of them until the kernels are worth it."""
        cache = self._cache
        ids: list[int] = []
        for piece in self._split(text):
            ids += cache[piece]
        return ids

    def encode_to_numpy(self, text: str | bytes, workers: int = 1) -> NDArray[Any]:
        """The ids of a text (str, or UTF-8 bytes) as a 1-D array, special tokens as plain text.

        The array is uint16, or uint32 when vocab_size is above 65536: what a .bin file holds.
        workers: threads that share a long text; the ids don't depend on them.
        """
        import numpy as np

        if isinstance(text, bytes) and self.normalize != "none":
            return super().encode_to_numpy(text)
        if isinstance(text, str):
            text = self._normalized(text)
        if self._patience.is_over(len(text)):
            return self._bulk_encode(utf8_view(text) if isinstance(text, str) else text, workers)
        if isinstance(text, str):
            check_text(text)
            ids = self._encode_pieces(text)
        else:
            ids = self._encode_runs(text)
        return np.array(ids, id_dtype(self.vocab_size))

    def encode_batch_to_numpy(self, texts: Sequence[str], workers: int = 1) -> list[NDArray[Any]]:
        """The ids of many texts, special tokens as plain text, as arrays."""
        if self._patience.is_over(sum(map(len, texts))):
            return self._bulk_each([utf8(self._normalized(text)) for text in texts], workers)
        return super().encode_batch_to_numpy(texts, workers)

    @property
    def cuts(self) -> Cuts:
        """A named pattern does not notice cuts; a regex may, and so may a normal form."""
        if self.pattern not in NAMED_PATTERNS:
            return "none"
        return "any" if self.normalize == "none" else "raw"

    @property
    def parallel(self) -> Literal["threads", "processes", "no"]:
        """The kernels work without Python's lock; a regex of the user's own does not."""
        return "threads" if self.pattern in NAMED_PATTERNS else "processes"

    def encode_documents(self, parts: Sequence[bytes | None]) -> NDArray[Any]:
        """The ids of texts in UTF-8, with the end token for each None between them."""
        size = sum(len(part) for part in parts if part is not None)
        if self.normalize != "none" or not self._patience.is_over(size):
            return super().encode_documents(parts)
        return self._encoder().encode_parts(parts, self.end_id)

    def expect(self, size: int, say: Callable[[str], None]) -> None:
        """Take the kernels from the first part on, if the whole is worth them."""
        self._patience.expect(size, say)

    def _bulk_each(self, texts: list[bytes], workers: int) -> list[NDArray[Any]]:
        """Encode all texts as one, with the byte 0xFF between them, which no UTF-8 holds: it is a
        piece of its own, the text before it ends there, and its id is made of nothing else."""
        import numpy as np

        filled = [text for text in texts if text]
        ids = self._bulk_encode(b"\xff".join(filled), workers)
        ends = np.flatnonzero(ids == self._byte_ids[0xFF])
        parts = iter(np.split(ids, np.sort(np.concatenate([ends, ends + 1])))[::2])
        return [next(parts) if text else ids[:0] for text in texts]

    def _bulk_encode(self, data: bytes | memoryview, workers: int = 1) -> NDArray[Any]:
        """The same ids, from the kernels."""
        return self._encoder().encode(data, workers)

    def _encoder(self) -> BulkEncoder:
        if self._bulk is None:
            from yocto.tokenizer.bulk import BulkEncoder

            whole = self.vocab if self.ignore_merges else None
            self._bulk = BulkEncoder(self._byte_ids, self._ranks, self.pattern, self._bits, whole)
        return self._bulk

    def encode_bytes(self, data: bytes) -> list[int]:
        """The ids of any bytes. Bytes that are no UTF-8 are pieces of their own, and come back."""
        if self.normalize == "none" and self._patience.is_over(len(data)):
            return to_list(self._bulk_encode(data))
        return self._encode_runs(data)

    def _encode_runs(self, data: bytes) -> list[int]:
        ids: list[int] = []
        # surrogateescape turns each bad byte into a lone surrogate, which no valid text holds.
        for run in regex.split(r"([\uDC80-\uDCFF]+)", data.decode("utf-8", "surrogateescape")):
            if run and "\udc80" <= run[0] <= "\udcff":
                ids += self._encode_chunk(run.encode("utf-8", "surrogateescape"))
            elif run:
                ids += self._encode_pieces(self._normalized(run))
        return ids

    def _encode_piece(self, piece: str) -> list[int]:
        return self._encode_chunk(piece.encode("utf-8"))

    def _encode_chunk(self, data: bytes) -> list[int]:
        if self.ignore_merges and data in self.vocab:
            return [self.vocab[data]]
        if len(data) > _ENDLESS and self._patience.is_short:
            return to_list(self._encoder().encode_piece(data))
        return merge([self._byte_ids[b] for b in data], self._ranks)

    # ------------------------------------------------------------------------------------ decode

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The bytes that ids stand for; long NumPy arrays are the kernel's work."""
        try:
            if _is_array(ids) and pay(4 * len(ids), "decode"):
                return self._bulk_decode(ids)
            return b"".join(map(self._token_bytes.__getitem__, plain_ints(ids)))
        except KeyError as error:
            raise unknown_id(error.args[0], self.vocab_size) from None

    def _bulk_decode(self, ids: NDArray[Any]) -> bytes:
        if self._decoder is None:
            from yocto.tokenizer.bulk import BulkDecoder

            self._decoder = BulkDecoder(self._token_bytes, self.vocab_size)
        return self._decoder.decode(ids)

    # ------------------------------------------------------------------------------------- files

    def _with_special(self, added: Mapping[str, int]) -> BPETokenizer:
        check_spelling(list(added), map(to_visible, self.vocab))
        special = {**self.special_tokens, **added}
        return BPETokenizer(
            self.vocab, self.merges, self.pattern, special, self.normalize, self.ignore_merges
        )

    def files(self) -> dict[str, str]:
        """tokenizer.json in Hugging Face's format, and GPT-2's vocab.json and merges.txt."""
        from yocto.tokenizer.huggingface_write import bpe_files

        return bpe_files(self)


def _is_array(ids: Iterable[int]) -> TypeGuard[NDArray[Any]]:
    """Whether it is a NumPy array of integers, of one dimension; told without importing NumPy."""
    kind = getattr(getattr(ids, "dtype", None), "kind", "")
    is_flat = type(ids).__module__ == "numpy" and getattr(ids, "ndim", 0) == 1
    return is_flat and kind in ("i", "u")


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
