"""Tokens as clients see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from yocto.api.completion import Completion
from yocto.tokenizer.base import BaseTokenizer


class Words:
    """What a tokenizer's ids stand for, as text and as bytes."""

    def __init__(self, tokenizer: BaseTokenizer) -> None:
        self._tokenizer = tokenizer

    def bytes_of(self, previous: int | None, id_: int) -> bytes:
        """What an id stands for behind another one."""
        return self._tokenizer.bytes_after(previous, id_)

    def all(self, ids: Sequence[int]) -> list[dict[str, Any]]:
        """Each id with its text and bytes."""
        found = []
        for previous, id_ in zip([None, *ids], ids, strict=False):
            data = self.bytes_of(previous, id_)
            found.append({"id": id_, "text": text_of(data), "bytes": list(data)})
        return found

    def chat_logprobs(self, text: Completion, first: int, last: int) -> list[dict[str, Any]]:
        """The tokens of a text from `first` up to `last`, with their alternatives, as chunks and
        answers of a chat tell them."""
        found = []
        for at in range(first, last):
            previous = self._previous(text, at)
            found.append({
                **self._told(previous, text.ids[at], text.logprobs[at]), "id": text.ids[at],
                "top_logprobs": [self._told(previous, *other) for other in text.top_logprobs[at]],
            })  # fmt: skip
        return found

    def logprobs(
        self, text: Completion, first: int, last: int, offset: int
    ) -> dict[str, list[Any]]:
        """The same as completions tell them. offset: characters before the first token."""
        tokens, offsets, tops = [], [], []
        for at in range(first, last):
            previous = self._previous(text, at)
            data = self.bytes_of(previous, text.ids[at])
            tokens.append(name_of(data))
            offsets.append(offset)
            offset += len(text_of(data))
            tops.append({
                name_of(self.bytes_of(previous, id_)): logprob
                for id_, logprob in text.top_logprobs[at]
            })  # fmt: skip
        return {
            "tokens": tokens, "token_logprobs": text.logprobs[first:last],
            "top_logprobs": tops, "text_offset": offsets,
        }  # fmt: skip

    def _told(self, previous: int | None, id_: int, logprob: float) -> dict[str, Any]:
        data = self.bytes_of(previous, id_)
        return {"token": text_of(data), "logprob": logprob, "bytes": list(data)}

    @staticmethod
    def _previous(text: Completion, at: int) -> int | None:
        return text.ids[at - 1] if at else text.prompt_ids[-1]


def text_of(data: bytes) -> str:
    """Bytes as text; parts of characters become U+FFFD."""
    return data.decode("utf-8", "replace")


def name_of(data: bytes) -> str:
    """Bytes as a name that no other bytes have, as OpenAI writes those that are no text."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in data)
