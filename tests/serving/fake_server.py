"""A server that speaks as `yocto serve` does, and does what a test tells it: slowly, busily, or not
to the end. It writes tokens that are given, and has no model."""

from __future__ import annotations

import codecs
import json
import math
import re
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

from yocto.serving.page import read_page

MODEL = {
    "id": "token-1", "object": "model", "created": 0, "owned_by": "yocto",
    "yocto": {"block_size": 128, "parameters": 1_230_000, "run": "token-1", "step": "step-000400",
              "tokenizer": "byte-bpe", "vocab_size": 4000, "chat": "text"},
}  # fmt: skip


@dataclass
class Answer:
    """How the next question is answered.

    tokens: their bytes; parts of a character are welcome. pause: seconds before each. status,
    message, headers: of a refusal. cut_after: the connection breaks after so many tokens. fails: an
    error amid the stream. hold: the answer's last token waits for it.
    """

    tokens: list[bytes] = field(default_factory=lambda: [b"Courage", b" is", b" calm", b"."])
    pause: float = 0.0
    status: int = 200
    message: str = "out of order"
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    fails: bool = False
    finish: str = "stop"
    hold: Event | None = None


class FakeServer:
    """What the handler and the tests share. key: what requests must bring, if anything."""

    def __init__(self, address: str = "") -> None:
        self.answers: list[Answer] = []
        self.seen: list[tuple[str, Any]] = []
        self.gone = Event()  # set when a client went away amid an answer
        self.key = ""
        self.address = address

    def asked(self) -> list[dict[str, Any]]:
        """The bodies of the questions so far."""
        return [body for path, body in self.seen if path == "/v1/chat/completions"]


def pieces(text: str) -> list[bytes]:
    """Words with the space before them; of characters beyond ASCII each byte is a token."""
    parts = re.findall(r" ?\w+|\s+|[^\w\s]", text)
    return [x for part in parts for x in ([part.encode()] if part.isascii() else split(part))]


def split(part: str) -> list[bytes]:
    """Each byte by itself."""
    return [bytes([b]) for b in part.encode()]


def id_of(token: bytes) -> int:
    return zlib.crc32(token) % 8000


def logprobs_of(token: bytes, count: int) -> dict[str, Any]:
    """The token with a probability of 0.5, and as many others with less each."""
    others = [token, b" fear", b"\xe2\x82", b" hope", b"\n", b" <b>x</b>"][:count]
    top = [
        {"token": t.decode(errors="replace"), "bytes": list(t), "logprob": -(i + 1) * math.log(2)}
        for i, t in enumerate(others)
    ]
    return {**top[0], "id": id_of(token), "top_logprobs": top}


class _Handler(BaseHTTPRequestHandler):
    shared: FakeServer

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        self.shared.seen.append((self.path, None))
        if self.path == "/":
            page, headers = read_page() or (b"", {})
            self._send(200, page, "text/html; charset=utf-8", headers)
        elif self._may():
            found = self.path == "/v1/models"
            self._json(200 if found else 404, {"object": "list", "data": [MODEL]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.shared.seen.append((self.path, body))
        if not self._may():
            return
        if self.path == "/tokenize":
            tokens = [
                {"id": id_of(p), "text": p.decode(errors="replace"), "bytes": list(p)}
                for p in pieces(body["text"])
            ]
            return self._json(200, {"tokens": tokens})
        answer = self.shared.answers.pop(0) if self.shared.answers else Answer()
        if answer.status != 200:
            error = {"message": answer.message, "type": "server_error"}
            return self._json(answer.status, {"error": error}, answer.headers)
        try:
            self._stream(answer, body.get("top_logprobs", 0))
        except OSError:
            self.shared.gone.set()

    def _may(self) -> bool:
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if given == self.shared.key:
            return True
        self._json(401, {"error": {"message": "wrong API key", "type": "invalid_request_error"}})
        return False

    def _stream(self, answer: Answer, count: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for at, token in enumerate(answer.tokens):
            if answer.hold and at == len(answer.tokens) - 1:
                answer.hold.wait(30)
            time.sleep(answer.pause)
            if answer.cut_after == at:
                return
            choice = {
                "index": 0, "delta": {"content": decoder.decode(token)}, "finish_reason": None,
                "logprobs": {"content": [logprobs_of(token, count)]},
            }  # fmt: skip
            self._event({"choices": [choice]})
        if answer.fails:
            return self._event({"error": {"message": answer.message}})
        end = {"index": 0, "delta": {}, "finish_reason": answer.finish}
        self._event({"choices": [end]})
        self._event({"choices": [], "usage": {"completion_tokens": len(answer.tokens)}})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, content: dict[str, Any]) -> None:
        """An event, cut in the middle of its characters."""
        data = f"data: {json.dumps(content, ensure_ascii=False)}\n\n".encode()
        for at in range(0, len(data), 97):
            self.wfile.write(data[at : at + 97])
            self.wfile.flush()

    def _json(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(content).encode(), "application/json", headers)

    def _send(
        self, status: int, content: bytes, kind: str, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        named = {"Content-Type": kind, "Content-Length": str(len(content))}
        for name, value in {**named, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *arguments: object) -> None:
        """Clients go away as they like."""


@contextmanager
def fake_server(port: int = 0) -> Iterator[FakeServer]:
    """Serves on loopback until the block ends."""
    shared = FakeServer()
    handler = type("Handler", (_Handler,), {"shared": shared})
    server = _Server(("127.0.0.1", port), handler)
    shared.address = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield shared
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
