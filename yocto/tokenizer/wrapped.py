"""What tokenizers of other libraries have in common when they are used as yocto's own.

They are held, not translated: text and ids go through the library itself. The two promises that
yocto's tokenizers give are kept around it: no text becomes a special token unless the caller says
so, and decoding id by id gives the text of decoding at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from yocto.config import END_OF_TEXT
from yocto.errors import TokenizerError
from yocto.tokenizer.base import AllowedSpecial, BaseTokenizer, plain_ints, unknown_id
from yocto.tokenizer.special import NO_END, end_token_of

T = TypeVar("T")


class WrappedTokenizer(BaseTokenizer):
    """A tokenizer of another library. `size` is one more than its largest id."""

    size: int

    @classmethod
    def train(cls, texts: Iterable[str], **options: Any) -> BaseTokenizer:
        """Raises TokenizerError: another library's tokenizer is trained by that library."""
        raise TokenizerError(
            f"yocto trains no {cls.kind} tokenizer",
            "Train it with its own library, and give it to yocto.adapt_tokenizer.",
        )

    @property
    def vocab_size(self) -> int:
        """One more than the largest id."""
        return self.size

    @property
    def separator(self) -> str:
        """The line that ends a document in a text file: always <|endoftext|>."""
        return END_OF_TEXT

    @property
    def end_token(self) -> str | None:
        """The special token that ends a document, if one may."""
        token = end_token_of(self.special_tokens)
        return None if token in NO_END else token

    def encode_batch(
        self,
        texts: Sequence[str],
        allowed_special: AllowedSpecial = "none_raise",
        add_special_tokens: bool = False,
        workers: int = 1,
    ) -> list[list[int]]:
        """The ids of many texts, as `encode` makes them, one after the other: which special tokens
        a text makes is up to the library."""
        return [self.encode(text, allowed_special, add_special_tokens) for text in texts]

    def token_bytes(self, token_id: int) -> bytes:
        """What one id stands for at the start of a text, in UTF-8."""
        return self.bytes_after(None, token_id)

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The bytes that ids stand for, each after the one before it."""
        plain = list(plain_ints(ids))
        return b"".join(map(self.bytes_after, [None, *plain], plain))

    def decode(self, ids: Iterable[int]) -> str:
        """The text that ids stand for; bytes that are no UTF-8 become U+FFFD."""
        plain = [self.known(i) for i in plain_ints(ids)]
        text = self._decode_whole(plain)
        # Libraries disagree on how many U+FFFD stand for broken bytes; here it is one number,
        # whether the ids come one by one or at once.
        return super().decode(plain) if "\ufffd" in text else text

    def known(self, token_id: int) -> int:
        """An id that is there. Raises TokenizerError for another."""
        if not 0 <= token_id < self.size:
            raise unknown_id(token_id, self.size)
        return int(token_id)

    def _decode_whole(self, ids: list[int]) -> str:
        """What the library itself makes of ids that are there."""
        raise NotImplementedError


def guarded(what: str, call: Callable[[], T]) -> T:
    """Call another library; whatever goes wrong there becomes a TokenizerError.

    Rust libraries panic with an exception that is no Exception, so that only what is meant to end
    the program passes.
    """
    try:
        return call()
    except (KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError, TokenizerError):
        raise
    except BaseException as error:
        raise TokenizerError(
            f"{what}: {error or type(error).__name__}",
            "That is what its own library says; the fault is in the tokenizer, or in the library.",
        ) from error
