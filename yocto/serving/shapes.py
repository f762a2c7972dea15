"""Answers in OpenAI's shapes. What a stream repeats in each of its chunks is written once.

All is ASCII: some clients end a line at U+2028, or at others that Unicode counts as its end.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from typing import Any

from yocto.api.completion import Completion
from yocto.serving.batcher import Change
from yocto.serving.service import Order, Service
from yocto.serving.words import Words


class Shape:
    """How one request's texts are told: those of /v1/completions. with_usage: whether a stream ends
    with its counts."""

    kind, chunk_kind, prefix = "text_completion", "text_completion", "cmpl-"

    def __init__(self, service: Service, order: Order, with_usage: bool) -> None:
        self._order, self._words, self._with_usage = order, service.words, with_usage
        self._told = order.told is not None
        self._frame: dict[str, Any] = {
            "id": self.prefix + uuid.uuid4().hex, "object": self.kind, "created": int(time.time()),
            "model": service.name,
        }  # fmt: skip
        chunk = {**self._frame, "object": self.chunk_kind}
        self._begin = b"data: " + _json(chunk)[:-1] + b',"choices":['
        self._end = b'],"usage":null}\n\n' if with_usage else b"]}\n\n"
        self._streams = [Stream(order.strips) for _ in order.jobs]

    # ------------------------------------------------------------------------------- in one piece

    def whole(self, texts: Sequence[Completion], reasons: Sequence[str]) -> dict[str, Any]:
        """An answer with all its texts."""
        choices = [
            self._choice(index, text, reason)
            for index, (text, reason) in enumerate(zip(texts, reasons, strict=True))
        ]
        return {**self._frame, "choices": choices, "usage": self.usage(texts)}

    def usage(self, texts: Sequence[Completion]) -> dict[str, int]:
        """The counts of a request's tokens."""
        made = sum(len(text.ids) for text in texts)
        prompt = self._order.prompt_tokens
        return {
            "prompt_tokens": prompt, "completion_tokens": made, "total_tokens": prompt + made
        }  # fmt: skip

    def _choice(self, index: int, text: Completion, reason: str) -> dict[str, Any]:
        stream = Stream(self._order.strips)
        piece = stream.add(text.text)
        logprobs = None
        if self._told:
            first, last = stream.tokens(self._words, text, len(text.ids))
            logprobs = self._logprobs(index, stream, text, first, last)
        return self._said(index, self._order.echoes[index] + piece, logprobs, reason)

    def _said(self, index: int, piece: str, logprobs: Any, reason: str) -> dict[str, Any]:
        return {"text": piece, "index": index, "logprobs": logprobs, "finish_reason": reason}

    def _logprobs(
        self, index: int, stream: Stream, text: Completion, first: int, last: int
    ) -> dict[str, Any] | None:
        offset = len(self._order.echoes[index]) + stream.characters
        found = self._words.logprobs(text, first, last, offset)
        stream.characters += sum(map(len, found["tokens"]))
        return found

    # ---------------------------------------------------------------------------------- in pieces

    def opening(self) -> bytes:
        """What a stream begins with."""
        return b"".join(
            self._chunk(self._delta(i, json.dumps(echo), "null"), None)
            for i, echo in enumerate(self._order.echoes)
            if echo
        )

    def chunk(self, change: Change) -> bytes:
        """What a text has grown by."""
        stream = self._streams[change.index]
        piece, logprobs = stream.add(change.piece), "null"
        if self._told:
            first, last = stream.tokens(self._words, change.text, change.tokens)
            if last > first:
                found = self._logprobs(change.index, stream, change.text, first, last)
                logprobs = json.dumps(found)
        data = b""
        if piece or logprobs != "null":
            told = json.dumps(piece)
            data = self._chunk(self._delta(change.index, told, logprobs), None)
        if change.reason is not None:
            data += self._chunk(self._last(change.index), change.reason)
        return data

    def closing(self, texts: Sequence[Completion]) -> bytes:
        """What a stream ends with."""
        data = b""
        if self._with_usage:
            usage = b'],"usage":' + _json(self.usage(texts)) + b"}\n\n"
            data = self._begin + usage
        return data + b"data: [DONE]\n\n"

    def _delta(self, index: int, piece: str, logprobs: str) -> str:
        return f'"index":{index},"text":{piece},"logprobs":{logprobs}'

    def _last(self, index: int) -> str:
        return self._delta(index, '""', "null")

    def _chunk(self, choice: str, reason: str | None) -> bytes:
        end = "null" if reason is None else f'"{reason}"'
        return self._begin + f'{{{choice},"finish_reason":{end}}}'.encode() + self._end


class ChatShape(Shape):
    """The same as /v1/chat/completions tells them."""

    kind, chunk_kind, prefix = "chat.completion", "chat.completion.chunk", "chatcmpl-"

    def _said(self, index: int, piece: str, logprobs: Any, reason: str) -> dict[str, Any]:
        message = {"role": "assistant", "content": piece, "refusal": None}
        return {
            "index": index, "message": message, "logprobs": logprobs, "finish_reason": reason
        }  # fmt: skip

    def _logprobs(
        self, index: int, stream: Stream, text: Completion, first: int, last: int
    ) -> dict[str, Any] | None:
        return {"content": self._words.chat_logprobs(text, first, last), "refusal": None}

    def opening(self) -> bytes:
        """The role of each choice."""
        role = '"delta":{"role":"assistant","content":""},"logprobs":null'
        choices = range(len(self._order.jobs))
        return b"".join(self._chunk(f'"index":{i},{role}', None) for i in choices)

    def _delta(self, index: int, piece: str, logprobs: str) -> str:
        return f'"index":{index},"delta":{{"content":{piece}}},"logprobs":{logprobs}'

    def _last(self, index: int) -> str:
        return f'"index":{index},"delta":{{}},"logprobs":null'


class Stream:
    """How far a text has been told. A token is told together with its first letter: those of a stop
    string, which is no part of the text, are not. characters: of the tokens that were told."""

    def __init__(self, strips: bool) -> None:
        self._strips = strips
        self._shown = self._told = self._tokens = 0  # bytes of text, bytes of tokens, tokens
        self.characters = 0

    def add(self, piece: str) -> str:
        """More of the text; returns what of it is to be shown."""
        self._shown += len(piece.encode())
        if self._strips and piece:
            piece = piece.lstrip()
            self._strips = not piece
        return piece

    def tokens(self, words: Words, text: Completion, known: int) -> tuple[int, int]:
        """Which tokens are to be told by now, from the first up to the last. known: how many there
        are."""
        first = self._tokens
        while self._tokens < known and self._told < self._shown:
            previous = text.ids[self._tokens - 1] if self._tokens else text.prompt_ids[-1]
            self._told += len(words.bytes_of(previous, text.ids[self._tokens]))
            self._tokens += 1
        return first, self._tokens


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")
