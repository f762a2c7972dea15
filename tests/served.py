"""A server of a tiny model, on a free port of this machine, in a thread of the test."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from openai import OpenAI

from yocto.api import LanguageModel
from yocto.config import ServeConfig
from yocto.serving.app import make_app
from yocto.serving.server import Server, bind
from yocto.serving.service import Service

NAME = "tiny"


@dataclass
class Served:
    """A server that runs."""

    service: Service
    server: Server
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, key: str = "none") -> OpenAI:
        """The client that people use."""
        return OpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0, timeout=60)

    def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """A request of any kind."""
        if body is not None:
            options["json"] = body
        return httpx.post(self.url + path, timeout=60, **options)

    def complete(self, prompt: str = "the river", **more: Any) -> httpx.Response:
        """A completion, greedy where nothing else is said."""
        body = {"model": NAME, "prompt": prompt, "temperature": 0, **more}
        return self.post("/v1/completions", body)

    def chat(self, text: str = "Who?", **more: Any) -> httpx.Response:
        """An answer, greedy where nothing else is said."""
        messages = [{"role": "user", "content": text}]
        body = {"model": NAME, "messages": messages, "temperature": 0, **more}
        return self.post("/v1/chat/completions", body)

    def figure(self, name: str) -> float:
        """A line of /metrics."""
        lines = httpx.get(f"{self.url}/metrics").text.splitlines()
        (found,) = [line for line in lines if line.rpartition(" ")[0] == name]
        return float(found.rpartition(" ")[2])

    @property
    def places(self) -> float:
        """Texts that run or wait."""
        return self.figure("yocto_texts_running") + self.figure("yocto_texts_waiting")


@contextmanager
def served(lm: LanguageModel, name: str = NAME, **knobs: Any) -> Iterator[Served]:
    """While open, a model is served."""
    config = ServeConfig(port=0, **knobs)
    service = Service(lm, name, config)
    listening = bind(config)
    server = Server(make_app(service), listening, config.drain, service.batcher.finish)
    thread = threading.Thread(target=server.run_until_asked)
    thread.start()
    try:
        yield Served(service, server, listening.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()


def until(condition: Any, seconds: float = 5.0) -> float:
    """Wait for something; returns how long it took."""
    start = time.perf_counter()
    while not condition():
        assert time.perf_counter() - start < seconds, "it took too long"
        time.sleep(0.005)
    return time.perf_counter() - start


def raw(port: int, body: dict[str, Any], path: str = "/v1/completions") -> socket.socket:
    """A request on a socket of its own, whose answer is not read yet."""
    data = json.dumps({"model": NAME, **body}).encode()
    connection = socket.create_connection(("127.0.0.1", port), 30)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    connection.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
    return connection


async def stream(port: int, body: dict[str, Any]) -> tuple[int, str, str | None]:
    """A streamed completion, by hand: (status, text, finish_reason)."""
    data = json.dumps({"model": NAME, "stream": True, **body}).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(data) + data
    )
    answer = await reader.read()
    writer.close()
    status = int(answer.split(b" ", 2)[1])
    events = [
        json.loads(line[6:]) for line in answer.decode().splitlines() if line.startswith("data: {")
    ]
    choices = [event["choices"][0] for event in events]
    text = "".join(choice["text"] for choice in choices)
    return status, text, choices[-1]["finish_reason"] if choices else None
