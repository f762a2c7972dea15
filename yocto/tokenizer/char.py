"""One character, one id: the smallest tokenizer that works, and nanoGPT's `char` data."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from yocto.errors import TokenizerError, TokenizerFileError
from yocto.tokenizer.base import BaseTokenizer, id_dtype
from yocto.tokenizer.normalize import Normalization, check_text, make_normalizer
from yocto.tokenizer.special import check_special_tokens, split_special
from yocto.utils.cuts import Cuts

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = "yocto-char"
VERSION = 1


class CharTokenizer(BaseTokenizer):
    """A vocabulary of characters, in the order of their code points as nanoGPT has it.

    characters: each one once. special_tokens: get the ids after the last character.
    normalize: Unicode form that text is brought into first. lowercase: capital letters become small
    ones first. What is decoded is the text as it was then.
    """

    kind = "char"

    def __init__(
        self,
        characters: Iterable[str],
        special_tokens: Iterable[str] = (),
        normalize: Normalization = "none",
        lowercase: bool = False,
    ) -> None:
        self.itos = list(characters)
        self.stoi = {character: i for i, character in enumerate(self.itos)}
        special = list(special_tokens)
        check_special_tokens(special)
        if len(self.stoi) != len(self.itos) or any(len(c) != 1 for c in self.itos):
            raise TokenizerError("a char vocabulary takes single characters, each one once")
        check_text("".join(self.itos))
        self.special_tokens = {token: len(self.itos) + i for i, token in enumerate(special)}
        self.normalize, self.lowercase = normalize, lowercase
        self._prepared = make_preparer(normalize, lowercase)
        self._bytes = [text.encode("utf-8") for text in [*self.itos, *special]]
        self._table: NDArray[Any] | None = None  # code point -> id, for long texts

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        *,
        special_tokens: Iterable[str] = (),
        normalize: Normalization = "none",
        lowercase: bool = False,
        **options: Any,
    ) -> CharTokenizer:
        """Collect the characters of texts; the text of special tokens does not count."""
        if options:
            raise TokenizerError(f"a char tokenizer has no option {next(iter(options))!r}")
        special = list(special_tokens)
        prepared = make_preparer(normalize, lowercase)
        characters: set[str] = set()
        for text in [texts] if isinstance(texts, str) else texts:
            check_text(text)
            for part in split_special(text, special):
                if part not in special:
                    characters.update(prepared(part))
        return cls(sorted(characters), special, normalize, lowercase)

    @property
    def vocab_size(self) -> int:
        """Characters and special tokens."""
        return len(self._bytes)

    @property
    def cuts(self) -> Cuts:
        """A character knows nothing of its neighbours, but a normal form and lower case may."""
        return "raw" if self.lowercase or self.normalize != "none" else "any"

    @property
    def parallel(self) -> Literal["threads", "processes", "no"]:
        """Looking characters up in a table takes less time than reading them."""
        return "no"

    def encode_to_numpy(self, text: str | bytes, workers: int = 1) -> NDArray[Any]:
        """The ids of a text as a 1-D array, special tokens as plain text: looked up in a table by
        code point, all at once."""
        if isinstance(text, bytes):
            return super().encode_to_numpy(text)
        ids = self._look_up(text)
        if len(ids) and ids.min() < 0:
            self._encode_plain(text)  # tells what is not in the vocabulary
        made: NDArray[Any] = ids.astype(id_dtype(self.vocab_size))
        return made

    def encode_known(self, text: str) -> tuple[NDArray[Any], int]:
        """The ids of the characters that are in the vocabulary, as a 1-D array, and how many others
        there are."""
        ids = self._look_up(text)
        known: NDArray[Any] = ids[ids >= 0].astype(id_dtype(self.vocab_size))
        return known, len(ids) - len(known)

    def _look_up(self, text: str) -> NDArray[Any]:
        """The id of each character; -1 for one that is not in the vocabulary."""
        import numpy as np

        check_text(text)
        points = np.frombuffer(self._prepared(text).encode("utf-32-le"), "<u4")
        if self._table is None:
            self._table = np.full(sys.maxunicode + 1, -1, np.int32)
            self._table[[ord(character) for character in self.itos]] = range(len(self.itos))
        found: NDArray[Any] = self._table[points]
        return found

    def _encode_plain(self, text: str) -> list[int]:
        text = self._prepared(text)
        try:
            return [self.stoi[character] for character in text]
        except KeyError:
            unknown = sorted(set(text) - self.stoi.keys())
            shown = ", ".join(f"{c!r} (U+{ord(c):04X})" for c in unknown[:10])
            more = f" and {len(unknown) - 10} more" if len(unknown) > 10 else ""
            raise TokenizerError(
                f"not in the vocabulary of {len(self.itos)} characters: {shown}{more}",
                "Leave these characters out, or train on text that has them.",
            ) from None

    def token_bytes(self, token_id: int) -> bytes:
        """The UTF-8 of one character, or the text of a special token."""
        if not 0 <= token_id < len(self._bytes):
            raise TokenizerError(f"id {token_id} is outside the vocabulary of {self.vocab_size}")
        return self._bytes[token_id]

    def _with_special(self, added: Mapping[str, int]) -> CharTokenizer:
        special = [*self.special_tokens, *added]
        return CharTokenizer(self.itos, special, self.normalize, self.lowercase)

    def files(self) -> dict[str, str]:
        """vocab.json: stoi and itos as nanoGPT's meta.pkl has them, and the special tokens."""
        content = {
            "format": FORMAT,
            "version": VERSION,
            "normalize": self.normalize,
            "lowercase": self.lowercase,
            "stoi": self.stoi,
            "itos": {str(i): character for i, character in enumerate(self.itos)},
            "special_tokens": self.special_tokens,
        }
        return {"vocab.json": json.dumps(content, ensure_ascii=False, indent=1) + "\n"}

    @classmethod
    def from_json(cls, content: Any, path: str) -> CharTokenizer:
        """Make a tokenizer of what vocab.json holds; a TokenizerFileError names the fault."""

        def fault(what: str) -> TokenizerFileError:
            return TokenizerFileError(f"{path}: {what}", "Make it anew with yocto prepare-char.")

        if content.get("version") != VERSION:
            raise fault(
                f"version {content.get('version')!r} is not {VERSION}, which this yocto reads"
            )
        stoi, special = content.get("stoi"), content.get("special_tokens", {})
        for name, table in (("stoi", stoi), ("special_tokens", special)):
            if not isinstance(table, dict) or not all(type(i) is int for i in table.values()):
                raise fault(f"{name} is not a table of ids")
        ids = sorted([*stoi.values(), *special.values()])
        in_order = sorted(stoi, key=stoi.__getitem__)
        if ids != list(range(len(ids))) or (special and stoi and min(special.values()) < len(stoi)):
            raise fault("ids are not 0, 1, 2, … with the special tokens last")
        if content.get("itos") != {str(i): character for i, character in enumerate(in_order)}:
            raise fault("itos and stoi differ")
        try:
            return cls(
                in_order, sorted(special, key=special.__getitem__),
                content.get("normalize"), bool(content.get("lowercase")),
            )  # fmt: skip
        except TokenizerError as error:
            raise fault(error.message) from error


def make_preparer(normalize: Normalization, lowercase: bool) -> Callable[[str], str]:
    """A function that does to a text what comes before its characters are looked up."""
    normalized = make_normalizer(normalize)
    if not lowercase:
        return normalized
    # A normal form may make a capital letter of a sign, and a small letter may lie outside of one.
    return lambda text: normalized(normalized(text).lower())
