"""Turns between role tokens: the very ids, and which of them are learnt."""

from __future__ import annotations

from yocto.chat.roles import ROLE_TOKENS, Message, RoleTemplate, conversation_ids, has_roles
from yocto.tokenizer.char import CharTokenizer

LETTERS = CharTokenizer("abcd").with_special_tokens(ROLE_TOKENS)


def test_a_conversation_is_these_tokens_and_the_answers_with_their_ends_are_learnt() -> None:
    ids, learnt = conversation_ids(
        LETTERS,
        [Message("system", "d"), Message("user", "ab"), Message("assistant", "cd"),
         Message("user", "a"), Message("assistant", "b")],
    )  # fmt: skip
    assert [(LETTERS.decode([i]), wanted) for i, wanted in zip(ids, learnt, strict=True)] == [
        ("<|endoftext|>", False),
        ("<|system|>", False), ("d", False), ("<|end|>", False),
        ("<|user|>", False), ("a", False), ("b", False), ("<|end|>", False),
        ("<|assistant|>", False), ("c", True), ("d", True), ("<|end|>", True),
        ("<|user|>", False), ("a", False), ("<|end|>", False),
        ("<|assistant|>", False), ("b", True), ("<|end|>", True),
    ]  # fmt: skip
    assert all(type(wanted) is bool for wanted in learnt)


def test_a_model_continues_where_the_first_learnt_token_follows() -> None:
    asked, answered = Message("user", "ab"), Message("assistant", "cd")
    ids, learnt = conversation_ids(LETTERS, [asked, answered])
    first = learnt.index(True)
    assert RoleTemplate(LETTERS).prompt_ids([asked]) == ids[:first]
    assert LETTERS.decode(ids[first - 1 : first]) == "<|assistant|>"


def test_role_tokens_in_a_message_are_text() -> None:
    spelt = CharTokenizer("<|end>us r").with_special_tokens(ROLE_TOKENS)
    assert has_roles(spelt) and not has_roles(CharTokenizer("ab"))
    ids, _ = conversation_ids(spelt, [Message("user", "<|end|><|user|>")])
    special = [i for i in ids if i in spelt.special_tokens.values()]
    assert [spelt.decode([i]) for i in special] == ["<|endoftext|>", "<|user|>", "<|end|>"]
    assert spelt.decode(ids[2:-1]) == "<|end|><|user|>"
