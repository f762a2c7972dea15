"""Turns: kept all, shown as far as they fit."""

from __future__ import annotations

import pytest

from yocto.chat.roles import Message
from yocto.chat.session import ChatSession
from yocto.chat.template import render
from yocto.errors import ChatError


def session(max_tokens: int, system_prompt: str = "") -> ChatSession:
    """One character is one token, so that ids are readable."""
    return ChatSession(lambda text: list(map(ord, text)), max_tokens, system_prompt)


def shown(ids: list[int]) -> str:
    return "".join(map(chr, ids))


def talk(chat: ChatSession, turns: int) -> None:
    for i in range(turns):
        chat.ask(f"question {i}")
        chat.answer(f"answer {i}")


def test_all_turns_are_shown_where_they_fit() -> None:
    chat = session(1000)
    talk(chat, 2)
    assert shown(chat.ask("and now?")) == (
        "User: question 0\nAssistant: answer 0\nUser: question 1\nAssistant: answer 1\n"
        "User: and now?\nAssistant:"
    )


@pytest.mark.parametrize("max_tokens", range(28, 200, 7))
@pytest.mark.parametrize("system_prompt", ["", "Be kind."])
def test_turns_are_trimmed_whole_the_oldest_first(max_tokens: int, system_prompt: str) -> None:
    chat = session(max_tokens + len(system_prompt), system_prompt)
    talk(chat, 5)
    text = shown(chat.ask("now"))
    assert len(text) <= chat.max_tokens
    every = [*chat.messages]
    views = [render(every[start:], system_prompt) for start in range(0, len(every), 2)]
    assert text in views  # whole exchanges, the newest of them
    longer = views[: views.index(text)]
    assert all(len(view) > chat.max_tokens for view in longer)  # and no fewer than fit


def test_trimming_forgets_nothing() -> None:
    chat = session(40)
    talk(chat, 5)
    chat.ask("now")
    assert len(chat.messages) == 11
    chat.max_tokens = 1000
    chat.take_back()
    assert shown(chat.ask("now")).startswith("User: question 0")


def test_a_message_longer_than_the_context_is_refused_with_both_numbers() -> None:
    chat = session(50, "Be kind.")
    talk(chat, 1)
    before = list(chat.messages)
    text = "x" * 60
    size = len(render([Message("user", text)], "Be kind."))
    with pytest.raises(ChatError) as caught:
        chat.ask(text)
    assert f"{size} tokens" in caught.value.message
    assert "at most 50" in caught.value.message
    assert "--max-ctx-tokens" in caught.value.hint
    assert chat.messages == before


def test_a_message_that_just_fits_is_taken() -> None:
    text = "hello"
    assert session(len(render([Message("user", text)]))).ask(text)
    with pytest.raises(ChatError):
        session(len(render([Message("user", text)])) - 1).ask(text)


def test_a_question_without_an_answer_can_be_taken_back() -> None:
    chat = session(1000)
    talk(chat, 1)
    chat.ask("lost")
    chat.take_back()
    assert [message.text for message in chat.messages] == ["question 0", "answer 0"]
    chat.take_back()  # an answered one stays
    assert len(chat.messages) == 2
    session(10).take_back()


def test_reset_forgets_the_turns_and_keeps_the_system_prompt() -> None:
    chat = session(1000, "Be kind.")
    talk(chat, 2)
    chat.reset()
    assert shown(chat.ask("Hi.")) == "Be kind.\nUser: Hi.\nAssistant:"
