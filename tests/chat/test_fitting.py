"""Conversations of any roles, and what of them fits."""

from __future__ import annotations

from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from yocto.chat.fitting import exchanges_of, fit
from yocto.chat.roles import Message

ROLES = st.sampled_from(["system", "user", "assistant"])


class Plain:
    """A template whose ids tell which messages they are of."""

    stop, end_ids = (), None

    def prompt_ids(self, messages):
        return [id_ for m in messages for id_ in [int(m.text)] * (1 + int(m.text) % 3)]


def conversation(roles: list[str]) -> list[Message]:
    return [Message(role, str(i)) for i, role in enumerate(roles)]


@given(st.lists(ROLES, min_size=1, max_size=20), st.integers(0, 40))
def test_as_many_of_the_newest_exchanges_are_shown_as_fit(roles, most):
    messages, template = conversation(roles), Plain()
    found = fit(template, messages, most)
    rest = messages[len(found.head) :]
    assert all(m.role == "system" for m in found.head)
    assert not rest or rest[0].role != "system"
    exchanges = exchanges_of(rest)
    assert [m for exchange in exchanges for m in exchange] == rest
    fitting = [
        count for count in range(1, len(exchanges) + 1)
        if len(template.prompt_ids([*found.head, *chain(*exchanges[-count:])])) <= most
    ]  # fmt: skip
    expected = max(fitting, default=min(1, len(exchanges)))
    assert found.exchanges == exchanges[len(exchanges) - expected :]
    shown = chain(*found.exchanges)
    assert found.ids == template.prompt_ids([*found.head, *shown])


def test_exchanges_begin_where_the_user_takes_the_word():
    messages = conversation(["assistant", "user", "user", "assistant", "system", "user"])
    lengths = [len(exchange) for exchange in exchanges_of(messages)]
    assert lengths == [1, 4, 1]


def test_an_answer_that_fills_the_context_sends_old_exchanges_away():
    messages = conversation(["system", "user", "assistant", "user", "assistant", "user"])
    fitted = fit(Plain(), messages, 100)
    shorter = fitted.reframed([9] * 5, 12)
    assert shorter is not None
    assert shorter.head == fitted.head
    assert len(shorter.ids) + 5 <= 12
    assert fitted.exchanges[-len(shorter.exchanges) :] == shorter.exchanges
    assert fit(Plain(), messages[:2], 100).reframed([9], 100) is None
    assert fitted.reframed([9] * 50, 12) is None
