"""Conversations in files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yocto.chat.conversation import Conversation, load_conversation, save_conversation
from yocto.chat.roles import Message
from yocto.errors import ChatError

TURNS = [Message("user", "Né 🙂\n\u2028?"), Message("assistant", "Yes.")]
MADE = Conversation("Be kind.", TURNS, {"temperature": 0.5, "stop": []})


def test_a_conversation_comes_back_whole(tmp_path: Path) -> None:
    for made in (MADE, Conversation()):
        save_conversation(tmp_path / "a" / "chat.json", made)
        assert load_conversation(tmp_path / "a" / "chat.json") == made
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["chat.json"]


def test_the_messages_are_written_as_others_write_them(tmp_path: Path) -> None:
    save_conversation(tmp_path / "c", MADE)
    content = json.loads((tmp_path / "c").read_text("utf-8"))
    assert content["messages"][1] == {"role": "assistant", "content": "Yes."}


@pytest.mark.parametrize("text", ["notes", "{}", '{"format": "yocto-chat"}'])
def test_a_file_of_another_sort_is_not_replaced(tmp_path: Path, text: str) -> None:
    file = tmp_path / "notes.txt"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ChatError, match="holds something else"):
        save_conversation(file, MADE)
    with pytest.raises(ChatError, match="is a folder"):
        save_conversation(tmp_path, MADE)
    assert file.read_text("utf-8") == text


def content(**changes: Any) -> dict[str, Any]:
    """What a file holds, with these fields changed."""
    return {
        "format": "yocto-chat", "version": 1, "system_prompt": "", "knobs": {},
        "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
        **changes,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (content(format="other"), "not a conversation"),
        ([], "not a conversation"),
        (content(version=2), "format version 2"),
        (content(version=None), "format version None"),
        (content(system_prompt=5), "'5' is no text"),
        (content(system_prompt="\ud800"), "damaged"),
        (content(knobs=[]), "knobs is no table"),
        (content(messages={}), "no list of questions"),
        (content(messages=[{"role": "user", "content": "a"}]), "no list of questions"),
        (
            content(messages=[{"role": "assistant", "content": "a"}] * 2),
            "message 1 is not the user",
        ),
        (
            content(messages=[{"role": "user", "content": "a"}] * 2),
            "message 2 is not the assistant",
        ),
        (content(messages=["a", "b"]), "message 1"),
        (content(messages=[{"role": "user"}, {"role": "assistant"}]), "damaged: 'content'"),
        ({k: v for k, v in content().items() if k != "knobs"}, "damaged: 'knobs'"),
    ],
)
def test_a_damaged_or_foreign_file_is_told_by_name(tmp_path: Path, value: Any, fault: str) -> None:
    file = tmp_path / "chat.json"
    file.write_text(json.dumps(value), encoding="utf-8")
    with pytest.raises(ChatError, match=fault) as caught:
        load_conversation(file)
    assert str(file) in caught.value.message
    assert caught.value.hint


def test_what_is_no_json_or_not_there_is_told_by_name(tmp_path: Path) -> None:
    (tmp_path / "half.json").write_bytes(b'{"format": "yocto-ch')
    (tmp_path / "odd.json").write_bytes(b"\xff\xfe")
    for name in ("half.json", "odd.json", "nothing.json", "."):
        with pytest.raises(ChatError, match=str(tmp_path / name)):
            load_conversation(tmp_path / name)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from([*content(), "role", "content"]), inner)
        ),
    )
)
def test_any_json_is_a_conversation_or_an_error(tmp_path_factory: Any, value: Any) -> None:
    file = tmp_path_factory.getbasetemp() / "any.json"
    for changed in (value, content(messages=value), content(knobs=value)):
        file.write_text(json.dumps(changed), encoding="utf-8")
        try:
            made = load_conversation(file)
        except ChatError:
            continue
        assert len(made.messages) % 2 == 0


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ChatError, match="no file"):
        load_conversation(tmp_path / "pipe")
    with pytest.raises(ChatError, match="something else"):
        save_conversation(tmp_path / "pipe", Conversation())
