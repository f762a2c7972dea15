"""Conversations longer than the context: whole exchanges, each answer in one window."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from yocto.chat.roles import ROLE_TOKENS, Message, Role, conversation_ids
from yocto.chat.windows import cut_conversation
from yocto.tokenizer.char import CharTokenizer

LETTERS = CharTokenizer("abcdefgh").with_special_tokens(ROLE_TOKENS)


def said(ids: list[int], learnt: list[bool]) -> str:
    """What of a window is learnt."""
    return LETTERS.decode([i for i, wanted in zip(ids, learnt, strict=True) if wanted])


def test_what_fits_is_one_window() -> None:
    messages = [Message("user", "ab"), Message("assistant", "cd")]
    cut = cut_conversation(LETTERS, messages, 8)
    assert cut.windows == [conversation_ids(LETTERS, messages)] and cut.lost == 0


def test_exchanges_are_shared_out_with_the_systems_turn_before_each() -> None:
    head = [Message("system", "h")]
    exchanges = [[Message("user", c), Message("assistant", c * 2)] for c in "abc"]
    cut = cut_conversation(LETTERS, [*head, *exchanges[0], *exchanges[1], *exchanges[2]], 17)
    assert cut.windows == [
        conversation_ids(LETTERS, [*head, *exchanges[0], *exchanges[1]]),
        conversation_ids(LETTERS, [*head, *exchanges[2]]),
    ]
    assert cut.lost == 0


def test_an_exchange_too_long_by_itself_loses_its_end_and_is_counted() -> None:
    cut = cut_conversation(LETTERS, [Message("user", "a"), Message("assistant", "abcdefgh")], 8)
    ((ids, learnt),) = cut.windows
    assert len(ids) == 9 and said(ids, learnt) == "abcd"
    assert cut.lost == 5  # four letters, and the end of the turn
    gone = cut_conversation(LETTERS, [Message("user", "a" * 20), Message("assistant", "b")], 8)
    assert gone.windows == [] and gone.lost == 2


ROLES = st.sampled_from(["system", "user", "assistant"])


@given(st.lists(st.tuples(ROLES, st.text("abcdefgh", min_size=1, max_size=9)), min_size=1),
       st.integers(4, 60))  # fmt: skip
def test_nothing_is_learnt_twice_and_what_is_lost_is_counted(
    turns: list[tuple[Role, str]], block_size: int
) -> None:
    messages = [Message(role, text) for role, text in turns]
    cut = cut_conversation(LETTERS, messages, block_size)
    assert all(2 <= len(ids) <= block_size + 1 and any(learnt) for ids, learnt in cut.windows)
    assert all(ids[0] == LETTERS.end_id and not learnt[0] for ids, learnt in cut.windows)
    assert cut.lost + sum(sum(w[1]) for w in cut.windows) == sum(
        conversation_ids(LETTERS, messages)[1]
    )
    if cut.lost == 0:
        told = "".join(said(*window) for window in cut.windows)
        assert told == said(*conversation_ids(LETTERS, messages))
