"""sentencepiece models: tokenizer.model, as Llama 2, Gemma and T5 have it.

Control symbols and <unk> are special tokens here; sentencepiece makes none of them of a text.
User-defined symbols are text to it, and stay so. It writes a space as ▁ and puts one before a text,
which decoding takes away: a token that starts a text reads otherwise than the same one later on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from yocto.errors import TokenizerError
from yocto.tokenizer.base import StreamDecoder, plain_ints
from yocto.tokenizer.wrapped import WrappedTokenizer, guarded

SPACE = "▁"


class SentencePieceTokenizer(WrappedTokenizer):
    """A sentencepiece model.

    data: the content of tokenizer.model. Raises TokenizerError where it is none, and ImportError
    where sentencepiece is not installed.
    """

    kind = "sentencepiece"

    def __init__(self, data: bytes) -> None:
        from sentencepiece import SentencePieceProcessor

        self.data = data
        if not data:  # sentencepiece takes that for no model yet
            raise TokenizerError("it is empty")
        self._theirs: Any = guarded(
            "it is no sentencepiece model", lambda: SentencePieceProcessor(model_proto=data)
        )
        sp = self._theirs
        self.size = sp.get_piece_size()
        if not self.size:
            raise TokenizerError("it has no tokens")
        ids = range(self.size)
        self._pieces: list[str] = guarded(
            "its tokens are damaged", lambda: list(map(sp.id_to_piece, ids))
        )
        self._controls = frozenset(filter(sp.is_control, ids))
        self._bytes = {i: int(self._pieces[i][3:5], 16) for i in filter(sp.is_byte, ids)}
        self._unknown = frozenset(filter(sp.is_unknown, ids))
        special = sorted(self._controls | self._unknown)
        self.special_tokens = {self._pieces[i]: i for i in special if self._pieces[i]}
        bos, eos = ((self._pieces[i],) if i >= 0 else () for i in (sp.bos_id(), sp.eos_id()))
        self.frame = bos, eos
        self._vanishing = self._find_vanishing()

    def _find_vanishing(self) -> frozenset[int]:
        """A space by itself at the start of a text: in models that remove spaces, a token after it
        still starts the text."""
        spaces = [i for i, piece in enumerate(self._pieces) if piece == SPACE]
        return frozenset(i for i in spaces if not self._decode_whole([i, i]))

    def _encode_plain(self, text: str) -> list[int]:
        return guarded(
            "sentencepiece can't encode this text",
            lambda: list(self._theirs.encode(
                text, out_type=int, add_bos=False, add_eos=False, reverse=False,
                enable_sampling=False,
            )),
        )  # fmt: skip

    # ------------------------------------------------------------------------------------ decode

    def _decode_whole(self, ids: list[int]) -> str:
        return guarded(
            "sentencepiece can't decode these ids", lambda: str(self._theirs.decode(ids))
        )

    def bytes_after(self, previous: int | None, token_id: int) -> bytes:
        """What an id stands for where it follows another one; after a control symbol a text starts
        anew."""
        piece = self._pieces[self.known(token_id)]
        if token_id in self._bytes:
            return bytes([self._bytes[token_id]])
        starts = previous is None or previous in self._controls
        if starts or token_id in self._controls or token_id in self._unknown:
            return self._decode_whole([token_id]).encode("utf-8")
        return piece.replace(SPACE, " ").encode("utf-8")

    def goes_before(self, previous: int | None, token_id: int) -> int | None:
        """What counts as the id before the next one: one that says nothing changes nothing."""
        if token_id in self._controls or (previous is None and token_id in self._vanishing):
            return previous
        return token_id

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The UTF-8 that ids stand for."""
        previous, parts = None, []
        for token_id in plain_ints(ids):
            parts.append(self.bytes_after(previous, token_id))
            previous = self.goes_before(previous, token_id)
        return b"".join(parts)

    def is_fallback(self, token_id: int) -> bool:
        """Whether an id is one of <0x00> … <0xFF>, or stands for something unknown."""
        return token_id in self._bytes or token_id in self._unknown

    def stream_decoder(self, after: int | None = None) -> StreamDecoder:
        """A decoder for ids that come one by one; `after` is the id before them."""
        return _Decoder(self, None if after in self._controls else after)

    # -------------------------------------------------------------------------- identity, files

    @property
    def unk_id(self) -> int | None:
        """The id that stands for what the vocabulary lacks."""
        return _there(self._theirs.unk_id())

    @property
    def pad_id(self) -> int | None:
        """The id that fills a batch up."""
        return _there(self._theirs.pad_id())

    @property
    def end_token(self) -> str | None:
        """The special token that ends a document."""
        eos = _there(self._theirs.eos_id())
        return super().end_token if eos is None else self._pieces[eos]

    def _with_special(self, added: Mapping[str, int]) -> SentencePieceTokenizer:
        """Control symbols behind the last token: in a message of protocol buffers, what is behind
        its end adds to its lists (field 1 of the model: pieces, each with a text, a score and a
        type)."""
        data = self.data
        for token in added:
            text = token.encode("utf-8")
            piece = b"\x0a" + _varint(len(text)) + text + b"\x15" + bytes(4) + b"\x18\x03"
            data += b"\x0a" + _varint(len(piece)) + piece
        made = SentencePieceTokenizer(data)
        assert made.special_tokens.items() >= added.items()
        return made

    def files(self) -> dict[str, bytes]:
        """tokenizer.model, as it was read."""
        return {"tokenizer.model": self.data}


class _Decoder(StreamDecoder):
    """Ids to text, one at a time."""

    def __init__(self, tokenizer: SentencePieceTokenizer, after: int | None) -> None:
        super().__init__(tokenizer, after)
        self._tokenizer = tokenizer

    def push(self, token_id: int) -> str:
        """The text that is complete now; may be empty."""
        previous = self._previous
        text = super().push(token_id)
        self._previous = self._tokenizer.goes_before(previous, token_id)
        return text


def _varint(number: int) -> bytes:
    """A number as protocol buffers write it: seven bits a byte, the lowest first."""
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


def _there(token_id: int) -> int | None:
    return None if token_id < 0 else int(token_id)
