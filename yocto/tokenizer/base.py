"""What every tokenizer offers, and how special tokens in a text are treated."""

from __future__ import annotations

import codecs
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import regex

from yocto.config import END_OF_TEXT
from yocto.errors import TokenizerError

if TYPE_CHECKING:
    from numpy.typing import NDArray

AllowedSpecial = str | Collection[str]


class BaseTokenizer(ABC):
    """Text to ids and back.

    kind: the tokenizer's name on the command line ("char", "byte-bpe").
    special_tokens: text -> id of tokens that stand for no text, such as <|endoftext|>. They are
    made from a text only where `allowed_special` says so.
    """

    kind: str
    special_tokens: dict[str, int]

    # ------------------------------------------------------------------ what a kind has to bring

    @classmethod
    @abstractmethod
    def train(cls, texts: Iterable[str], **options: Any) -> BaseTokenizer:
        """Learn a vocabulary from texts."""

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """One more than the largest id."""

    @abstractmethod
    def _encode_plain(self, text: str) -> list[int]:
        """The ids of a text that holds no special token."""

    @abstractmethod
    def token_bytes(self, token_id: int) -> bytes:
        """What one id stands for, in UTF-8; a TokenizerError for an id that is not there."""

    @abstractmethod
    def files(self) -> dict[str, str]:
        """The files that `save` writes: name -> content. The first one alone can be loaded."""

    # ------------------------------------------------------------------------------------ encode

    def encode(self, text: str, allowed_special: AllowedSpecial = "none_raise") -> list[int]:
        """Text to ids.

        allowed_special: what to do where the text holds a special token's text: "none_raise" raises
        a TokenizerError, "none" takes it as plain text, "all" makes the special id of it, and a set
        makes the special ids of its members and takes the others as plain text.
        """
        check_text(text)
        allowed = self._allowed(text, allowed_special)
        if not allowed:
            return self._encode_plain(text)
        ids: list[int] = []
        for part in split_special(text, allowed):
            if part in allowed:
                ids.append(self.special_tokens[part])
            else:
                ids.extend(self._encode_plain(part))
        return ids

    def _allowed(self, text: str, allowed_special: AllowedSpecial) -> Collection[str]:
        if allowed_special == "all":
            return self.special_tokens
        if allowed_special == "none":
            return ()
        if allowed_special == "none_raise":
            for token in self.special_tokens:
                if (at := text.find(token)) >= 0:
                    raise TokenizerError(
                        f"the text holds the special token {token!r} at character {at}",
                        'Pass allowed_special="none" to take it as text, "all" to make its id.',
                    )
            return ()
        if isinstance(allowed_special, str):
            raise TokenizerError(
                f"allowed_special is {allowed_special!r}",
                'It takes "none_raise", "none", "all", or a set of special tokens.',
            )
        for token in allowed_special:
            if token not in self.special_tokens:
                raise TokenizerError(
                    f"{token!r} is no special token of this tokenizer",
                    "It has " + (", ".join(map(repr, self.special_tokens)) or "none") + ".",
                )
        return frozenset(allowed_special)

    def encode_bytes(self, data: bytes) -> list[int]:
        """The ids of any bytes, special tokens taken as plain text."""
        try:
            return self._encode_plain(data.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise TokenizerError(
                f"byte {error.start} is not UTF-8, and a {self.kind} tokenizer knows text only",
                "Encode the text as UTF-8, or use a byte-bpe tokenizer.",
            ) from error

    def encode_to_numpy(self, text: str | bytes) -> NDArray[Any]:
        """The ids of a text (str, or UTF-8 bytes) as a 1-D array, special tokens as plain text.

        The array is uint16, or uint32 when vocab_size is above 65536: what a .bin file holds.
        """
        import numpy as np

        if isinstance(text, bytes):
            ids = self.encode_bytes(text)
        else:
            ids = self.encode(text, allowed_special="none")
        return np.array(ids, dtype=np.uint16 if self.vocab_size <= 65536 else np.uint32)

    # ------------------------------------------------------------------------------------ decode

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The bytes that ids stand for."""
        return b"".join(map(self.token_bytes, _plain_ints(ids)))

    def decode(self, ids: Iterable[int]) -> str:
        """The text that ids stand for; bytes that are no UTF-8 become U+FFFD."""
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def stream_decoder(self) -> StreamDecoder:
        """A decoder for ids that come one by one."""
        return StreamDecoder(self)

    # ----------------------------------------------------------------------------- end, identity

    @property
    def end_token(self) -> str | None:
        """The special token that ends a document."""
        return end_token_of(self.special_tokens)

    @property
    def end_id(self) -> int | None:
        """The id of end_token."""
        return None if self.end_token is None else self.special_tokens[self.end_token]

    @property
    def sha256(self) -> str:
        """The identity of this tokenizer: the SHA-256 of the main file that `save` writes."""
        main = next(iter(self.files().values()))
        return hashlib.sha256(main.encode("utf-8")).hexdigest()

    # ------------------------------------------------------------------------------------- files

    def save(self, directory: str | Path) -> None:
        """Write the tokenizer's files into a folder, each one atomically."""
        from yocto.utils.files import write_text

        for name, content in self.files().items():
            write_text(Path(directory) / name, content)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a tokenizer of this kind (of any kind: BaseTokenizer.load) from a folder or file."""
        from yocto.tokenizer.store import load_tokenizer

        tokenizer = load_tokenizer(path)
        if not isinstance(tokenizer, cls):
            raise TokenizerError(f"{path} holds a {tokenizer.kind} tokenizer, not a {cls.kind} one")
        return tokenizer


class StreamDecoder:
    """Ids to text, one at a time, in pieces that never break a character.

    The bytes of a character that is spread over several tokens (an emoji, say) are held back until
    its last one is there.
    """

    def __init__(self, tokenizer: BaseTokenizer) -> None:
        self._token_bytes = tokenizer.token_bytes
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, token_id: int) -> str:
        """The text that is complete now; may be empty."""
        return self._utf8.decode(self._token_bytes(token_id))

    def finish(self) -> str:
        """What is left at the end: U+FFFD for a character that was never completed."""
        return self._utf8.decode(b"", final=True)


def check_text(text: str) -> None:
    """Raise a TokenizerError for a lone surrogate: half a character, which UTF-8 can't hold."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise TokenizerError(
            f"character {error.start} is a lone surrogate, U+{ord(text[error.start]):04X}",
            "Such text comes from a faulty decoding step; decode it with errors='replace'.",
        ) from error


