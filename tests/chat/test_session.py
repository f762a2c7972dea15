"""Turns: kept all, shown as far as they fit."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Sequence

import pytest

from yocto.chat.roles import Message
from yocto.chat.session import ChatSession
from yocto.chat.text import render
from yocto.errors import ChatError


class Letters:
    """The text template where one character is one token, so that ids are readable."""

    stop: tuple[str, ...] = ()
    end_ids: frozenset[int] | None = None

    def __init__(self) -> None:
        self.written = 0  # ids, all told

    def prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        ids = list(map(ord, render(messages)))
        self.written += len(ids)
        return ids


def session(max_tokens: int, system_prompt: str = "") -> ChatSession:
    return ChatSession(Letters(), max_tokens, system_prompt)


def shown(ids: list[int]) -> str:
    return "".join(map(chr, ids))


def ask(chat: ChatSession, text: str) -> str:
    return shown(chat.ask(text).ids)


def talk(chat: ChatSession, turns: int) -> None:
    for i in range(turns):
        chat.answer(chat.ask(f"question {i}"), f"answer {i}")


def texts(chat: ChatSession) -> list[str]:
    return [message.text for message in chat.messages]


def test_all_turns_are_shown_where_they_fit() -> None:
    chat = session(1000)
    talk(chat, 2)
    assert ask(chat, "and now?") == (
        "User: question 0\nAssistant: answer 0\nUser: question 1\nAssistant: answer 1\n"
        "User: and now?\nAssistant:"
    )


@pytest.mark.parametrize("max_tokens", range(28, 200, 7))
@pytest.mark.parametrize("system_prompt", ["", "Be kind."])
@pytest.mark.parametrize("before", [1, 2, 99])
def test_turns_are_trimmed_whole_the_oldest_first(
    max_tokens: int, system_prompt: str, before: int
) -> None:
    chat = session(max_tokens + len(system_prompt), system_prompt)
    talk(chat, 5)
    chat._shown = before  # wherever the search begins
    question = chat.ask("now")
    text = shown(question.ids)
    assert len(text) <= chat.max_tokens
    system = [Message("system", system_prompt)] if system_prompt else []
    every = [*chat.messages, question.message]
    views = [render([*system, *every[start:]]) for start in range(0, len(every), 2)]
    assert text in views  # whole exchanges, the newest of them
    at = views.index(text)
    assert question.shown == len(views) - at
    assert all(len(view) > chat.max_tokens for view in views[:at])  # and no fewer than fit


def test_trimming_forgets_nothing() -> None:
    chat = session(40)
    talk(chat, 5)
    chat.ask("now")
    assert len(chat.messages) == 10
    chat.max_tokens = 1000
    assert ask(chat, "now").startswith("User: question 0")


def test_a_message_longer_than_the_context_is_refused_with_both_numbers() -> None:
    chat = session(50, "Be kind.")
    talk(chat, 1)
    before = list(chat.messages)
    text = "x" * 60
    size = len(render([Message("system", "Be kind."), Message("user", text)]))
    with pytest.raises(ChatError) as caught:
        chat.ask(text)
    assert f"{size} tokens" in caught.value.message
    assert "at most 50" in caught.value.message
    assert "--max-ctx-tokens" in caught.value.hint
    assert chat.messages == before


def test_a_system_prompt_that_leaves_no_room_is_blamed() -> None:
    chat = session(50, "Be kind. " * 10)
    with pytest.raises(ChatError) as caught:
        chat.ask("Hi")
    assert caught.value.hint.startswith("Shorten the system prompt")


def test_where_nothing_more_can_be_shown_the_hint_names_no_knob() -> None:
    chat = ChatSession(Letters(), 50, most=50)
    with pytest.raises(ChatError) as caught:
        chat.ask("x" * 60)
    assert caught.value.hint == "Say it in fewer words."


def test_a_message_that_just_fits_is_taken() -> None:
    size = len(render([Message("user", "hello")]))
    assert session(size).ask("hello")
    with pytest.raises(ChatError):
        session(size - 1).ask("hello")


def test_a_question_without_an_answer_leaves_no_trace() -> None:
    chat = session(1000)
    talk(chat, 1)
    lost = chat.ask("lost")
    assert texts(chat) == ["question 0", "answer 0"]
    kept = chat.ask("kept")
    chat.answer(lost, "too late")
    chat.answer(kept, "in time")
    chat.answer(kept, "twice")
    assert texts(chat) == ["question 0", "answer 0", "kept", "in time"]


def test_reset_forgets_the_turns_and_keeps_the_system_prompt() -> None:
    chat = session(1000, "Be kind.")
    talk(chat, 2)
    late = chat.ask("late")
    chat.reset()
    chat.answer(late, "now")  # a question from before it
    assert ask(chat, "Hi.") == "Be kind.\nUser: Hi.\nAssistant:"


def test_a_retry_asks_the_same_and_its_answer_takes_the_place_of_the_last() -> None:
    chat = session(1000)
    talk(chat, 2)
    again = chat.retry()
    assert shown(again.ids).endswith("answer 0\nUser: question 1\nAssistant:")
    assert texts(chat)[-1] == "answer 1"  # until there is another
    chat.answer(again, "better")
    assert texts(chat) == ["question 0", "answer 0", "question 1", "better"]


def test_undo_takes_back_one_exchange_after_the_other() -> None:
    chat = session(1000)
    talk(chat, 2)
    assert chat.undo().text == "question 1"
    assert texts(chat) == ["question 0", "answer 0"]
    assert chat.undo().text == "question 0"
    for act in (chat.undo, chat.retry):
        with pytest.raises(ChatError, match="nothing has been said"):
            act()


def test_a_retry_after_a_question_without_an_answer_asks_that_one() -> None:
    chat = session(1000)
    talk(chat, 2)
    chat.ask("lost")
    again = chat.retry()
    assert shown(again.ids).endswith("answer 1\nUser: lost\nAssistant:")
    chat.retry()  # which got none, either
    chat.answer(chat.retry(), "found")
    assert texts(chat)[-4:] == ["question 1", "answer 1", "lost", "found"]


def test_undo_takes_back_a_question_without_an_answer_alone() -> None:
    chat = session(1000)
    talk(chat, 1)
    chat.ask("lost")
    assert chat.undo().text == "lost"
    assert texts(chat) == ["question 0", "answer 0"]
    chat.retry()  # of question 0, in vain
    assert chat.undo().text == "question 0"
    assert texts(chat) == []


def test_the_tokens_in_use_are_those_of_the_exchanges_that_fit() -> None:
    chat = session(100)
    assert chat.used() == (0, 0)
    talk(chat, 1)
    first = len(render(chat.messages))
    assert chat.used() == (first, 1)
    talk(chat, 9)
    used, exchanges = chat.used()
    assert exchanges == 2
    assert used == len(render(chat.messages[-4:])) <= 100
    chat.max_tokens = 10
    assert chat.used() == (0, 0)


def test_a_long_conversation_costs_what_fits_and_its_memory_is_that_of_its_words() -> None:
    chat = session(300, "Be kind.")
    work, sizes = [], []
    tracemalloc.start()
    for i in range(500):
        before = chat.template.written
        text = ask(chat, f"question {i} " + "x" * (i * 37 % 90))
        chat.answer(chat._pending, f"answer {i} " + "y" * (i * 53 % 90))
        work.append(chat.template.written - before)
        assert text.startswith("Be kind.\nUser: question ")
        if i % 100 == 99:
            sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert max(work[10:]) < 6 * 300  # ids, a turn
    growth = [after - before for before, after in itertools.pairwise(sizes)]
    assert max(growth) < 100 * 1000  # bytes in a hundred turns: their own text
