"""Answers on their way: whole ones, and streams of server-sent events.

Both end at once where the client goes away, and give its places back.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from yocto.serving.batcher import Change, Ticket
from yocto.serving.errors import Refused
from yocto.serving.service import Order, Service
from yocto.serving.shapes import Shape

_STREAM_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]


class Reply(Response):
    """What waits for a ticket's texts."""

    def __init__(self, service: Service, ticket: Ticket, order: Order, shape: Shape) -> None:
        super().__init__()
        self._service, self._ticket, self._order, self._shape = service, ticket, order, shape

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer, unless the client goes away before."""
        gone = asyncio.ensure_future(_gone(receive))
        work = asyncio.ensure_future(self._answer(send))
        try:
            await asyncio.wait({gone, work}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                await work
        finally:
            self._service.batcher.leave(self._ticket)
            await _ended(gone, work)

    def _answer(self, send: Send) -> Coroutine[Any, Any, None]:
        raise NotImplementedError

    async def _collect(self, deadline: float) -> list[Change]:
        """What has come since the last time; at the deadline the end of what is still open."""
        try:
            async with asyncio.timeout_at(deadline):
                return await self._ticket.changes()
        except TimeoutError:
            jobs = [job for job in self._ticket.jobs if job.open]
            self._service.batcher.leave(self._ticket)
            if all(job.text is None for job in self._ticket.jobs):
                raise Refused(
                    503, "no place became free in time", headers={"Retry-After": "5"}
                ) from None
            self._ticket.left = 0
            return [Change(job.index, "", job.written, 0, "length") for job in jobs]

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self._service.config.time_limit


class Whole(Reply):
    """An answer in one piece."""

    async def _answer(self, send: Send) -> None:
        deadline = self._deadline()
        reasons = ["length"] * len(self._ticket.jobs)
        status, headers = 200, {}
        try:
            while self._ticket.left:
                for change in await self._collect(deadline):
                    reasons[change.index] = change.reason or reasons[change.index]
            texts = [job.written for job in self._ticket.jobs]
            body = json.dumps(self._shape.whole(texts, reasons)).encode("ascii")
        except Refused as refused:
            status, headers, body = refused.status, refused.headers, refused.body
        await Response(body, status, headers, "application/json")({"type": "http"}, _nobody, send)


class Streaming(Reply):
    """An answer piece by piece."""

    async def _answer(self, send: Send) -> None:
        deadline, shape = self._deadline(), self._shape
        await send({"type": "http.response.start", "status": 200, "headers": _STREAM_HEADERS})
        await _write(send, shape.opening())
        try:
            while self._ticket.left:
                changes = await self._collect(deadline)
                if data := b"".join(map(shape.chunk, changes)):
                    await _write(send, data)
            await _write(send, shape.closing([job.written for job in self._ticket.jobs]))
        except Refused as refused:
            await _write(send, b"data: " + refused.body + b"\n\n")
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _write(send: Send, data: bytes) -> None:
    if data:
        await send({"type": "http.response.body", "body": data, "more_body": True})


async def _gone(receive: Receive) -> None:
    """Return when the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _nobody() -> Any:
    return {"type": "http.disconnect"}


async def _ended(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError, Exception):
            await task
