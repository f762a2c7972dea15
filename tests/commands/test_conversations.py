"""What finetune reads: conversations as ids, in two splits."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from tiny import LETTERS, Recorder

from yocto.chat.roles import ROLE_TOKENS, Message, answer_start, conversation_ids
from yocto.commands.conversations import Chats, open_chats
from yocto.config import FinetuneConfig
from yocto.tokenizer.char import CharTokenizer

CHAR = CharTokenizer(LETTERS).with_special_tokens(ROLE_TOKENS)


def chats_of(path: Path, records: list[list[tuple[str, str]]], **knobs: Any) -> Chats:
    """These turns, read from a file, in windows of 300."""
    lines = [{"messages": [{"role": role, "content": text} for role, text in turns]}
             for turns in records]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return open_chats(FinetuneConfig(data=(str(path),), **knobs), CHAR, 300, Recorder())


@pytest.mark.parametrize(
    ("turns", "asked"),
    [
        ([("user", "who"), ("assistant", "me"), ("user", "why"), ("assistant", "so")], "who"),
        ([("system", "be"), ("user", "who"), ("user", "me"), ("assistant", "a")], "me"),
        ([("assistant", "hello"), ("user", "who"), ("assistant", "me")], ""),
    ],
)
def test_the_question_is_what_precedes_the_first_answer(
    tmp_path: Path, turns: list[Any], asked: str
) -> None:
    found = chats_of(tmp_path / "a.jsonl", [turns])
    first = next(i for i, (role, _) in enumerate(turns) if role == "assistant")
    ids, _ = conversation_ids(CHAR, [Message(role, text) for role, text in turns[:first]])
    assert found.question == [*ids, answer_start(CHAR)]
    assert found.asked == asked


def test_the_question_is_one_that_validates(tmp_path: Path) -> None:
    words = [a + b for a in "abcdef" for b in "ghijkl"]
    records = [[("user", word), ("assistant", word * 2)] for word in words]
    found = chats_of(tmp_path / "a.jsonl", records, val_ratio=0.3)
    validates = CHAR.decode(found.val.ids.tolist())
    assert f"<|user|>{found.asked}<|end|>" in validates
    assert len(found.train) + len(found.val) == len(words)
    assert all((f"<|user|>{word}<|end|>" in validates)
               != (f"<|user|>{word}<|end|>" in CHAR.decode(found.train.ids.tolist()))
               for word in words)  # fmt: skip
    assert (found.train_bytes, found.val_bytes) == (4 * len(found.train), 4 * len(found.val))


def test_conversations_take_not_much_more_memory_than_their_tokens(tmp_path: Path) -> None:
    def most(count: int) -> tuple[int, int]:
        """The most memory that reading takes at a time, in bytes, and the tokens that are read."""
        answers = [LETTERS[i % 26 :] * 6 for i in range(count)]
        file = tmp_path / "a.jsonl"
        chats_of(file, [[("user", LETTERS * 3), ("assistant", answer)] for answer in answers])
        tracemalloc.start()
        try:
            found = open_chats(FinetuneConfig(data=(str(file),)), CHAR, 300, Recorder())
            return tracemalloc.get_traced_memory()[1], len(found.train.ids) + len(found.val.ids)
        finally:
            tracemalloc.stop()

    (few, less), (many, more) = most(200), most(1000)
    # An id takes 4 bytes and a mark 1; both are copied once, when they are split.
    assert (many - few) / (more - less) < 16