def split_special(text: str, special: Collection[str]) -> Iterator[str]:
    """Cut a text at special tokens, which become parts of their own; of two that start at one
    place the longer one counts."""
    if not special:
        yield text
        return
    longest_first = sorted(special, key=len, reverse=True)
    for part in regex.split("(" + "|".join(map(regex.escape, longest_first)) + ")", text):
        if part:
            yield part


def end_token_of(special_tokens: Iterable[str]) -> str | None:
    """Which special token ends a document: <|endoftext|>, else the first one, else none."""
    tokens = list(special_tokens)
    return END_OF_TEXT if END_OF_TEXT in tokens else next(iter(tokens), None)


def check_special_tokens(special_tokens: Sequence[str]) -> None:
    """Raise a TokenizerError for a special token that is empty or there twice."""
    for i, token in enumerate(special_tokens):
        if not token or token in special_tokens[:i]:
            what = "there twice" if token else "empty"
            raise TokenizerError(f"the special token {token!r} is {what}", "Name each one once.")
        check_text(token)


def sorted_by_id(vocab: Mapping[str, int]) -> dict[str, int]:
    """A vocabulary in the order of its ids."""
    return dict(sorted(vocab.items(), key=lambda item: item[1]))


def _plain_ints(ids: Iterable[int]) -> Iterable[int]:
    """Python integers, whatever array or tensor the ids come in."""
    tolist = getattr(ids, "tolist", None)
    return tolist() if tolist is not None else ids
