"""Conversations in files of JSON: three layouts, told apart record by record.

{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]}
{"instruction": "Greet.", "input": "", "output": "Hello."}                          alpaca
{"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello."}]}
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from yocto.dataset.chunks import listed
from yocto.dataset.json_values import json_values
from yocto.dataset.records import jsonl_values
from yocto.dataset.sources import Source, find_sources
from yocto.dataset.split import draw
from yocto.dataset.streams import opened
from yocto.errors import DataError

# What layouts and programs call those who speak -> the role.
ROLES = {
    "system": "system", "user": "user", "human": "user", "assistant": "assistant",
    "gpt": "assistant",
}  # fmt: skip
HINT = "Check --data: it takes .jsonl and .json files of conversations, folders, globs and URLs."


class Turn(NamedTuple):
    """Who said what. role: system, user or assistant."""

    role: str
    text: str


class Conversation(NamedTuple):
    """Turns, one of the assistant's among them. where: "line 3 in chats.jsonl"."""

    where: str
    turns: tuple[Turn, ...]


class BadRecordError(Exception):
    """Why a record is no conversation, in words that follow its place."""


def read_chats(paths: Sequence[str]) -> Iterator[Conversation | DataError]:
    """The conversations in files, in order; in place of a record that is none, the error that names
    it. Raises DataError for files that can't be read."""
    for source in find_sources(paths, "jsonl", HINT):
        for where, value in _values(source):
            if isinstance(value, DataError):
                yield value
                continue
            try:
                yield Conversation(where, tuple(turns_of(value)))
            except BadRecordError as error:
                yield bad_record(where, str(error))


def bad_record(where: str, what: str) -> DataError:
    """The error for a record."""
    return DataError(
        f"{where} {what}", "Mend that record or leave it out, or pass over all such: --skip-bad"
    )


def _values(source: Source) -> Iterator[tuple[str, Any]]:
    (by_name,) = find_sources([source.path], hint=HINT)
    with opened(source, HINT) as stream:
        if by_name.format != "json":
            yield from jsonl_values(source, stream, HINT)
            return
        for number, value in enumerate(json_values(source, stream, "strict", HINT), 1):
            yield f"value {number} in {source.path}", value


def turns_of(value: Any) -> list[Turn]:
    """The turns of a record. Raises BadRecordError."""
    if not isinstance(value, dict):
        raise BadRecordError("is no object")
    found = next((value[key] for key in ("messages", "conversations") if key in value), None)
    if found is None and {"instruction", "output"} <= value.keys():
        parts = [_text(value.get(key) or "", key) for key in ("instruction", "input")]
        question = "\n\n".join(part for part in parts if part.strip())
        found = [{"role": "user", "content": question},
                 {"role": "assistant", "content": value["output"]}]  # fmt: skip
    elif not isinstance(found, list):
        has = f": it has {listed(list(value))}" if value else ""
        raise BadRecordError(
            f"has no list of messages or conversations, and no instruction with an output{has}"
        )
    turns = [turn for number, said in enumerate(found, 1) if (turn := _turn(said, number))]
    if not turns:
        raise BadRecordError("has no turns")
    if not any(turn.role == "assistant" for turn in turns):
        raise BadRecordError("has no turn of the assistant's, so there is nothing to learn")
    return turns


def _turn(said: Any, number: int) -> Turn | None:
    """A turn; None for a system prompt that says nothing."""
    name = f"turn {number}"
    if not isinstance(said, dict):
        raise BadRecordError(f"has no object as its {name}")
    role, text = said.get("role", said.get("from")), said.get("content", said.get("value"))
    if not isinstance(role, str) or role not in ROLES:
        raise BadRecordError(
            f"has {_shown(role)} as the role of its {name}, not {', '.join(ROLES)}"
        )
    text = _text(text, name)
    if text.strip():
        return Turn(ROLES[role], text)
    if ROLES[role] == "system":
        return None
    raise BadRecordError(f"has an empty {name}")


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise BadRecordError(f"has {_shown(value)} where the text of its {name} should be")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise BadRecordError(f"has half a character, a lone surrogate, in its {name}") from None
    return value


def _shown(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", bool: "true or false", type(None): "nothing"}
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else value[:37] + "...")
    return kinds.get(type(value), "a number")


def drawn(chat: Conversation) -> float:
    """A number in [0, 1) that only its text decides."""
    return draw(json.dumps(chat.turns).encode())


def validates(draws: Sequence[float], val_ratio: float) -> list[bool]:
    """Which of the conversations with these draws are for validation: each goes where its own draw
    says, so that adding files moves none. Where chance would leave one of the splits empty, the
    nearest conversation is moved there; a single one trains."""
    if val_ratio == 0 or len(set(draws)) < 2:  # copies of one conversation go together
        return [False] * len(draws)
    limit = min(max(val_ratio, min(draws) + 1e-12), max(draws))
    return [draw < limit for draw in draws]
