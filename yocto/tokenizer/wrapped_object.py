"""Any object that has encode and decode, used as a tokenizer: what its author's library does not
tell, such as the bytes of a token, is found from what decode says.

Such an object can't be written to a file, so it serves a library's user, not the commands.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Protocol

from yocto.errors import TokenizerError
from yocto.tokenizer.base import StreamDecoder, plain_ints, sorted_by_id
from yocto.tokenizer.wrapped import WrappedTokenizer, guarded

_MOST = 8  # ids that are held back for a character which is not complete; four is the most it needs


class Codec(Protocol):
    """What an object needs to be used as a tokenizer."""

    def encode(self, text: str, /) -> Any:
        """Text to ids: a sequence, or an object with `ids`."""

    def decode(self, ids: Any, /) -> Any:
        """A list of ids to text."""


class ObjectTokenizer(WrappedTokenizer):
    """An object with encode(text) and decode(ids).

    Its size is what n_vocab, vocab_size, get_vocab_size(), get_piece_size() or len() tell, special
    tokens what special_tokens (text -> id) or those of tiktoken and transformers tell. Raises
    TokenizerError where it tells no size.
    """

    kind = "object"

    def __init__(self, codec: Codec) -> None:
        for name in ("encode", "decode"):
            if not callable(getattr(codec, name, None)):
                raise TokenizerError(
                    f"an object of type {type(codec).__name__} is no tokenizer: it has no {name}",
                    "It needs encode(text) -> ids and decode(ids) -> text. Paths: load_tokenizer.",
                )
        self._codec: Any = codec
        self.size = _size(codec)
        self.special_tokens = sorted_by_id(_special(codec))
        self._single: Any = getattr(codec, "decode_single_token_bytes", None)  # tiktoken's
        self._plainly = _plainly(codec)

    def _encode_plain(self, text: str) -> list[int]:
        found = guarded(
            f"the {type(self._codec).__name__} can't encode this text",
            lambda: self._codec.encode(text, **self._plainly),
        )
        ids = [int(i) for i in plain_ints(getattr(found, "ids", found))]
        return [self.known(i) for i in ids]

    def _decode_whole(self, ids: list[int]) -> str:
        return guarded(
            f"the {type(self._codec).__name__} can't decode these ids",
            lambda: str(self._codec.decode(ids)),
        )

    def decode(self, ids: Iterable[int]) -> str:
        """The text that ids stand for, as the object has it."""
        return self._decode_whole([self.known(i) for i in plain_ints(ids)])

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The UTF-8 that ids stand for."""
        plain = [self.known(i) for i in plain_ints(ids)]
        if self._single:
            return b"".join(self.bytes_after(None, i) for i in plain)
        return self._decode_whole(plain).encode("utf-8")

    def bytes_after(self, previous: int | None, token_id: int) -> bytes:
        """What an id stands for where it follows another one. Part of a character is U+FFFD, unless
        the object has tiktoken's decode_single_token_bytes."""
        self.known(token_id)
        if self._single:
            return guarded(f"no token has the id {token_id}", lambda: bytes(self._single(token_id)))
        if previous is None:
            return self._decode_whole([token_id]).encode("utf-8")
        before = self._decode_whole([previous])
        both = self._decode_whole([previous, token_id])
        whole = both if both.startswith(before) else before + self._decode_whole([token_id])
        return whole[len(before) :].encode("utf-8")

    def stream_decoder(self, after: int | None = None) -> StreamDecoder:
        """A decoder for ids that come one by one; `after` is the id before them."""
        return StreamDecoder(self, after) if self._single else _Decoder(self, after)

    @property
    def parallel(self) -> Literal["threads", "processes", "no"]:
        """Nobody knows whether several threads may use such an object at once."""
        return "no"

    def files(self) -> dict[str, str]:
        """Raises TokenizerError: nothing tells how such an object is kept."""
        raise TokenizerError(
            f"a tokenizer that is an object of type {type(self._codec).__name__} can't be saved",
            "These can: a tiktoken.Encoding, a tokenizers.Tokenizer, a SentencePieceProcessor.",
        )


class _Decoder(StreamDecoder):
    """Ids to text by decoding them together with those before them, and telling what is new."""

    def __init__(self, tokenizer: ObjectTokenizer, after: int | None) -> None:
        super().__init__(tokenizer, after)
        self._text = tokenizer._decode_whole
        self._said: list[int] = [] if after is None else [after]  # their text is told
        self._held: list[int] = []

    def push(self, token_id: int) -> str:
        """The text that is complete now; may be empty."""
        self._held.append(token_id)
        fresh = self._fresh()
        if fresh.endswith("\ufffd") and len(self._held) < _MOST:
            return ""
        self._settle()
        return fresh

    def finish(self) -> str:
        """What is left at the end."""
        fresh = self._fresh()
        self._settle()
        return fresh

    def _fresh(self) -> str:
        before, both = self._text(self._said), self._text([*self._said, *self._held])
        return both[len(before) :] if both.startswith(before) else self._text(self._held)

    def _settle(self) -> None:
        # A few ids suffice as what goes before: one might be a mark without text.
        self._said, self._held = [*self._said, *self._held][-_MOST:], []


def _size(codec: Any) -> int:
    for name in ("n_vocab", "get_vocab_size", "get_piece_size", "__len__", "vocab_size"):
        value = getattr(codec, name, None)
        size = value() if callable(value) else value
        if isinstance(size, int) and size > 0:
            return size
    raise TokenizerError(
        f"an object of type {type(codec).__name__} does not tell how many ids it has",
        "Give it an attribute: vocab_size = one more than its largest id",
    )


def _special(codec: Any) -> dict[str, int]:
    for name in ("special_tokens", "_special_tokens"):
        table = getattr(codec, name, None)
        if isinstance(table, Mapping) and all(isinstance(i, int) for i in table.values()):
            return {str(text): i for text, i in table.items()}
    texts, ids = (getattr(codec, f"all_special_{what}", ()) for what in ("tokens", "ids"))
    return {str(text): int(i) for text, i in zip(texts, ids, strict=False)}


def _plainly(codec: Any) -> dict[str, Any]:
    """What makes encode take all of a text as text, in those libraries that have a word for it."""
    words = {"disallowed_special": (), "add_special_tokens": False}
    if hasattr(codec, "all_special_tokens"):  # transformers, whose encode hands on what it is given
        return {"add_special_tokens": False, "split_special_tokens": True}
    try:
        known = inspect.signature(codec.encode).parameters
    except (TypeError, ValueError):
        return {}
    return {word: value for word, value in words.items() if word in known}
