"""chat: opening a conversation."""

from __future__ import annotations

import pytest
from conftest import Project

from yocto.commands import chat
from yocto.config import ChatConfig
from yocto.errors import ConfigError
from yocto.utils.progress import SilentProgress


def run(project: Project, **knobs) -> chat.OpenChat:
    return chat.run(ChatConfig(ckpt_dir=str(project.checkpoints), **knobs), SilentProgress())


def test_a_conversation_opens_with_its_knobs(project: Project) -> None:
    opened = run(project, system_prompt="so", temperature=0.5, max_ctx_tokens=40)
    assert project.run.name in opened.checkpoint
    assert opened.chat.session.system_prompt == "so"
    assert opened.chat.session.max_tokens == 40
    assert opened.chat.config.temperature == 0.5


def test_an_opened_conversation_answers_and_can_be_changed(project: Project) -> None:
    talk = run(project, seed=1, max_new_tokens=8, ignore_eos=True, temperature=1.0).chat
    list(talk.send("so"))
    talk.set(temperature=0.1)
    assert (talk.config.temperature, talk.config.max_new_tokens) == (0.1, 8)
    list(talk.send("so"))


def test_a_context_larger_than_the_models_is_refused_with_both_numbers(project: Project) -> None:
    with pytest.raises(ConfigError, match=r"49.*48"):
        run(project, max_ctx_tokens=49)
