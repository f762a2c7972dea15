"""Which template a conversation is written with: the checkpoint says."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from tiny import make_text

from yocto.chat.huggingface import HuggingFaceTemplate
from yocto.chat.roles import ROLE_TOKENS, Message, RoleTemplate, conversation_ids
from yocto.chat.template import template_for
from yocto.chat.text import TextTemplate
from yocto.checkpoint.chat_template import TemplateFile
from yocto.tokenizer.bpe_train import BPETrainer

END = "<|endoftext|>"
BASE = BPETrainer(vocab_size=300).train([make_text(50)])
TUNED = BPETrainer(vocab_size=300, special_tokens=[END, *ROLE_TOKENS]).train([make_text(50)])
FILE = TemplateFile(Path("chat_template.jinja"), "{{ messages[0].content }}")


def test_a_file_goes_before_role_tokens_and_those_before_text() -> None:
    assert isinstance(template_for(BASE), TextTemplate)
    assert isinstance(template_for(TUNED), RoleTemplate)
    assert isinstance(template_for(TUNED, file=FILE), HuggingFaceTemplate)
    assert isinstance(template_for(BASE, file=FILE), HuggingFaceTemplate)


def test_an_end_token_means_something_after_several_documents_only() -> None:
    assert "\n\n" in template_for(BASE, 1).stop
    assert "\n\n" not in template_for(BASE, 2).stop


def test_role_tokens_stand_around_each_turn_and_the_assistant_is_next() -> None:
    messages = [Message("system", "Be kind."), Message("user", "Hi"),
                Message("assistant", "Yes"), Message("user", "So?")]  # fmt: skip
    made = template_for(TUNED)
    assert TUNED.decode(made.prompt_ids(messages)) == (
        f"{END}<|system|>Be kind.<|end|><|user|>Hi<|end|><|assistant|>Yes<|end|>"
        "<|user|>So?<|end|><|assistant|>"
    )
    assert made.prompt_ids(messages)[:-1] == conversation_ids(TUNED, messages)[0]
    assert made.end_ids == {TUNED.special_tokens[END], TUNED.special_tokens["<|end|>"]}
    assert made.stop == ()


@given(st.lists(st.sampled_from([END, *ROLE_TOKENS, "a", "\n", "<|"]), max_size=6).map("".join))
def test_no_text_becomes_a_role(text: str) -> None:
    special = set(TUNED.special_tokens.values())

    def roles(text: str) -> list[int]:
        return [i for i in template_for(TUNED).prompt_ids([Message("user", text)]) if i in special]

    assert roles(text) == roles("harmless")
