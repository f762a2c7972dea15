"""What is refused, and how: always in OpenAI's shape, and never the server's fault."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.generation import GenerationMode
from served import NAME, Served, served

import yocto
from yocto.config import ServeConfig
from yocto.serving.gate import Gate
from yocto.serving.metrics import Metrics
from yocto.serving.schemas import ChatBody, CompletionBody

CHAT = {"model": NAME, "messages": [{"role": "user", "content": "Who?"}], "max_tokens": 2}
TEXT = {"model": NAME, "prompt": "the river", "max_tokens": 2}


@pytest.fixture(scope="module")
def server(token_project):
    with served(yocto.load(token_project.run, "cpu"), max_tokens=500, max_body=20_000) as found:
        yield found


def error_of(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    error = response.json()["error"]
    assert list(response.json()) == ["error"]
    assert list(error) == ["message", "type", "param", "code"]
    assert error["message"]
    return error


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "messages.0.role"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"messages": "Who?"}, "messages"),
        ({"temperature": 2.5}, "temperature"),
        ({"temperature": "1"}, "temperature"),
        ({"top_p": -1}, "top_p"),
        ({"n": 0}, "n"),
        ({"n": 1000}, "n"),
        ({"max_tokens": 501}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": None, "max_completion_tokens": 600}, "max_completion_tokens"),
        ({"max_completion_tokens": 9}, None),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"stop": ""}, "stop"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_usage": True}}, None),
        ({"seed": 1 << 64}, "seed"),
        ({"logit_bias": {"50": 101}}, "logit_bias.50"),
        ({"logit_bias": {"100000": 1}}, "logit_bias"),
        ({"logit_bias": {"x": 1}}, "logit_bias.x"),
        ({"top_logprobs": 3}, None),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"response_format": {"type": "json_object"}}, "response_format.type"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"functions": []}, "functions"),
        ({"reasoning_effort": "low"}, "reasoning_effort"),
        ({"max_token": 5}, "max_token"),
    ],
)
def test_a_chat_that_cannot_be_answered_is_refused_by_name(server: Served, change, param):
    error = error_of(server.post("/v1/chat/completions", {**CHAT, **change}), 400)
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"prompt": []}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"prompt": [[]]}, "prompt"),
        ({"prompt": ["a", 5]}, "prompt"),
        ({"prompt": [-1]}, "prompt"),
        ({"prompt": 5}, "prompt"),
        ({"prompt": [299, 300]}, "prompt"),
        ({"prompt": [5] * 49}, "prompt"),
        ({"prompt": "the " * 100}, "prompt"),
        ({"prompt": ["a"] * 97}, "prompt"),
        ({"n": 97}, "n"),
        ({"suffix": "end"}, "suffix"),
        ({"best_of": 2}, "best_of"),
        ({"logprobs": 6}, "logprobs"),
        ({"logprobs": True}, "logprobs"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"messages": []}, "messages"),
    ],
)
def test_a_completion_that_cannot_be_made_is_refused_by_name(server: Served, change, param):
    error = error_of(server.post("/v1/completions", {**TEXT, **change}), 400)
    assert error["param"] == param


def test_what_changes_nothing_is_accepted(server: Served):
    more = {
        "user": "me", "metadata": {"a": "b"}, "store": False, "service_tier": "auto", "n": None,
        "stop": None, "logit_bias": None, "response_format": {"type": "text"}, "tools": None,
        "presence_penalty": 0, "parallel_tool_calls": True, "modalities": ["text"], "top_p": 0,
        "seed": -5,
    }  # fmt: skip
    assert server.post("/v1/chat/completions", {**CHAT, **more}).status_code == 200
    more = {"user": "me", "suffix": None, "best_of": 1, "logprobs": None, "echo": False}
    assert server.post("/v1/completions", {**TEXT, **more, "n": 1.0}).status_code == 200


def test_no_tokens_are_an_answer_too(server: Served):
    made = server.complete(max_tokens=0, echo=True).json()
    assert made["choices"][0]["text"] == "the river"
    assert made["choices"][0]["finish_reason"] == "length"
    assert made["usage"]["completion_tokens"] == 0


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"nonsense", b"[" * 100_00, b'{"model": "\xff"}', b"null", b"[]", b'"text"',
        b'{"model": ' + b"9" * 9000 + b"}", b'{"model": "tiny", "prompt": "\\ud800"}',
        b'{"model": "tiny", "prompt": "a", "temperature": NaN}',
        b'{"model": "tiny", "prompt": "a", "temperature": 1e999}',
        b'{"model": "tiny", "prompt": ' + b"[" * 9000 + b"]" * 9000 + b"}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/completions", "/v1/chat/completions", "/tokenize"])
def test_a_body_that_is_no_json_object_is_refused(server: Served, body, path):
    headers = {"content-type": "application/json"}
    error = error_of(server.post(path, content=body, headers=headers), 400)
    assert "There was" not in error["message"]  # FastAPI's words, which tell nobody what to do


def test_a_body_of_another_type_is_refused(server: Served):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        headers = {"content-type": kind}
        data = json.dumps(TEXT)
        error = error_of(server.post("/v1/completions", content=data, headers=headers), 415)
        assert "application/json" in error["message"]


def test_addresses_and_methods_that_are_not_there(server: Served):
    error_of(httpx.get(f"{server.url}/v1/nothing"), 404)
    error_of(httpx.get(f"{server.url}/docs"), 404)
    wrong = httpx.get(f"{server.url}/v1/completions")
    error_of(wrong, 405)
    assert wrong.headers["allow"] == "POST"
    error_of(httpx.request("BREW", f"{server.url}/v1/models"), 405)
    error_of(httpx.get(f"{server.url}/v1/models/other"), 404)
    error_of(server.complete(model="other"), 404)


def test_a_body_that_is_too_long_is_refused_told_or_not(server: Served):
    data = json.dumps({**TEXT, "prompt": "a" * 30_000}).encode()
    headers = {"content-type": "application/json"}
    error_of(server.post("/v1/completions", content=data, headers=headers), 413)
    parts = (data[i : i + 1000] for i in range(0, len(data), 1000))
    error_of(server.post("/v1/completions", content=parts, headers=headers), 413)
    assert server.complete(max_tokens=1).status_code == 200


def test_a_text_whose_tokens_would_be_a_page_too_long_is_refused(token_project):
    with served(yocto.load(token_project.run, "cpu")) as server:
        error_of(server.post("/tokenize", {"text": "a" * 100_001}), 400)
        assert server.post("/tokenize", {"text": "a " * 1000}).status_code == 200


def test_a_body_that_stalls_is_refused_when_the_server_ends():
    told = []

    async def asked():
        async def nothing_comes():
            await asyncio.Event().wait()

        async def send(message):
            told.append(message)

        gate = Gate(nothing_comes, ServeConfig(), Metrics())
        headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path": "/tokenize", "headers": headers}
        task = asyncio.ensure_future(gate(scope, nothing_comes, send))
        await asyncio.sleep(0)
        task.cancel()
        await task

    asyncio.run(asked())
    assert [message.get("status") for message in told] == [503, None]


def test_a_stream_has_no_line_end_but_its_own(token_project):
    odd = "a\u2028b\u2029c\x85d\x0be\x1cf\rg"
    with served(yocto.load(token_project.run, "cpu")) as server:
        body = {**TEXT, "prompt": odd, "echo": True, "stream": True, "logprobs": None}
        with httpx.stream("POST", f"{server.url}/v1/completions", json=body) as answer:
            lines = list(answer.iter_lines())  # httpx ends lines where Unicode does
    assert all(not line or line.startswith("data: ") for line in lines)
    assert json.loads(lines[0][6:])["choices"][0]["text"] == odd


def test_text_never_becomes_a_special_token(server: Served):
    lm = server.service.lm
    (special, *_) = lm.tokenizer.special_tokens
    end = lm.tokenizer.special_tokens[special]
    tokens = server.post("/tokenize", {"text": f"a{special}b"}).json()["tokens"]
    assert end not in [token["id"] for token in tokens]
    assert b"".join(bytes(token["bytes"]) for token in tokens) == f"a{special}b".encode()
    assert "".join(token["text"] for token in tokens) == f"a{special}b"
    plain = len(lm.tokenizer.encode(special, allowed_special="none"))
    usage = server.complete(special, max_tokens=1).json()["usage"]
    assert usage["prompt_tokens"] == plain > 1
    seen = []
    submit = server.service.batcher.submit
    server.service.batcher.submit = lambda jobs: seen.extend(jobs) or submit(jobs)
    try:
        server.complete([special, "a"], max_tokens=1)
        for role in ("system", "user", "assistant", "developer"):
            messages = [{"role": role, "content": [{"type": "text", "text": special}]}]
            server.post("/v1/chat/completions", {**CHAT, "messages": messages})
    finally:
        server.service.batcher.submit = submit
    assert len(seen) == 6
    assert not any(end in request.prompt for request, _ in seen)


def test_a_model_that_does_not_know_a_letter_says_so(char_project):
    with served(yocto.load(char_project.run, "cpu")) as server:
        for response in (server.complete("你好"), server.chat("你好")):
            assert "你" in error_of(response, 400)["message"]
        assert server.complete("the", max_tokens=2).status_code == 200


# ------------------------------------------------------------------------------------ who may ask


def test_a_key_is_asked_for_where_there_is_one(token_project):
    lm = yocto.load(token_project.run, "cpu")
    with served(lm, api_key="secret-1", allow_origin=("https://a.example",)) as server:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "secret-1"},
                        {"authorization": "Bearer secret-1é".encode("latin-1")}):  # fmt: skip
            for path in ("/v1/models", "/metrics", "/v1/nothing", "/openapi.json"):
                refused = httpx.get(server.url + path, headers=headers)
                error_of(refused, 401)
                assert refused.headers["www-authenticate"] == "Bearer"
            error_of(server.post("/v1/completions", TEXT, headers=headers), 401)
        assert httpx.get(f"{server.url}/health").json() == {"status": "ok"}
        with server.client("secret-1") as client:
            assert client.models.list().data[0].id == NAME
        # Whoever knows the key may come under any name: a proxy's, say.
        headers = {"authorization": "Bearer secret-1", "host": "chat.example"}
        assert httpx.get(f"{server.url}/v1/models", headers=headers).status_code == 200
        asks = {"origin": "https://a.example", "access-control-request-method": "POST"}
        allowed = httpx.options(f"{server.url}/v1/models", headers=asks)
        assert allowed.status_code == 204
        assert allowed.headers["access-control-allow-origin"] == "https://a.example"
        refused = httpx.get(f"{server.url}/v1/models", headers={"origin": "https://a.example"})
        error_of(refused, 401)
        assert refused.headers["access-control-allow-origin"] == "https://a.example"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil", "", "[::2]"])
def test_another_name_of_this_machine_is_refused(server: Served, host):
    error_of(httpx.get(f"{server.url}/v1/models", headers={"host": host}), 403)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:8000"])
def test_its_own_names_are_known(server: Served, host):
    assert httpx.get(f"{server.url}/v1/models", headers={"host": host}).status_code == 200


def test_pages_of_other_sites_are_refused(server: Served):
    for origin in ("https://evil.example", "null", "http://localhost:1", "http://127.0.0.1",
                   "http://[", "http://[::1", "://", "evil"):  # fmt: skip
        headers = {"origin": origin}
        error_of(server.post("/v1/completions", TEXT, headers=headers), 403)
        answer = httpx.options(f"{server.url}/v1/completions", headers=headers)
        error_of(answer, 403)
        assert "access-control-allow-origin" not in answer.headers
    own = server.post("/v1/completions", TEXT, headers={"origin": server.url})
    assert own.status_code == 200


# ------------------------------------------------------------------------------------- malformed


def mutated(rng: random.Random) -> tuple[str, bytes]:
    """A path and a body that was right before something happened to it, and is wrong now."""
    path, good, fields = rng.choice([
        ("/v1/chat/completions", CHAT, ChatBody), ("/v1/completions", TEXT, CompletionBody)
    ])  # fmt: skip
    odd = [
        [], {}, [[]], {"a": 1}, "\x00", "x" * 2000, -1, 1e308, 2**70, 0.5, [None], "NaN", -0.0,
        [{"role": "user"}], [{"role": "user", "content": 5}], [1.5], ["a", 1], True, False,
    ]  # fmt: skip
    while True:
        body: dict[str, Any] = json.loads(json.dumps(good))
        name = rng.choice([*fields.model_fields, "".join(rng.choices("abcxyz_", k=5))])
        body[name] = rng.choice(odd)
        kind = rng.random()
        if kind < 0.1:
            del body[rng.choice(list(good)[:2])]
        data = json.dumps(body).encode()
        if kind > 0.8:
            at = rng.randrange(len(data))
            data = data[:at] + rng.choice([b"", b"\xff", b"}", b'"', b"\x00"]) + data[at + 1 :]
        try:
            fields.model_validate_json(data)
        except ValueError:
            return path, data


def attack(server: Served, count: int, seed: int) -> None:
    rng = random.Random(seed)
    with httpx.Client(base_url=server.url, timeout=60) as client:
        for _ in range(count):
            path, data = mutated(rng)
            answer = client.post(path, content=data, headers={"content-type": "application/json"})
            assert 400 <= answer.status_code < 500, (path, data, answer.text)
            assert list(answer.json()["error"]) == ["message", "type", "param", "code"]
    assert server.complete(max_tokens=2).status_code == 200
    assert server.places == 0


def test_malformed_requests_are_never_the_servers_fault(server: Served):
    attack(server, 150, 1)


@pytest.mark.slow
def test_two_thousand_malformed_requests_are_never_the_servers_fault(server: Served):
    attack(server, 2000, 2)


# --------------------------------------------------------------------------------- the document


def by_the_document(server: Served, count: int) -> None:
    """Requests that schemathesis makes of the document: wrong ones are refused, right ones are
    answered, or name a model that is not there, or ask for more than there is."""
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    for found in schema.get_all_operations():
        operation = found.ok()
        modes = list(GenerationMode) if operation.body else [GenerationMode.POSITIVE]
        for mode in modes:

            @settings(
                max_examples=count,
                deadline=None,
                phases=[Phase.generate],
                database=None,
                suppress_health_check=list(HealthCheck),
                derandomize=True,
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def check(case):
                answer = case.call(timeout=60)
                assert answer.status_code < 500, (case.body, answer.text)
                if case.meta.generation.mode is GenerationMode.NEGATIVE:
                    assert answer.status_code >= 400, case.body
                if answer.status_code >= 400:
                    assert list(answer.json()["error"]) == ["message", "type", "param", "code"]

            check()
    assert server.complete(max_tokens=2).status_code == 200
    assert server.places == 0


def test_requests_made_of_the_document_are_answered_or_refused(server: Served):
    by_the_document(server, 10)


@pytest.mark.slow
def test_two_thousand_requests_made_of_the_document_are_answered_or_refused(server: Served):
    by_the_document(server, 300)
