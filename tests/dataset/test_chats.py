"""Conversations in files: three layouts, and what is wrong with records, by name."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yocto.dataset.chats import (
    BadRecordError,
    Conversation,
    Turn,
    drawn,
    read_chats,
    turns_of,
    validates,
)
from yocto.errors import DataError

TURNS = [Turn("user", "Hi"), Turn("assistant", "Hello.")]
MESSAGES = {"messages": [{"role": "user", "content": "Hi"},
                         {"role": "assistant", "content": "Hello."}]}  # fmt: skip
SHAREGPT = {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello."}]}
ALPACA = {"instruction": "Hi", "input": "", "output": "Hello."}


@pytest.mark.parametrize("record", [MESSAGES, SHAREGPT, ALPACA, {**MESSAGES, "id": 7}])
def test_each_layout_gives_the_same_turns(record: dict[str, Any]) -> None:
    assert turns_of(record) == TURNS


def test_names_of_the_other_layout_are_taken_too() -> None:
    said = [{"role": "human", "content": "Hi"}, {"role": "gpt", "content": "Hello."}]
    assert turns_of({"messages": said}) == TURNS


def test_the_input_of_alpaca_stands_below_the_instruction() -> None:
    (user, answer) = turns_of({"instruction": "Add.", "input": "1 and 2", "output": "3"})
    assert user == ("user", "Add.\n\n1 and 2") and answer == ("assistant", "3")
    assert turns_of({"instruction": "", "input": "1", "output": "2"})[0].text == "1"


def test_a_system_prompt_stays_first_and_an_empty_one_is_none() -> None:
    record = {"messages": [{"role": "system", "content": "Be brief."}, *MESSAGES["messages"]]}
    assert turns_of(record) == [Turn("system", "Be brief."), *TURNS]
    record["messages"][0]["content"] = " "
    assert turns_of(record) == TURNS


BAD: list[tuple[Any, str]] = [
    (7, "is no object"),
    ({}, "has no list of messages"),
    ({"text": "Hi"}, "it has 'text'"),
    ({"messages": "Hi"}, "has no list of messages"),
    ({"messages": []}, "has no turns"),
    ({"messages": ["Hi"]}, "no object as its turn 1"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "has 'tool' as the role of its turn 1"),
    ({"messages": [{"content": "x"}]}, "has nothing as the role of its turn 1"),
    ({"messages": [{"role": [], "content": "x"}]}, "has a list as the role"),
    ({"messages": [{"role": "user", "content": "Hi"}]}, "has no turn of the assistant's"),
    ({"messages": [*MESSAGES["messages"], {"role": "user", "content": ""}]}, "an empty turn 3"),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "has a list where the text"),
    ({"messages": [{"role": "user", "content": "\ud83d"}]}, "a lone surrogate, in its turn 1"),
    ({"instruction": "", "output": "x"}, "an empty turn 1"),
    ({"instruction": 3, "output": "x"}, "has a number where the text of its instruction"),
    ({"instruction": "x", "output": None}, "has nothing where the text of its turn 2"),
]  # fmt: skip


@pytest.mark.parametrize(("record", "fault"), BAD)
def test_a_bad_record_is_named_by_file_line_and_fault(
    tmp_path: Path, record: Any, fault: str
) -> None:
    with pytest.raises(BadRecordError, match=fault):
        turns_of(record)
    file = tmp_path / "chats.jsonl"
    file.write_text(f"{json.dumps(MESSAGES)}\n\n{json.dumps(record)}\n{json.dumps(ALPACA)}\n")
    first, bad, last = read_chats([str(file)])
    assert isinstance(first, Conversation) and first.where == f"line 1 in {file}"
    assert isinstance(bad, DataError)
    assert bad.message.startswith(f"line 3 in {file} ") and "--skip-bad" in bad.hint
    assert isinstance(last, Conversation) and list(last.turns) == TURNS


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["messages", "conversations", "role", "content", "from", "value",
                         "instruction", "input", "output"]) | st.text(), inner),
))  # fmt: skip
def test_any_json_is_a_conversation_or_a_bad_record(value: Any) -> None:
    try:
        turns = turns_of(value)
    except BadRecordError:
        return
    assert any(turn.role == "assistant" for turn in turns)
    assert all(turn.text.strip() for turn in turns)


def test_files_may_be_lists_compressed_folders_and_of_any_name(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([MESSAGES, ALPACA]))
    with gzip.open(tmp_path / "b.jsonl.gz", "wt") as file:
        file.write(json.dumps(SHAREGPT) + "\n")
    (tmp_path / "notes.txt").write_text("not a conversation")
    found = list(read_chats([str(tmp_path)]))
    assert [c.where for c in found if isinstance(c, Conversation)] == [
        f"value 1 in {tmp_path}/a.json", f"value 2 in {tmp_path}/a.json",
        f"line 1 in {tmp_path}/b.jsonl.gz",
    ]  # fmt: skip
    (tmp_path / "chats").write_text(json.dumps(ALPACA))
    assert len(list(read_chats([str(tmp_path / "chats")]))) == 1


def test_a_line_that_is_no_json_or_no_utf_8_is_bad_by_itself(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"messages"\n{"a": "\xff"}\n' + json.dumps(ALPACA).encode())
    one, two, three = read_chats([str(file)])
    assert isinstance(one, DataError) and "line 1" in one.message and "JSON" in one.message
    assert isinstance(two, DataError) and "UTF-8" in two.message
    assert isinstance(three, Conversation)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no text file .*chats\.jsonl") as caught:
        list(read_chats([str(tmp_path / "chats.jsonl")]))
    assert "--data" in caught.value.hint


# ----------------------------------------------------------------------------------------- split


def chat(number: int) -> Conversation:
    return Conversation("", (Turn("user", f"{number}?"), Turn("assistant", str(number))))


@given(st.sets(st.integers(), min_size=2, max_size=40), st.floats(0.01, 0.9))
def test_both_splits_have_a_conversation_of_two(numbers: set[int], val_ratio: float) -> None:
    held = validates([drawn(chat(n)) for n in numbers], val_ratio)
    assert any(held) and not all(held)


def test_a_conversation_stays_in_its_split_when_others_join() -> None:
    few, many = ([drawn(chat(n)) for n in range(count)] for count in (200, 1000))
    assert validates(few, 0.1) == validates(many, 0.1)[:200]
    assert 70 < sum(validates(many, 0.1)) < 130


def test_one_conversation_trains_and_so_do_copies_of_it() -> None:
    one, other = drawn(chat(1)), drawn(chat(2))
    assert validates([one], 0.5) == [False]
    assert validates([one] * 3, 0.5) == [False] * 3
    assert validates([one, other], 0.0) == [False] * 2
