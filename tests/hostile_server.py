"""A server on 127.0.0.1 that answers as it is told: rightly, or in the ways that servers fail."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TEXT = "".join(f"{n}: to be, or not to be – that is the question.\n" for n in range(4000)).encode()
Answer = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    """One request, and what an answer can do with it."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.close_connection = True
        server = self.server
        server.seen.append((self.path, dict(self.headers)))
        server.answers[min(len(server.seen), len(server.answers)) - 1](self)

    def log_message(self, *args: Any) -> None:
        pass

    @property
    def first(self) -> int:
        """The first byte that is asked for."""
        asked = self.headers.get("Range", "bytes=0-")
        return int(asked.removeprefix("bytes=").removesuffix("-"))

    def head(self, status: int, **headers: Any) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def body(self, data: bytes) -> None:
        try:
            self.wfile.write(data)
            self.wfile.flush()
        except OSError:  # whoever asked has heard enough
            pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    answers: Sequence[Answer] = ()
    seen: list[tuple[str, dict[str, str]]]

    def url(self, path: str = "/text.txt") -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def ranges(self) -> list[str | None]:
        """What Range each request asked for."""
        return [headers.get("Range") for _, headers in self.seen]

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@contextmanager
def serving(*answers: Answer) -> Iterator[Server]:
    """A server that gives these answers, one to a request, and the last one again and again."""
    server = Server(("127.0.0.1", 0), Request)
    server.answers, server.seen = answers or (good(),), []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def good(
    data: bytes = TEXT, etag: str | None = '"v1"', modified: str | None = None, **more: Any
) -> Answer:
    """All as it should be: whole, or the part that is asked for."""
    return dropping(len(data), data, etag, modified, **more)


def dropping(
    after: int,
    data: bytes = TEXT,
    etag: str | None = '"v1"',
    modified: str | None = None,
    **more: Any,
) -> Answer:
    """The same, but the connection ends when `after` bytes of the whole have been sent."""

    def answer(request: Request) -> None:
        first, version = request.first, {"ETag": etag, "Last_Modified": modified, **more}
        wanted = request.headers.get("If-Range")
        if wanted and wanted not in (etag, modified):
            first = 0
        if first >= len(data) and first:
            request.head(416, Content_Range=f"bytes */{len(data)}", Content_Length=0)
            return
        length = len(data) - first
        if first:
            place = f"bytes {first}-{len(data) - 1}/{len(data)}"
            request.head(206, Content_Range=place, Content_Length=length, **version)
        else:
            request.head(200, Content_Length=length, **version)
        request.body(data[first : max(first, after)])

    return answer


def status(code: int, **headers: Any) -> Answer:
    """Nothing but a status."""
    return lambda request: request.head(code, Content_Length=0, **headers)


def raw(code: int, body: bytes = b"", **headers: Any) -> Answer:
    """These headers and this body, whether they fit together or not."""

    def answer(request: Request) -> None:
        request.head(code, **headers)
        request.body(body)

    return answer


def chunked(data: bytes = TEXT, after: int | None = None, etag: str | None = '"v1"') -> Answer:
    """Without a length, in chunks; ends early when `after` is given."""

    def answer(request: Request) -> None:
        if request.first:
            good(data, etag)(request)
            return
        request.head(200, Transfer_Encoding="chunked", ETag=etag)
        kept = data if after is None else data[:after]
        for start in range(0, len(kept), 5000):
            part = kept[start : start + 5000]
            request.body(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        if after is None:
            request.body(b"0\r\n\r\n")

    return answer


def silent(seconds: float) -> Answer:
    """No answer for a while."""
    return lambda request: time.sleep(seconds)
