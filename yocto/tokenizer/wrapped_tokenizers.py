"""Tokenizers that only Hugging Face's library `tokenizers` understands: Unigram, WordPiece, BPE in
Llama 2's way, and whatever else a tokenizer.json can hold.

The file is kept as it is, so that its SHA-256 stays what it is. The library would make special
tokens of any text that spells them: each set of allowed ones has an instance of its own, in which
only these are found. Ids come one by one where a model speaks, so each id's text is found from the
text of it and the id before it; decoders that look no further back give the same as at once.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from yocto.errors import TokenizerError, TokenizerFileError
from yocto.tokenizer.base import AllowedSpecial, sorted_by_id, unknown_id
from yocto.tokenizer.byte_level import CHAR_TO_BYTE, from_visible
from yocto.tokenizer.huggingface_frame import frame_of
from yocto.tokenizer.normalize import check_text
from yocto.tokenizer.wrapped import WrappedTokenizer, guarded
from yocto.utils.files import parse_json

if TYPE_CHECKING:
    import tokenizers

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
_LONGEST = 10_000  # characters of a regex, and what the least counts of its repeats multiply to


class TokenizersTokenizer(WrappedTokenizer):
    """A tokenizer.json, used by `tokenizers`.

    text: the file's content. Raises TokenizerError where the library is missing or can't read it.
    """

    kind = "tokenizers"

    def __init__(self, text: str) -> None:
        self.text = text
        self._content = _checked(text)
        self._instances: dict[tuple[frozenset[str], bool], tokenizers.Tokenizer] = {}
        plain = self._instance(())
        added = plain.get_added_tokens_decoder()
        vocab = plain.get_vocab()
        self._tokens = {i: token for token, i in vocab.items()}
        if len(self._tokens) < len(vocab):
            raise TokenizerError("two tokens of the vocabulary have the same id")
        if not plain.get_vocab_size(with_added_tokens=False):
            raise TokenizerError("its model has no tokens")
        self._tokens |= {i: token.content for i, token in added.items()}
        self.size = max(self._tokens) + 1
        if self.size > 2 * len(self._tokens) + 200_000:
            raise TokenizerError(f"ids go up to {self.size - 1} in {len(self._tokens)} tokens")
        kinds = set(_decoders(self._content.get("decoder")))
        self._is_byte_level = kinds == {"ByteLevel"}
        found = ((i, _BYTE.fullmatch(token)) for i, token in self._tokens.items())
        as_bytes = {i: int(match[1], 16) for i, match in found if match}
        self._bytes = as_bytes if "ByteFallback" in kinds else {}
        # What a model makes of any text is no special token, though a file may call it one.
        of_text = as_bytes if self._content["model"].get("byte_fallback") else {}
        special = {token.content: i for i, token in added.items()
                   if (token.special or not token.normalized) and i not in of_text}  # fmt: skip
        self.special_tokens = sorted_by_id(special)
        with suppress(TokenizerError):  # a post-processor that only the library knows
            frame = frame_of(self._content.get("post_processor"), self.special_tokens)
            self.frame = frame or self.frame

    def _instance(self, allowed: Collection[str], sealed: bool = False) -> tokenizers.Tokenizer:
        """The library's tokenizer that finds these special tokens in a text, and no others.

        sealed: its model can't spell the others either. A Unigram model holds <s> as it holds a
        word, and would make it of a text that spells it.
        """
        key = frozenset(allowed), sealed
        if key not in self._instances:
            content = {**self._content, "added_tokens": [
                {**token, "special": _is_special(token) and token["content"] not in key[0]}
                for token in self._content.get("added_tokens") or []
            ]}  # fmt: skip
            if sealed:
                content = _sealed(content, self.special_tokens.keys() - key[0])
            text, library = json.dumps(content), _library()
            made = guarded("tokenizers can't read it", lambda: library.from_str(text))
            made.encode_special_tokens = True  # as text, that is
            self._instances[key] = made
        return self._instances[key]

    # ------------------------------------------------------------------------------------ encode

    def encode(
        self,
        text: str,
        allowed_special: AllowedSpecial = "none_raise",
        add_special_tokens: bool = False,
    ) -> list[int]:
        """Text to ids, as in BaseTokenizer; what add_special_tokens adds is up to the file."""
        check_text(text)
        return self._encode(text, self._allowed(text, allowed_special), add_special_tokens)

    def _encode_plain(self, text: str) -> list[int]:
        return self._encode(text, (), False)

    def _encode(self, text: str, allowed: Collection[str], framed: bool) -> list[int]:
        forbidden = {i for token, i in self.special_tokens.items() if token not in allowed}
        forbidden.discard(-1 if self.unk_id is None else self.unk_id)
        for sealed in (False, True):
            encode = partial(self._instance(allowed, sealed).encode, add_special_tokens=framed)
            found = guarded("tokenizers can't encode this text", partial(encode, text))
            ids = list(found.ids)
            made = zip(ids, found.special_tokens_mask, strict=True)  # 1: put around the text
            if not any(i in forbidden for i, around in made if not around):
                return ids
        raise TokenizerError("tokenizers makes a special token of this text, whatever one says")

    # ------------------------------------------------------------------------------------ decode

    def known(self, token_id: int) -> int:
        """An id that a token has. Raises TokenizerError for another."""
        if token_id not in self._tokens:
            raise unknown_id(token_id, self.size)
        return int(token_id)

    def _decode_whole(self, ids: list[int]) -> str:
        plain = self._instance(())
        return guarded(
            "tokenizers can't decode these ids",
            lambda: str(plain.decode(ids, skip_special_tokens=False)),
        )

    def bytes_after(self, previous: int | None, token_id: int) -> bytes:
        """What an id stands for where it follows another one, in UTF-8; may be part of a
        character."""
        token = self._tokens[self.known(token_id)]
        if self._is_byte_level:
            visible = token not in self.special_tokens and all(c in CHAR_TO_BYTE for c in token)
            return from_visible(token) if visible else token.encode("utf-8")
        byte = self._bytes.get(token_id)
        if byte is not None and (previous is not None or byte >= 0x80):
            return bytes([byte])
        if previous is None:
            return self._decode_whole([token_id]).encode("utf-8")
        before = self._decode_whole([self.known(previous)])
        both = self._decode_whole([previous, token_id])
        if not both.startswith(before):
            return self._decode_whole([token_id]).encode("utf-8")
        return both[len(before) :].encode("utf-8")

    def is_fallback(self, token_id: int) -> bool:
        """Whether an id is a single byte, or stands for something unknown."""
        as_byte = _BYTE.fullmatch(self._tokens[self.known(token_id)])
        return as_byte is not None or super().is_fallback(token_id)

    # -------------------------------------------------------------------------- identity, files

    @property
    def unk_id(self) -> int | None:
        """The id that stands for what the vocabulary lacks."""
        model = self._content["model"]
        token = model.get("unk_token")
        if isinstance(token, str):
            return self._instance(()).token_to_id(token)
        unk_id = model.get("unk_id")  # of a Unigram model
        return unk_id if isinstance(unk_id, int) else None

    def _with_special(self, added: Mapping[str, int]) -> TokenizersTokenizer:
        content = dict(parse_json(self.text.encode("utf-8")))
        content["added_tokens"] = [*(content.get("added_tokens") or []), *(
            {"id": i, "content": token, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": True}
            for token, i in added.items()
        )]  # fmt: skip
        made = TokenizersTokenizer(json.dumps(content, ensure_ascii=False, indent=1) + "\n")
        if made._tokens != self._tokens | {i: token for token, i in added.items()}:
            raise TokenizerError(
                "tokenizers gives these special tokens other ids, since its vocabulary has gaps",
                "Train a model with one of yocto's own tokenizers: yocto train-tokenizer",
            )
        return made

    def files(self) -> dict[str, str]:
        """tokenizer.json, as it was read."""
        return {"tokenizer.json": self.text}


def open_with_tokenizers(data: bytes, fault: TokenizerFileError) -> TokenizersTokenizer:
    """A tokenizer.json that yocto itself did not understand, `fault` being why. Raises it where the
    library does neither, or is not installed."""
    try:
        text = data.decode("utf-8-sig")
        return TokenizersTokenizer(text)
    except ImportError:
        hint = "Hugging Face's library may know it: pip install tokenizers"
        raise TokenizerFileError(fault.message, hint) from fault
    except (UnicodeDecodeError, TokenizerError):
        raise fault from None


def _library() -> type[tokenizers.Tokenizer]:
    from tokenizers import Tokenizer

    return Tokenizer


def _checked(text: str) -> dict[str, Any]:
    """What a tokenizer.json holds, without what would cut, fill up or roll dice."""
    try:
        content = parse_json(text.encode("utf-8"))
    except ValueError as error:
        raise TokenizerError(f"it is not valid JSON: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
        raise TokenizerError("'model' is missing or not a table")
    if content["model"].get("dropout"):
        raise TokenizerError("model.dropout gives a text other ids each time")
    added = content.get("added_tokens")
    if not isinstance(added, list | None) or not all(
        isinstance(token, dict) and isinstance(token.get("content"), str) for token in added or []
    ):
        raise TokenizerError("'added_tokens' is not a list of tokens")
    for expression in _regexes(content):
        counts = [n.lstrip("0")[:9] or "1" for n in re.findall(r"\{\s*,?\s*([0-9]+)", expression)]
        if len(expression) > _LONGEST or math.prod(map(int, counts)) > _LONGEST:
            raise TokenizerError("a regex in it is too large")
    return {**content, "truncation": None, "padding": None}


def _sealed(content: dict[str, Any], special: Collection[str]) -> dict[str, Any]:
    """A tokenizer.json some of whose tokens no text can spell, each under the same id."""
    names = {t: f"\U0010ffff{hashlib.sha256(t.encode()).hexdigest()}" for t in special}
    model = dict(content["model"])
    if isinstance(model.get("vocab"), dict):
        model["vocab"] = {names.get(token, token): i for token, i in model["vocab"].items()}
    else:  # of a Unigram model: pieces with their scores, the place of each being its id
        model["vocab"] = [[names.get(piece, piece), score] for piece, score in model["vocab"]]
    if isinstance(model.get("unk_token"), str):
        model["unk_token"] = names.get(model["unk_token"], model["unk_token"])
    added = [{**token, "content": names.get(token["content"], token["content"])}
             for token in content["added_tokens"]]  # fmt: skip
    return {**content, "model": model, "added_tokens": added}


def _is_special(token: dict[str, Any]) -> bool:
    """Whether an added token is a mark rather than a word of the text."""
    return bool(token.get("special") or not token.get("normalized"))


def _regexes(content: Any) -> Iterator[str]:
    """All regexes in a tokenizer.json; the vocabulary holds none."""
    if isinstance(content, dict):
        for key, value in content.items():
            if key == "Regex" and isinstance(value, str):
                yield value
            elif key != "vocab" and key != "merges":
                yield from _regexes(value)
    elif isinstance(content, list):
        for value in content:
            yield from _regexes(value)


def _decoders(decoder: Any) -> Iterator[str]:
    """The kinds of decoders, those in a sequence one by one."""
    if isinstance(decoder, dict):
        inner = decoder.get("decoders")
        if decoder.get("type") == "Sequence" and isinstance(inner, list):
            for step in inner:
                yield from _decoders(step)
        else:
            yield str(decoder.get("type"))
