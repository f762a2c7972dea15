"""Numbers in place of text: the tokenizer of a model that came without one.

The text "1 306 4658" is the ids 1, 306 and 4658, and so it is written when it is decoded.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Literal

from yocto.errors import TokenizerError, TokenizerFileError
from yocto.tokenizer.base import BaseTokenizer, plain_ints, unknown_id

FORMAT = "yocto-ids"
VERSION = 1


class IdsTokenizer(BaseTokenizer):
    """Ids from 0 to size - 1, between white space.

    bos, eos: the ids that begin and end a document, where the model's files name them.

    >>> tokenizer = IdsTokenizer(1000)
    >>> tokenizer.encode("1 306"), tokenizer.decode([1, 306, 7])
    ([1, 306], '1 306 7')
    """

    kind = "ids"

    def __init__(self, size: int, bos: int | None = None, eos: int | None = None) -> None:
        for name, value in (("bos", bos), ("eos", eos)):
            if value is not None and not 0 <= value < size:
                raise TokenizerError(f"{name} is {value}, but ids lie below {size}")
        self.size, self.bos, self.eos = size, bos, eos
        self.special_tokens = {}

    @classmethod
    def train(cls, texts: Iterable[str], **options: Any) -> BaseTokenizer:
        """Raises TokenizerError: there is nothing to learn."""
        raise TokenizerError(
            "an ids tokenizer learns nothing from text", "yocto train-tokenizer makes one that does"
        )

    @property
    def vocab_size(self) -> int:
        """How many ids there are."""
        return self.size

    @property
    def bos_id(self) -> int | None:
        """The id that begins a document."""
        return self.bos

    @property
    def eos_id(self) -> int | None:
        """The id that ends a document."""
        return self.eos

    @property
    def end_id(self) -> int | None:
        """The id that ends a document."""
        return self.eos

    @property
    def parallel(self) -> Literal["threads", "processes", "no"]:
        """Reading numbers takes no longer than reading a file."""
        return "no"

    def _encode_plain(self, text: str) -> list[int]:
        return [self._id(word) for word in text.split()]

    def _id(self, word: str) -> int:
        # Digits of other scripts are no ids, and a number of a million digits is not worth reading.
        if word.isascii() and word.isdecimal() and len(word) < 20 and int(word) < self.size:
            return int(word)
        shown = word if len(word) <= 40 else word[:40] + "…"
        raise TokenizerError(
            f"{shown!r} is no id: this model came without a tokenizer and works on ids, the "
            f"numbers from 0 to {self.size - 1}",
            'Write ids with spaces between them, such as "1 306", or import the model anew with '
            "its tokenizer beside it.",
        )

    def token_bytes(self, token_id: int) -> bytes:
        """The number, as digits."""
        if not 0 <= token_id < self.size:
            raise unknown_id(token_id, self.size)
        return b"%d" % token_id

    def bytes_after(self, previous: int | None, token_id: int) -> bytes:
        """The number, with a space before it where it follows another one."""
        return (b"" if previous is None else b" ") + self.token_bytes(token_id)

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The numbers with spaces between them."""
        return b" ".join(map(self.token_bytes, plain_ints(ids)))

    def files(self) -> dict[str, str]:
        """ids.json: how many ids there are, and which begin and end a document."""
        content = {
            "format": FORMAT, "version": VERSION, "vocab_size": self.size,
            "bos_id": self.bos, "eos_id": self.eos,
        }  # fmt: skip
        return {"ids.json": json.dumps(content, indent=1) + "\n"}

    @classmethod
    def from_json(cls, content: Any, path: str) -> IdsTokenizer:
        """Make a tokenizer of what ids.json holds; a TokenizerFileError names the fault."""
        hint = "Import the model anew: yocto import"
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise TokenizerFileError(f"{path} is not {FORMAT}", hint)
        if content.get("version") != VERSION:
            raise TokenizerFileError(
                f"{path}: version {content.get('version')!r} is not {VERSION}, which this yocto "
                f"reads", hint,
            )  # fmt: skip
        size, ends = content.get("vocab_size"), (content.get("bos_id"), content.get("eos_id"))
        if type(size) is not int or not 0 < size <= 1 << 24:
            raise TokenizerFileError(f"{path}: vocab_size is {size!r}", hint)
        if not all(value is None or type(value) is int for value in ends):
            raise TokenizerFileError(f"{path}: bos_id and eos_id are {ends!r}", hint)
        try:
            return cls(size, *ends)
        except TokenizerError as error:
            raise TokenizerFileError(f"{path}: {error.message}", hint) from error
