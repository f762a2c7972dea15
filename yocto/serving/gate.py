"""Who may ask, how much, and how long that may take: before anything looks at a request."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from yocto.config import ServeConfig
from yocto.serving.errors import Refused
from yocto.serving.metrics import Metrics

OPEN = ("/", "/health")  # what takes no API key: the page, which asks for it, and a sign of life
# A page of another site may send any other type unasked, from a form.
TAKE_JSON, JSON = ("/v1/completions", "/v1/chat/completions", "/tokenize"), b"application/json"
BODY_SECONDS = 60.0  # that a body may take to come
_METHODS = ("GET", "POST", "OPTIONS", "HEAD", "PUT", "DELETE", "PATCH")


class Gate:
    """Lets requests through that may be answered, and counts them all.

    A server that takes no API key is for this machine alone. Its browser, though, runs pages of
    other sites, which may send requests here, under a foreign name of their own even (DNS
    rebinding): so the Host has to be this machine's, and the Origin the page's own or an allowed
    one. What a program sends has no Origin.
    """

    def __init__(self, app: ASGIApp, config: ServeConfig, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics
        self._key = None if config.api_key is None else config.api_key.encode()
        self._most = config.max_body
        self._origins = {origin.rstrip("/").lower() for origin in config.allow_origin}
        named = {urlsplit(origin).hostname for origin in self._origins}
        self._hosts = {"localhost", "127.0.0.1", "::1", config.host.strip("[]").lower(), *named}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = _headers(scope["headers"])
        told = Told(send, self._cors(headers))
        try:
            self._check(scope, headers)
            if scope["method"] == "OPTIONS" and b"origin" in headers:
                await _preflight(told)
            else:
                body = Body(receive)
                await body.read(self._most)
                await self._app(scope, body, told)
        except Refused as refused:
            if told.status is None:
                await refuse(told, refused)
        except asyncio.CancelledError:  # the server ends, and has waited long enough
            if told.status is None:
                await refuse(told, Refused(503, "the server ends", headers={"Retry-After": "5"}))
        finally:
            self._count(scope, told.status)

    def _check(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        """Raises Refused."""
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if self._key is None and _name(host) not in self._hosts:
            raise Refused(403, "this server does not answer to that Host", code="foreign_host")
        origin = headers.get(b"origin", b"").decode("latin-1").lower()
        own = origin.partition("://")[2] == host
        if origin and not own and origin not in self._origins:
            raise Refused(
                403, "another site's pages may not use this server; yocto serve --allow-origin "
                "lets one in", code="foreign_origin",
            )  # fmt: skip
        is_open = scope["path"] in OPEN or scope["method"] == "OPTIONS"
        if self._key is not None and not is_open:
            scheme, _, key = headers.get(b"authorization", b"").partition(b" ")
            fits = hmac.compare_digest(key.strip(), self._key)
            if scheme.lower() != b"bearer" or not fits:
                raise Refused(
                    401, "the API key is missing or wrong", code="invalid_api_key",
                    headers={"WWW-Authenticate": "Bearer"},
                )  # fmt: skip
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and len(length) < 20 and int(length) > self._most:
            raise _too_large(self._most)
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if scope["path"] in TAKE_JSON and scope["method"] == "POST" and kind != JSON:
            raise Refused(415, "the body has to be JSON, and Content-Type application/json")

    def _cors(self, headers: dict[bytes, bytes]) -> list[tuple[bytes, bytes]]:
        """What lets an allowed site's page read the answer."""
        origin = headers.get(b"origin", b"")
        if origin.decode("latin-1").lower() not in self._origins:
            return []
        return [(b"access-control-allow-origin", origin), (b"vary", b"Origin")]

    def _count(self, scope: Scope, status: int | None) -> None:
        route = getattr(scope.get("route"), "path", "other")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.requests[route, method, status or 499] += 1


class Told:
    """Passes an answer on, and remembers its status; None before it has begun."""

    def __init__(self, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
        self._send, self._headers = send, headers
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        """As ASGI has it."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), *self._headers]
        await self._send(message)


class Body:
    """A request's body, read before anything else looks at it, unless it is too long or takes too
    long."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: list[Message] = []

    async def read(self, most: int) -> None:
        """Take it in, or the news that the client has gone. Raises Refused."""
        data, more = b"", True
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while more:
                    message = await self._receive()
                    if message["type"] == "http.disconnect":
                        self._messages = [message]
                        return
                    data += message.get("body", b"")
                    more = message.get("more_body", False)
                    if len(data) > most:
                        raise _too_large(most)
        except TimeoutError:
            raise Refused(408, "the body took too long to come") from None
        self._messages = [{"type": "http.request", "body": data, "more_body": False}]

    async def __call__(self) -> Message:
        """As ASGI has it."""
        return self._messages.pop() if self._messages else await self._receive()


async def refuse(send: Send, refused: Refused) -> None:
    """Send a refusal. The connection ends, where a body may still be on its way."""
    headers = {"content-type": "application/json", **refused.headers}
    if refused.status in (408, 413, 503):
        headers["connection"] = "close"
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    pairs.append((b"content-length", str(len(refused.body)).encode()))
    await send({"type": "http.response.start", "status": refused.status, "headers": pairs})
    await send({"type": "http.response.body", "body": refused.body})


async def _preflight(send: Send) -> None:
    headers = [
        (b"access-control-allow-methods", b"GET, POST"),
        (b"access-control-allow-headers", b"authorization, content-type"),
        (b"access-control-max-age", b"600"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _headers(pairs: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    return {name.lower(): value for name, value in pairs}


def _name(host: str) -> str:
    """A Host without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _too_large(most: int) -> Refused:
    return Refused(413, f"the body is longer than {most} bytes", code="request_too_large")
