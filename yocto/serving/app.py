"""The routes: OpenAI's, and a few of yocto's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from yocto.serving import metrics
from yocto.serving.errors import Refused, misfit
from yocto.serving.gate import Gate
from yocto.serving.page import read_page
from yocto.serving.replies import Streaming, Whole
from yocto.serving.schemas import ChatBody, CompletionBody, TokenizeBody
from yocto.serving.service import Order, Service
from yocto.serving.shapes import ChatShape, Shape

_MESSAGES = {
    400: "the body is not JSON",  # of broken UTF-8, or too deep; pydantic tells the other faults
    404: "there is nothing at this address", 405: "this address takes other methods",
}  # fmt: skip
_ERROR = {
    "type": "object", "required": ["error"],
    "properties": {"error": {
        "type": "object", "required": ["message", "type", "param", "code"],
        "properties": {
            "message": {"type": "string"}, "type": {"type": "string"},
            "param": {"type": ["string", "null"]}, "code": {"type": ["string", "null"]},
        },
    }},
}  # fmt: skip


def _refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How the document tells errors."""
    content = {"application/json": {"schema": _ERROR}}
    return {status: {"description": "Refused", "content": content} for status in statuses}


_ASKED = _refusals(400, 401, 403, 404, 408, 413, 415, 422, 429, 503)
_SEEN = _refusals(401, 403)


def make_app(service: Service) -> ASGIApp:
    """The server's application, with the gate before it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.batcher.start()
        yield
        service.close()

    app = FastAPI(
        title="yocto", version="1", docs_url=None, redoc_url=None, lifespan=lifespan,
        separate_input_output_schemas=False,
    )  # fmt: skip
    _add_errors(app)
    _add_answers(app, service)
    _add_facts(app, service)
    return Gate(app, service.config, service.metrics)


def _add_answers(app: FastAPI, service: Service) -> None:
    @app.post("/v1/completions", responses=_ASKED, dependencies=[])
    async def completions(request: Request, body: CompletionBody) -> Response:
        """Continue a text."""
        order = await service.read(partial(service.completion, body))
        return _reply(service, order, Shape, body)

    @app.post("/v1/chat/completions", responses=_ASKED)
    async def chat_completions(request: Request, body: ChatBody) -> Response:
        """Answer a conversation."""
        order = await service.read(partial(service.chat, body))
        return _reply(service, order, ChatShape, body)

    @app.post("/tokenize", responses=_ASKED)
    async def tokenize(body: TokenizeBody) -> Response:
        """A text's tokens."""
        return await service.read(lambda: JSONResponse({"tokens": service.tokens(body.text)}))


def _reply(
    service: Service, order: Order, shape: type[Shape], body: CompletionBody | ChatBody
) -> Response:
    reply = Streaming if body.stream else Whole
    told = shape(service, order, body.with_usage)
    return reply(service, service.submit(order), order, told)


def _add_facts(app: FastAPI, service: Service) -> None:
    model = {
        "id": service.name, "object": "model", "created": service.created, "owned_by": "yocto",
        "yocto": service.facts,
    }  # fmt: skip
    page = read_page()

    @app.get("/v1/models", responses=_SEEN)
    async def models() -> Response:
        """The models there are: one."""
        return JSONResponse({"object": "list", "data": [model]})

    @app.get("/v1/models/{name:path}", responses=_refusals(401, 403, 404))
    async def one_model(name: str) -> Response:
        """One of them."""
        service.check_model(name)
        return JSONResponse(model)

    @app.get("/health", responses=_refusals(403))
    async def health() -> Response:
        """A sign of life."""
        return JSONResponse({"status": "ok"})

    @app.get("/metrics", responses=_SEEN)
    async def figures() -> Response:
        """Figures for Prometheus."""
        batcher = service.batcher
        text = service.metrics.text(batcher.running, batcher.waiting, batcher.slots)
        return Response(text, media_type=metrics.CONTENT_TYPE)

    if page is not None:
        content, headers = page

        @app.get("/", include_in_schema=False)
        async def chat_page() -> Response:
            """The page to chat on."""
            return Response(content, headers=headers, media_type="text/html")


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        return _response(error)

    @app.exception_handler(RequestValidationError)
    async def wrong(request: Request, error: RequestValidationError) -> Response:
        return _response(misfit(list(error.errors())))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        message = _MESSAGES.get(error.status_code, str(error.detail))
        return _response(Refused(error.status_code, message, headers=error.headers))

    @app.exception_handler(Exception)
    async def fault(request: Request, error: Exception) -> Response:
        return _response(Refused(500, "the server failed; its log tells more"))


def _response(error: Refused) -> Response:
    return Response(error.body, error.status, error.headers, "application/json")
