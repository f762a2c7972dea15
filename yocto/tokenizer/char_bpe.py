"""BPE on characters, as its authors had it: a token that ends a piece is marked with </w>.

Source: Sennrich et al. 2016 (arXiv:1508.07909); the files are those of Hugging Face's BPE with
`end_of_word_suffix`. Pieces are those of a split pattern, spaces included, so that decoding is
exact. A character that the vocabulary lacks becomes <unk>, or, with byte fallback (as in
SentencePiece), the tokens <0x00> … <0xFF> of its UTF-8 bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from yocto.errors import TokenizerError
from yocto.tokenizer.base import BaseTokenizer, sorted_by_id, token_table, unknown_id
from yocto.tokenizer.bpe import PieceCache, make_ranks, merge
from yocto.tokenizer.normalize import Normalization, make_normalizer
from yocto.tokenizer.patterns import NAMED_PATTERNS, make_splitter
from yocto.tokenizer.special import UNK, check_special_tokens, check_spelling
from yocto.utils.cuts import Cuts

SUFFIX = "</w>"
BYTE_TOKENS = [f"<0x{b:02X}>" for b in range(256)]


class CharBPETokenizer(BaseTokenizer):
    """Character BPE from a vocabulary and its merges.

    vocab: token -> id, "the</w>" for one that ends a piece; with byte_fallback the 256 byte tokens
    are in it. merges: pairs of tokens, the first learnt first. pattern: the name of a split
    pattern, or a regex. special_tokens: text -> id; <unk> is one of them. normalize: Unicode form
    that text is brought into first.
    """

    kind = "char-bpe"

    def __init__(
        self,
        vocab: Mapping[str, int],
        merges: Sequence[tuple[str, str]],
        pattern: str,
        special_tokens: Mapping[str, int],
        normalize: Normalization = "none",
        byte_fallback: bool = False,
    ) -> None:
        self.vocab = sorted_by_id(vocab)
        self.merges = list(merges)
        self.pattern = pattern
        self.special_tokens = sorted_by_id(special_tokens)
        self.normalize = normalize
        self.byte_fallback = byte_fallback
        check_special_tokens(list(self.special_tokens))
        self._build()

    def _build(self) -> None:
        """Everything that follows from the fields above, made in one place."""
        if UNK not in self.special_tokens:
            raise TokenizerError(f"a char-bpe tokenizer needs the special token {UNK}")
        self._split = make_splitter(self.pattern)
        self._normalized = make_normalizer(self.normalize)
        self._unk = self.special_tokens[UNK]
        # Distinct keys keep distinct tokens apart ("a" and "a</w>"); their bytes come after.
        token_table({token.encode("utf-8"): i for token, i in self.vocab.items()},
                    self.special_tokens)  # fmt: skip
        self._token_bytes = {i: text.encode("utf-8") for text, i in self.special_tokens.items()}
        for token, i in self.vocab.items():
            self._token_bytes[i] = token.removesuffix(SUFFIX).encode("utf-8")
        self._size = max(self._token_bytes) + 1
        self._byte_ids: list[int] = []
        if self.byte_fallback:
            self._build_byte_fallback()
        self._ranks = make_ranks(self.vocab, self.merges)
        self._cache = PieceCache(self._encode_piece)

    def _build_byte_fallback(self) -> None:
        try:
            self._byte_ids = [self.vocab[token] for token in BYTE_TOKENS]
        except KeyError as error:
            raise TokenizerError(f"byte fallback needs the token {error}") from None
        for b, i in enumerate(self._byte_ids):
            self._token_bytes[i] = bytes([b])
        # The last character of a piece falls back with its mark. Where the vocabulary knows the
        # mark's own characters, their bytes come from nowhere else, and stand for nothing.
        if all(c in self.vocab and c + SUFFIX in self.vocab for c in SUFFIX):
            for b in SUFFIX.encode():
                self._token_bytes[self._byte_ids[b]] = b""

    @classmethod
    def train(cls, texts: Iterable[str], **options: Any) -> CharBPETokenizer:
        """Learn merges from texts; options are those of BPETrainer."""
        from yocto.tokenizer.bpe_train import BPETrainer

        tokenizer = BPETrainer("char-bpe", **options).train(texts)
        assert isinstance(tokenizer, cls)
        return tokenizer

    @property
    def vocab_size(self) -> int:
        """One more than the largest id."""
        return self._size

    def token_bytes(self, token_id: int) -> bytes:
        """The text of one token, without its mark, or of a special token."""
        try:
            return self._token_bytes[token_id]
        except KeyError:
            raise unknown_id(token_id, self.vocab_size) from None

    def is_fallback(self, token_id: int) -> bool:
        """Whether an id is <unk>, or one of <0x00> … <0xFF>."""
        return token_id == self._unk or token_id in self._byte_ids

    @property
    def cuts(self) -> Cuts:
        """A named pattern does not notice cuts; a regex may, and so may a normal form."""
        if self.pattern not in NAMED_PATTERNS:
            return "none"
        return "any" if self.normalize == "none" else "raw"

    def _encode_plain(self, text: str) -> list[int]:
        cache = self._cache
        ids: list[int] = []
        for piece in self._split(self._normalized(text)):
            ids += cache[piece]
        return ids

    def _encode_piece(self, piece: str) -> list[int]:
        ids: list[int] = []
        for symbol in symbols(piece):
            if symbol in self.vocab:
                ids.append(self.vocab[symbol])
            elif self.byte_fallback:
                ids += [self._byte_ids[b] for b in symbol.encode("utf-8")]
            else:
                ids.append(self._unk)
        return merge(ids, self._ranks)

    def _with_special(self, added: Mapping[str, int]) -> CharBPETokenizer:
        check_spelling(list(added), self.vocab)
        special = {**self.special_tokens, **added}
        return CharBPETokenizer(
            self.vocab, self.merges, self.pattern, special, self.normalize, self.byte_fallback
        )

    def files(self) -> dict[str, str]:
        """tokenizer.json in Hugging Face's format."""
        from yocto.tokenizer.huggingface_write import char_bpe_json

        return {"tokenizer.json": char_bpe_json(self)}


def symbols(piece: str) -> list[str]:
    """What the merges of a piece start from: its characters, the last one marked."""
    return [*piece[:-1], piece[-1] + SUFFIX]
