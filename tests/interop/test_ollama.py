"""The Modelfile that ollama makes a model from."""

from __future__ import annotations

import re

from gguf_models import trained

from yocto.chat.roles import Message, RoleTemplate
from yocto.interop.ollama import modelfile
from yocto.tokenizer.bpe import BPETokenizer
from yocto.tokenizer.roles import ROLE_TOKENS


def rendered(template: str, messages: list[Message]) -> str:
    """What Go makes of our template, by a reader of the few of its forms that we write."""
    before, loop, after = re.fullmatch(
        r"(.*)\{\{ range \.Messages \}\}(.*)\{\{ end \}\}\{\{ end \}\}(.*)", template, re.DOTALL
    ).groups()
    branches = re.findall(r'if eq \.Role "(\w+)" \}\}(.*?)(?=\{\{ else |$)', loop, re.DOTALL)
    turns = [dict(branches)[m.role].replace("{{ .Content }}", m.text) for m in messages]
    return "".join([before, *turns, after])


def template_of(text: str) -> str:
    return re.search(r'TEMPLATE """(.*)"""', text, re.DOTALL)[1]


def test_a_chat_is_written_as_yocto_writes_it():
    tokenizer = trained("llama3", 600, *ROLE_TOKENS)
    end = tokenizer.special_tokens["<|end|>"]
    text = modelfile("my model.gguf", tokenizer, 256, [end])
    assert text.splitlines()[0] == "FROM ./my model.gguf"
    assert text.splitlines()[2:] == [
        'PARAMETER stop "<|endoftext|>"', 'PARAMETER stop "<|end|>"', "PARAMETER num_ctx 256",
    ]  # fmt: skip
    for messages in (
        [Message("user", "Hi")],
        [Message("system", "Be brief."), Message("user", "Hi"), Message("assistant", "Yes?"),
         Message("user", " two\nlines ")],
    ):  # fmt: skip
        written = rendered(template_of(text), messages)
        ids = tokenizer.encode(written, allowed_special="all")
        assert ids == RoleTemplate(tokenizer).prompt_ids(messages)


def test_a_model_that_was_taught_no_roles_goes_on_with_the_prompt():
    text = modelfile("a.gguf", trained("llama3"), 64)
    assert template_of(text) == "{{ .Prompt }}"
    assert 'PARAMETER stop "<|endoftext|>"' in text


def test_an_end_token_that_go_or_the_file_would_misread_is_written_as_gos_text():
    for end in ('<"""e>', "<{{e}}>"):
        tokenizer = BPETokenizer(
            trained().vocab, trained().merges, "llama3",
            {token: 600 + i for i, token in enumerate([end, *ROLE_TOKENS])},
        )  # fmt: skip
        text = modelfile("a.gguf", tokenizer, 64)
        assert text.count('"""') == 2
        begin = template_of(text).partition("{{ range")[0]
        assert begin == "{{ " + '"' + end.replace('"', '\\"') + '"' + " }}"
        assert ("stop" in text) == ('"' not in end)
