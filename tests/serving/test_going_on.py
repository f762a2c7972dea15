"""Answers that go on from a beginning: continue_final_message, as vLLM has it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

pytest.importorskip("fastapi", reason="needs fastapi")
pytest.importorskip("uvicorn", reason="needs uvicorn")
from serving.real_server import real_server


@pytest.fixture(scope="module")
def url(char_project) -> Iterator[str]:
    with real_server(char_project) as url:
        yield url


def chat(url: str, *turns: tuple[str, str], **knobs: Any) -> dict[str, Any]:
    messages = [{"role": role, "content": content} for role, content in turns]
    body = {"model": "char-1", "messages": messages, "temperature": 0, "logprobs": True, **knobs}
    headers = {"Content-Type": "application/json"}
    with urlopen(Request(f"{url}/v1/chat/completions", json.dumps(body).encode(), headers)) as told:
        return json.load(told)


def tokens(answer: dict[str, Any]) -> list[str]:
    return [entry["token"] for entry in answer["choices"][0]["logprobs"]["content"]]


@pytest.mark.parametrize("question", ["a", "the", "is it"])
def test_an_answer_that_goes_on_is_the_one_that_was_begun(url, question):
    whole = chat(url, ("user", question), max_tokens=12)
    told = tokens(whole)
    assert len(told) > 2
    begun = "".join(told[:2])
    rest = chat(url, ("user", question), ("assistant", begun), max_tokens=10,
                continue_final_message=True)  # fmt: skip
    assert tokens(rest) == told[2:]
    # White space at its start is part of it here, and no more is said than what was made.
    assert rest["choices"][0]["message"]["content"] == "".join(told[2:])
    assert rest["usage"]["prompt_tokens"] == whole["usage"]["prompt_tokens"] + 2


def test_a_beginning_longer_than_the_context_is_refused(url):
    lengths = (1, 20, 30, 36, 48, 100)  # of 48 ids that the model sees
    refused = []
    for length in lengths:
        try:
            chat(url, ("user", "a"), ("assistant", "a" * length), max_tokens=4,
                 continue_final_message=True)  # fmt: skip
        except HTTPError as error:
            fault = json.load(error)["error"]
            assert (error.code, fault["code"]) == (400, "context_length_exceeded")
            assert f"has {length} tokens" in fault["message"]
            refused.append(length)
    assert set(refused) < set(lengths) and {48, 100} <= set(refused)


def test_only_an_answer_can_go_on(url):
    for turns in ([("user", "the river")], [("assistant", "the river")]):
        with pytest.raises(HTTPError) as refused:
            chat(url, *turns, continue_final_message=True)
        assert refused.value.code == 400
        assert "continue_final_message" in json.load(refused.value)["error"]["message"]


def test_what_would_begin_another_turn_is_no_beginning(url):
    with pytest.raises(HTTPError) as refused:
        chat(url, ("user", "a"), ("assistant", "b\nUser: c"), continue_final_message=True)
    assert refused.value.code == 400
    assert "ends an answer" in json.load(refused.value)["error"]["message"]


def test_tokens_are_told_with_their_ids(url):
    answer = chat(url, ("user", "the river"), max_tokens=3)
    text = "".join(tokens(answer))
    body = json.dumps({"text": text}).encode()
    headers = {"Content-Type": "application/json"}
    with urlopen(Request(f"{url}/tokenize", body, headers)) as told:
        ids = [token["id"] for token in json.load(told)["tokens"]]
    assert [entry["id"] for entry in answer["choices"][0]["logprobs"]["content"]] == ids
