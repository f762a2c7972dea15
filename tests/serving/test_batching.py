"""Many at a time: each answer as if alone, places that free themselves, an end that loses none."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from served import Served, raw, served, stream, until

import yocto
from yocto.api import LanguageModel
from yocto.sampling.engine import Engine

LONG = {"prompt": "the river", "max_tokens": 4000, "temperature": 0, "logit_bias": {}}


@pytest.fixture(scope="module")
def lm(token_project) -> LanguageModel:
    return yocto.load(token_project.run, "cpu")


@pytest.fixture(scope="module")
def server(lm: LanguageModel):
    with served(lm, slots=8, queue=40) as found:
        yield found


@pytest.fixture
def endless(lm: LanguageModel, monkeypatch) -> None:
    """Texts that no end token ends."""
    monkeypatch.setattr(lm, "_end_ids", frozenset())


def together(server: Served, bodies: list[dict]) -> list[tuple[int, str, str | None]]:
    async def all_of_them():
        return await asyncio.gather(*(stream(server.port, body) for body in bodies))

    return asyncio.run(all_of_them())


def bodies_of(count: int, tokens: int) -> list[dict]:
    prompts = ["the river", "a stone", "who", "light and reason", "patience never seeks"]
    return [
        {
            "prompt": f"{prompts[i % 5]} {'and ' * (i % 4)}{i}", "max_tokens": tokens - i % 7,
            **({"temperature": 0} if i % 2 else {"temperature": 0.9, "seed": i}),
        }
        for i in range(count)
    ]  # fmt: skip


def test_texts_that_are_made_together_are_those_made_alone(server: Served, lm, endless):
    bodies = bodies_of(32, 60)
    found = together(server, bodies)
    for body, (status, text, reason) in zip(bodies, found, strict=True):
        knobs = {k: v for k, v in body.items() if k not in ("prompt", "max_tokens")}
        alone = lm.generate(body["prompt"], max_new_tokens=body["max_tokens"], top_p=1.0, **knobs)
        assert (status, reason) == (200, "length")
        assert text == alone
    assert server.places == 0


def test_what_finds_no_place_is_told_to_come_again(lm, endless):
    with served(lm, slots=2, queue=1) as server:
        held = [raw(server.port, {**LONG, "stream": True}) for _ in range(3)]
        until(lambda: server.places == 3)
        assert server.figure("yocto_texts_waiting") == 1
        refused = server.complete(max_tokens=2)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.json()["error"]["code"] == "rate_limit_exceeded"
        assert server.complete(n=4).status_code == 400
        for connection in held:
            connection.close()
        until(lambda: server.places == 0, 2)
        assert server.complete(max_tokens=2).status_code == 200


@pytest.mark.parametrize("streams", [True, False])
def test_a_client_that_goes_away_leaves_its_place_also_in_the_queue(lm, endless, streams):
    with served(lm, slots=2, queue=20) as server:
        vanish(server, 6, streams)


@pytest.mark.slow
@pytest.mark.parametrize("streams", [True, False])
def test_two_hundred_clients_that_go_away_leave_their_places(lm, endless, streams):
    with served(lm, slots=32, queue=200) as server:
        assert vanish(server, 200, streams) < 2


def vanish(server: Served, count: int, streams: bool) -> float:
    """Clients that come, and go away without a word; how long their places took to be free."""
    clients = [raw(server.port, {**LONG, "stream": streams}) for _ in range(count)]
    until(lambda: server.places == count, 30)
    if streams:
        assert clients[0].recv(1000).startswith(b"HTTP/1.1 200")
    for client in clients:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
    took = until(lambda: server.places == 0, 10)
    assert server.figure("yocto_cancelled_texts_total") == count
    assert server.complete(max_tokens=2).status_code == 200
    return took


def test_a_long_prompt_lets_the_others_go_on(token_project, monkeypatch):
    lm = yocto.load(token_project.run, "cpu")
    from yocto.serving import service

    monkeypatch.setattr(service, "MOST_READ", 4)
    steps = []
    with served(lm, slots=4) as server:
        feed = Engine._feed

        def counting(engine, first, ids, step=0):
            steps.append(len(ids[0]))
            return feed(engine, first, ids, step)

        monkeypatch.setattr(Engine, "_feed", counting)
        found = together(server, [
            {"prompt": "the river", "max_tokens": 40, "temperature": 0},
            {"prompt": "the stone and the light and the road and reason", "max_tokens": 10,
             "temperature": 0},
        ])  # fmt: skip
    assert max(steps) <= 5
    assert [status for status, *_ in found] == [200, 200]


def test_an_answer_ends_at_the_time_limit_with_what_there_is(lm, endless):
    with served(lm, slots=1, queue=2, time_limit=0.4) as server:
        start = time.perf_counter()
        done = server.complete(max_tokens=4000)
        assert time.perf_counter() - start < 3
        assert done.json()["choices"][0]["finish_reason"] == "length"
        assert 0 < done.json()["usage"]["completion_tokens"] < 4000
        until(lambda: server.places == 0)
        held = raw(server.port, {**LONG, "stream": True})
        until(lambda: server.places == 1)
        late = server.complete(max_tokens=5)
        assert late.status_code in (200, 503)
        held.close()


def test_a_model_that_fails_says_so_and_the_server_goes_on(token_project):
    import torch

    lm = yocto.load(token_project.run, "cpu")
    with served(lm) as server:
        weight = lm.model.norm.weight.data
        kept = weight.clone()
        weight.fill_(float("nan"))
        failed = server.complete(max_tokens=3)
        assert failed.status_code == 500
        assert "not a number" in failed.json()["error"]["message"]
        connection = raw(server.port, {"prompt": "a", "stream": True})
        told = b""
        while more := connection.recv(10_000):
            told += more
            if told.endswith(b"0\r\n\r\n"):
                break
        connection.close()
        assert b"not a number" in told
        assert b"[DONE]" not in told
        with torch.no_grad():
            weight.copy_(kept)
        assert server.complete(max_tokens=3).status_code == 200
        assert server.places == 0


def test_a_text_that_cannot_begin_fails_alone(lm, monkeypatch):
    from yocto.api.running import Running

    join = Running.join

    def failing(running, request, stops):
        if len(request.prompt) == 1:
            raise ValueError("odd")
        return join(running, request, stops)

    monkeypatch.setattr(Running, "join", failing)
    with served(lm) as server:
        failed = server.complete([5], max_tokens=2)
        assert failed.status_code == 500
        assert "odd" in failed.json()["error"]["message"]
        assert server.complete("the river", max_tokens=2).status_code == 200
        assert server.places == 0


def test_the_figures_count_what_was_done(lm):
    with served(lm) as server:
        done = server.complete(max_tokens=7).json()["usage"]
        server.complete(max_tokens=-1)
        counted = 'yocto_requests_total{route="/v1/completions",method="POST",status="%d"}'
        assert server.figure(counted % 200) == 1
        assert server.figure(counted % 400) == 1
        assert server.figure("yocto_prompt_tokens_total") == done["prompt_tokens"]
        assert server.figure("yocto_generated_tokens_total") == done["completion_tokens"]
        assert server.figure("yocto_time_to_first_token_seconds_count") == 1
        each = server.figure("yocto_time_per_token_seconds_count")
        assert each == done["completion_tokens"] - 1
        page = httpx.get(f"{server.url}/metrics")
        assert page.headers["content-type"].startswith("text/plain; version=0.0.4")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_all_at_once_and_in_order(lm, endless, number, caplog):
    with served(lm, max_tokens=100_000) as server:
        held = raw(server.port, {**LONG, "max_tokens": 100_000, "stream": True})
        until(lambda: server.places == 1)
        server.server.handle_exit(number, None)
        time.sleep(0.3)
        assert not server.server.force_exit
        server.server.handle_exit(number, None)
        began, told = time.perf_counter(), b""
        while more := held.recv(1 << 20):
            told += more
        held.close()
    assert time.perf_counter() - began < 3
    assert b'"finish_reason":"length"' in told
    assert told.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert not caplog.records


# --------------------------------------------------------------------------------- as a process


@contextmanager
def started(project, *arguments: str) -> Iterator[tuple[subprocess.Popen, int]]:
    """`yocto serve` and its port."""
    with subprocess.Popen(
        [sys.executable, "-m", "yocto", "serve", "--ckpt", str(project.run), "--port", "0",
         "--device", "cpu", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:  # fmt: skip
        line = process.stdout.readline()
        assert line.startswith("serving token-1 ("), line + process.stderr.read()
        try:
            yield process, int(line.rpartition(":")[2])
        finally:
            process.kill()


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_signal_lets_answers_end_and_takes_no_more(token_project, number):
    body = {"model": "token-1", "prompt": "the river", "max_tokens": 2000, "temperature": 0}
    found = []
    with started(token_project) as (process, port):
        thread = threading.Thread(target=lambda: found.append(asyncio.run(stream(port, body))))
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            thread.start()
            until(lambda: "yocto_texts_running 1" in client.get("/metrics").text)
            process.send_signal(number)
            thread.join(30)
        assert process.wait(20) == 0, process.stderr.read()
        assert process.stdout.read() == "Ctrl-C stops it\nstopped\n"
        assert process.stderr.read() == ""
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", port), 1)
    (status, text, reason) = found[0]
    assert (status, reason) in ((200, "length"), (200, "stop"))
    assert text


@pytest.mark.slow
def test_an_answer_that_takes_too_long_does_not_hold_the_end_up(token_project):
    with started(token_project, "--drain", "1") as (process, port):
        held = raw(port, {**LONG, "model": "token-1", "n": 30})
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        began = time.perf_counter()
        assert process.wait(20) == 0
        assert time.perf_counter() - began < 10
        answer = b""
        while more := held.recv(1 << 20):
            answer += more
        held.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert len(json.loads(body)["choices"]) == 30
        assert process.stderr.read() == ""
