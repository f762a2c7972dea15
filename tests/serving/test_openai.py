"""The openai package's client, unchanged, against the server."""

from __future__ import annotations

import openai
import pytest
from served import NAME, Served, served

import yocto

ASK = [{"role": "user", "content": "who knows the river?"}]


@pytest.fixture(scope="module")
def server(token_project):
    with served(yocto.load(token_project.run, "cpu")) as found:
        yield found


@pytest.fixture(scope="module")
def client(server: Served):
    with server.client() as found:
        yield found


def test_the_list_of_models_names_the_one_that_is_served(client):
    (model,) = client.models.list().data
    assert (model.id, model.object, model.owned_by) == (NAME, "model", "yocto")
    assert client.models.retrieve(NAME) == model
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("other")
    assert caught.value.code == "model_not_found"


def test_a_completion_is_what_the_library_writes(client, server):
    lm = server.service.lm
    done = client.completions.create(model=NAME, prompt="the river", max_tokens=20, temperature=0)
    (choice,) = done.choices
    assert choice.text == lm.generate("the river", max_new_tokens=20, greedy=True)
    prompt = len(lm.prompt_ids("the river"))
    usage = done.usage
    assert (usage.prompt_tokens, usage.total_tokens) == (prompt, prompt + usage.completion_tokens)
    assert usage.completion_tokens == 20 or choice.finish_reason == "stop"
    assert done.object == "text_completion"


def test_a_stream_is_the_same_text_in_pieces(client):
    whole = client.completions.create(model=NAME, prompt="a", max_tokens=30, temperature=0)
    chunks = list(
        client.completions.create(
            model=NAME, prompt="a", max_tokens=30, temperature=0, stream=True,
            stream_options={"include_usage": True},
        )
    )  # fmt: skip
    assert len(chunks) > 2
    assert "".join(c.choices[0].text for c in chunks if c.choices) == whole.choices[0].text
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage
    assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason
    assert len({chunk.id for chunk in chunks}) == 1


def test_a_chat_answers_whole_and_in_pieces_the_same(client):
    asked = {"model": NAME, "messages": ASK, "temperature": 0.8, "seed": 5, "max_tokens": 25}
    whole = client.chat.completions.create(**asked)
    message = whole.choices[0].message
    assert message.role == "assistant"
    assert message.content
    assert message.content == message.content.lstrip()
    chunks = list(client.chat.completions.create(**asked, stream=True))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == message.content
    assert chunks[-1].choices[0].finish_reason == whole.choices[0].finish_reason
    again = client.chat.completions.create(**asked)
    assert again.choices[0].message.content == message.content


def test_each_choice_has_its_own_seed(client):
    asked = {"model": NAME, "messages": ASK, "temperature": 1.5, "max_tokens": 12}
    several = client.chat.completions.create(**asked, n=3, seed=7)
    alone = [client.chat.completions.create(**asked, seed=7 + i) for i in range(3)]
    texts = [choice.message.content for choice in several.choices]
    assert [choice.index for choice in several.choices] == [0, 1, 2]
    assert texts == [one.choices[0].message.content for one in alone]
    assert len(set(texts)) > 1
    pieces = {0: "", 1: "", 2: ""}
    for chunk in client.chat.completions.create(**asked, n=3, seed=7, stream=True):
        (choice,) = chunk.choices
        pieces[choice.index] += choice.delta.content or ""
    assert list(pieces.values()) == texts


def test_an_answer_goes_on_from_a_message_that_came_from_the_server(client):
    first = client.chat.completions.create(model=NAME, messages=ASK, max_tokens=4)
    messages = [*ASK, first.choices[0].message, {"role": "user", "content": "why?"}]
    done = client.chat.completions.create(model=NAME, messages=messages, max_tokens=4)
    assert done.choices[0].finish_reason in ("stop", "length")


def test_logprobs_of_a_chat_are_the_tokens_of_its_text(client):
    asked = {"model": NAME, "messages": ASK, "temperature": 0, "logprobs": True, "max_tokens": 15}
    done = client.chat.completions.create(**asked, top_logprobs=3)
    content = done.choices[0].logprobs.content
    assert len(content) == done.usage.completion_tokens
    text = b"".join(bytes(token.bytes) for token in content).decode()
    assert text.lstrip() == done.choices[0].message.content
    for token in content:
        assert len(token.top_logprobs) == 3
        likeliest = token.top_logprobs[0]  # greedy, but an end token can't be told apart
        assert token.logprob <= likeliest.logprob + 1e-6 <= 1e-6
    told = []
    for chunk in client.chat.completions.create(**asked, top_logprobs=3, stream=True):
        if chunk.choices[0].logprobs is not None:
            told += chunk.choices[0].logprobs.content
    assert [(t.token, t.bytes) for t in told] == [(t.token, t.bytes) for t in content]
    none = client.chat.completions.create(**asked)
    assert none.choices[0].logprobs.content[0].top_logprobs == []


