"""The public formats of tasks: a row of a file becomes a question with its choices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from yocto.dataset.chunks import listed

HELLASWAG, LAMBADA, BLIMP, MULTIPLE_CHOICE = "hellaswag", "lambada", "blimp", "multiple-choice"

_CONTEXTS = ("context", "question", "prompt", "query")
_CHOICES = ("choices", "endings", "options")
_ANSWERS = ("answer", "label", "answerKey", "gold")


class BadRowError(Exception):
    """A row that is no question; the message says why."""


@dataclass(frozen=True)
class Question:
    """context: what the choices continue; where there is none each is a text of its own. choices:
    with the space before them. label: which one is right."""

    context: str
    choices: list[str]
    label: int


def hellaswag(row: Mapping[str, Any]) -> Question:
    """ctx, endings, label (Zellers et al. 2019)."""
    endings = _texts(_value(row, "endings"), "endings")
    return _question(_text(row, "ctx"), endings, _index(_value(row, "label"), "label", endings))


def lambada(row: Mapping[str, Any]) -> Question:
    """text, whose last word is to be found (Paperno et al. 2016)."""
    text = _text(row, "text").rstrip()
    context = text[: -len(text.split()[-1])]
    if not context.strip():
        raise BadRowError("'text' has no word before the last one")
    return Question(context, [text[len(context) :]], 0)


def blimp(row: Mapping[str, Any]) -> Question:
    """sentence_good, sentence_bad (Warstadt et al. 2020)."""
    return Question("", [_text(row, "sentence_good"), _text(row, "sentence_bad")], 0)


def multiple_choice(row: Mapping[str, Any]) -> Question:
    """A question under any of the names that are about, with a list of choices, or as ARC has it
    (Clark et al. 2018), raw or in the form of Hugging Face's hub. The right one is told by its
    place, counted from 0, or by its letter. A row that has a context and a question, too, begins
    with the context."""
    stem = row.get("question")
    if isinstance(stem, dict):
        context, given = _text(stem, "stem"), _value(stem, "choices")
    else:
        names = [name for name in _CONTEXTS if name in row]
        if not names:
            raise BadRowError(_lacks(_CONTEXTS))
        context = "\n".join(_text(row, name) for name in names)
        given = row[_named(row, _CHOICES)]
    choices, labels = _labelled(given)
    key = _named(row, _ANSWERS)
    return _question(context, choices, _index(row[key], key, choices, labels))


READERS: dict[str, Callable[[Mapping[str, Any]], Question]] = {
    HELLASWAG: hellaswag, LAMBADA: lambada, BLIMP: blimp, MULTIPLE_CHOICE: multiple_choice,
}  # fmt: skip


def format_of(row: Any) -> str | None:
    """Which format a row seems to be in; None for one that is in none of them."""
    if not isinstance(row, dict):
        return None
    if {"sentence_good", "sentence_bad"} & row.keys():
        return BLIMP
    if {"ctx", "endings"} <= row.keys():
        return HELLASWAG
    if {*_CHOICES} & row.keys() or isinstance(row.get("question"), dict):
        return MULTIPLE_CHOICE
    return LAMBADA if "text" in row else None


def _question(context: str, choices: Sequence[str], label: int) -> Question:
    """Choices with a space before them, where none is there yet."""
    spaced = context[-1:].isspace()
    return Question(context, [c if spaced or c[:1].isspace() else f" {c}" for c in choices], label)


def _lacks(names: Sequence[str]) -> str:
    return f"it has no {' or '.join(map(repr, names))}"


def _value(row: Mapping[str, Any], key: str) -> Any:
    if key not in row:
        raise BadRowError(_lacks([key]))
    return row[key]


def _named(row: Mapping[str, Any], names: Sequence[str]) -> str:
    """The first of these keys that the row has."""
    found = next((name for name in names if name in row), None)
    if found is None:
        raise BadRowError(_lacks(names))
    return found


def _text(row: Mapping[str, Any], key: str) -> str:
    return _checked(_value(row, key), repr(key))


def _checked(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise BadRowError(f"{what} is no text but {kind_of(value)}")
    if not value.strip():
        raise BadRowError(f"{what} is empty")
    return value


def _texts(value: Any, key: str) -> list[str]:
    if not isinstance(value, list):
        raise BadRowError(f"{key!r} is no list but {kind_of(value)}")
    if len(value) < 2:
        raise BadRowError(f"{key!r} has {len(value)} in place of two or more")
    return [_checked(text, f"number {i} of {key!r}") for i, text in enumerate(value)]


def _labelled(given: Any) -> tuple[list[str], list[str]]:
    """Choices, and what they are called where the row tells."""
    if isinstance(given, list) and any(isinstance(choice, dict) for choice in given):
        if not all(isinstance(choice, dict) for choice in given):
            raise BadRowError("some choices are objects, and others are not")
        given = {name: [_value(c, name) for c in given] for name in ("text", "label")}
    if not isinstance(given, dict):
        return _texts(given, "choices"), []
    texts, labels = _texts(_value(given, "text"), "text"), _value(given, "label")
    if not isinstance(labels, list) or [*map(type, labels)] != [str] * len(texts):
        raise BadRowError("'label' is no list of as many texts as there are choices")
    return texts, labels


def _index(value: Any, key: str, choices: Sequence[str], labels: Sequence[str] = ()) -> int:
    """Which choice is right: a place, its digits, or a letter."""
    index: Any = value
    if isinstance(value, str) and labels:
        if value not in labels:
            raise BadRowError(
                f"{key!r} is {_shown(value)}, but the choices are {listed([*labels])}"
            )
        return labels.index(value)
    if isinstance(value, str):
        if value.isascii() and value.isdecimal() and len(value) < 10:
            index = int(value)
        elif len(value) == 1 and "A" <= value.upper() <= "Z":
            index = ord(value.upper()) - ord("A")
        else:
            raise BadRowError(f"{key!r} is {_shown(value)}, neither a place nor a letter")
    if type(index) is not int:
        raise BadRowError(f"{key!r} is no place in a list but {kind_of(value)}")
    if not 0 <= index < len(choices):
        last = len(choices) - 1
        raise BadRowError(f"{key!r} is {_shown(value)}, but choices go from 0 to {last}")
    return index


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"


def kind_of(value: Any) -> str:
    """What a value of JSON is, in words."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    return "null" if value is None else names.get(type(value), "a number")