def test_logprobs_of_a_completion_are_told_as_completions_tell_them(client):
    done = client.completions.create(
        model=NAME, prompt="the", max_tokens=10, temperature=0, logprobs=2
    )
    logprobs = done.choices[0].logprobs
    assert "".join(logprobs.tokens) == done.choices[0].text
    assert [len(top) for top in logprobs.top_logprobs] == [2] * len(logprobs.tokens)
    assert logprobs.text_offset[0] == 0
    for token, own, top in zip(
        logprobs.tokens, logprobs.token_logprobs, logprobs.top_logprobs, strict=True
    ):
        assert token not in top or top[token] == own


def test_a_stop_string_ends_the_text_and_is_no_part_of_it(client):
    whole = client.completions.create(model=NAME, prompt="a", max_tokens=30, temperature=0)
    text = whole.choices[0].text
    stop = text[8:11]
    at = text.index(stop)
    for stops in (stop, ["~~~", stop]):
        done = client.completions.create(
            model=NAME, prompt="a", max_tokens=30, temperature=0, stop=stops, logprobs=0
        )
        assert done.choices[0].text == text[:at]
        assert done.choices[0].finish_reason == "stop"
        assert "".join(done.choices[0].logprobs.tokens).startswith(text[:at])
        assert len("".join(done.choices[0].logprobs.tokens[:-1])) < at


def test_prompts_are_texts_or_ids_one_or_several(client, server):
    lm = server.service.lm
    texts = ["the river", "a stone"]
    ids = [lm.prompt_ids(text) for text in texts]
    asked = {"model": NAME, "max_tokens": 6, "temperature": 0}
    by_text = client.completions.create(prompt=texts, n=2, **asked)
    by_ids = client.completions.create(prompt=ids, n=2, **asked)
    one = client.completions.create(prompt=ids[1], echo=True, **asked)
    found = [choice.text for choice in by_text.choices]
    assert [choice.index for choice in by_text.choices] == [0, 1, 2, 3]
    assert found == [choice.text for choice in by_ids.choices]
    assert one.choices[0].text == texts[1] + found[2]
    assert by_text.usage.prompt_tokens == sum(map(len, ids))


def test_knobs_do_what_they_do_in_the_library(client, server):
    knobs = {"presence_penalty": 1.5, "frequency_penalty": 0.5, "top_p": 0.8}
    done = client.completions.create(
        model=NAME, prompt="the", max_tokens=20, temperature=0.9, seed=3, logit_bias={"50": 3},
        extra_body={"top_k": 12, "min_p": 0.01, "repetition_penalty": 1.2}, **knobs,
    )  # fmt: skip
    expected = server.service.lm.generate(
        "the", max_new_tokens=20, temperature=0.9, seed=3, logit_bias={50: 3}, top_k=12,
        min_p=0.01, repetition_penalty=1.2, **knobs,
    )  # fmt: skip
    assert done.choices[0].text == expected


def test_errors_are_those_that_the_client_knows(client):
    with pytest.raises(openai.NotFoundError, match="no model 'gpt-9'"):
        client.chat.completions.create(model="gpt-9", messages=ASK)
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=NAME, messages=ASK, temperature=3)
    assert caught.value.param == "temperature"
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=NAME, messages=ASK, tools=[{"type": "function"}])
    assert caught.value.param == "tools"
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(model=NAME, prompt="the " * 100)
    assert caught.value.code == "context_length_exceeded"


def test_a_long_conversation_is_trimmed_as_the_chat_does_it(client):
    turns = [{"role": role, "content": "a stone"} for role in ("user", "assistant") * 30]
    done = client.chat.completions.create(model=NAME, messages=[*turns, *ASK], max_tokens=60)
    assert done.usage.prompt_tokens <= 48 * 2 // 3
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(
            model=NAME, messages=[{"role": "user", "content": "stone " * 60}]
        )
    assert caught.value.code == "context_length_exceeded"
