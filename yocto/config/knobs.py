"""What a setting is: a field with a default, a help text and an allowed range.

A command's settings are a frozen dataclass whose fields are made with `knob`. The command line
(cli/options.py), the presets, `--config` files and `--set` all read and check the same fields, so
a knob is declared once. Standard library only: `yocto --help` needs nothing else.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, Self, Union, cast, get_args, get_origin, get_type_hints

from yocto.errors import ConfigError


def knob(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    default_text: str | None = None,
    positional: bool = False,
) -> Any:
    """Declare one setting.

    help: one sentence for `--help`. low, high: the allowed range, both ends included; of a text
    (and of each text in a list) the number of characters. default_text: what help says of the
    default where the bare value would not tell (None, ""). positional: typed without a flag, as
    PATH in `yocto inspect PATH`.
    """
    metadata = {
        "help": help, "low": low, "high": high, "default_text": default_text,
        "positional": positional,
    }  # fmt: skip
    return field(default=default, metadata=metadata)


def path_knob(
    default: Any, help: str, *, default_text: str | None = None, positional: bool = False
) -> Any:
    """Declare a file, a folder, a name: a text that is not empty."""
    return knob(default, help, low=1, high=4096, default_text=default_text, positional=positional)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Base of all settings: checks types and ranges, and remembers what was asked for.

    given: names of the fields that the user set; presets and resumed runs fill in only the others.
    Left out, it is every field that differs from its default.
    """

    # Pairs of settings that say the same in two ways: one place names only one of a pair, and what
    # wins over another place wins over the other name there too. Where the user names none, the
    # first that has a value is the one that counts.
    alternatives: ClassVar[tuple[tuple[str, str], ...]] = ()
    # Settings whose default a preset decides.
    from_preset: ClassVar[frozenset[str]] = frozenset()

    given: frozenset[str] = field(default=cast(frozenset[str], None), repr=False, compare=False)

    def __post_init__(self) -> None:
        values = {f.name: getattr(self, f.name) for f in knobs(type(self))}
        for name, value in values.items():  # one by one: defaults of alternatives go together
            object.__setattr__(self, name, self.checked({name: value})[name])
        if self.given is None:
            changed = {f.name for f in knobs(type(self)) if getattr(self, f.name) != f.default}
            object.__setattr__(self, "given", frozenset(changed))

    @classmethod
    def checked(
        cls, values: Mapping[str, Any], source: str = "", spelt: Callable[[str], str] = str
    ) -> dict[str, Any]:
        """The values in their fields' own types. Raises ConfigError for an unknown key, which
        names the nearest one, and for a value of the wrong type or out of range.

        source: where the values come from, for the message ("preset gpu", a file's name).
        spelt: a field's name as it is written there.
        """
        where = f"{source}: " if source else ""
        known = {f.name: f for f in knobs(cls)}
        hints = _hints(cast(Any, cls))
        result = {}
        for key, value in values.items():
            if key not in known:
                raise _unknown_key(where, key, known, hints)
            try:
                result[key] = _checked(known[key], hints[key], value)
            except _Unfit as unfit:
                message = f"{where}{spelt(key)} is {_shown(value)}, but it takes {unfit}"
                default = default_words(cls, known[key])
                left_out = f"{known[key].metadata['help']} Left out, it is {default or 'empty'}."
                raise ConfigError(message, unfit.hint or left_out) from None
        return result

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], source: str = "") -> Self:
        """Make settings from plain data; errors are those of `checked`."""
        checked = cls.checked(values, source)
        try:
            return cls(**checked, given=frozenset(values))
        except ConfigError as error:  # of fields that don't go together
            if not source:
                raise
            raise ConfigError(f"{source}: {error.message}", error.hint) from None

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain data, for JSON and YAML."""
        values = {f.name: getattr(self, f.name) for f in knobs(type(self))}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    def with_base(self, base: Mapping[str, Any]) -> Self:
        """These settings, with `base` in place of every default that the user did not touch."""
        fill = {key: value for key, value in base.items() if key not in self.given}
        return dataclasses.replace(self, **fill, given=self.given)


def knobs(cls: type[Config]) -> list[dataclasses.Field[Any]]:
    """The fields of a configuration that are settings."""
    return [f for f in fields(cls) if f.name != "given"]


@functools.cache  # working them out takes a millisecond, and a checkpoint has several to check
def _hints(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls)


def nearest(word: str, known: Sequence[str]) -> str:
    """The known word most like `word`, or "" when none is."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return close[0] if close else ""


def unwrap_optional(hint: Any) -> tuple[Any, bool]:
    """`X | None` as (X, True), any other type as (type, False)."""
    if get_origin(hint) in (Union, UnionType) and NoneType in get_args(hint):
        (inner,) = [a for a in get_args(hint) if a is not NoneType]
        return inner, True
    return hint, False


def takes(f: dataclasses.Field[Any], hint: Any) -> str:
    """What a field takes, in words: "a whole number from 1 to 1000, or off"."""
    kind, optional = unwrap_optional(hint)
    low, high = f.metadata["low"], f.metadata["high"]
    if get_origin(kind) is Literal:
        *others, last = map(str, get_args(kind))
        words = f"{', '.join(others)} or {last}" if others else last
    elif kind is bool:
        words = "true or false"
    elif kind in (int, float):
        what = "a whole number" if kind is int else "a number"
        words = f"{what} {range_text(low, high)}".strip()
    else:
        what = "a list of texts" if get_origin(kind) is tuple else "a text"
        allowed = range_text(low, high)
        words = f"{what} of {allowed.removeprefix('from ')} characters" if allowed else what
    return f"{words}, or off" if optional and kind in (int, float) else words


def range_text(low: float | None, high: float | None) -> str:
    """A range in words: "from 0 to 1", "at least 1", "at most 4"; "" when there is none."""
    if low is not None and high is not None:
        return f"from {_number(low)} to {_number(high)}"
    if low is not None:
        return f"at least {_number(low)}"
    return f"at most {_number(high)}" if high is not None else ""


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def default_words(cls: type[Config], f: dataclasses.Field[Any]) -> str:
    """A field's default in words; "" where it is empty."""
    if f.name in cls.from_preset:
        return "the preset's"
    if f.metadata["default_text"] is not None:
        return str(f.metadata["default_text"])
    if isinstance(f.default, bool):
        return "on" if f.default else "off"
    return " ".join(f.default) if isinstance(f.default, tuple) else str(f.default)


def _unknown_key(
    where: str, key: str, known: Mapping[str, dataclasses.Field[Any]], hints: Mapping[str, Any]
) -> ConfigError:
    close = nearest(key, list(known))
    hint = (
        f"Did you mean {close!r}? It takes {takes(known[close], hints[close])}."
        if close else "Known settings: " + ", ".join(known)
    )  # fmt: skip
    return ConfigError(f"{where}unknown setting {_shown(key)}", hint)


class _Unfit(Exception):
    """What a field takes, raised for a value that is not that."""

    def __init__(self, f: dataclasses.Field[Any], hint: Any, advice: str = "") -> None:
        super().__init__(takes(f, hint))
        self.hint = advice


def _checked(f: dataclasses.Field[Any], hint: Any, value: Any) -> Any:
    """The value in its field's own type."""
    kind, optional = unwrap_optional(hint)
    if optional and (value is None or (value is False and kind is not bool)):
        return None  # YAML reads "off" as false
    if get_origin(kind) is Literal:
        choices = get_args(kind)
        if not isinstance(value, str) or value not in choices:
            close = nearest(value, choices) if isinstance(value, str) else ""
            raise _Unfit(f, hint, f"Did you mean {close!r}?" if close else "")
        return value
    if get_origin(kind) is tuple:
        value = (value,) if isinstance(value, str) else value
        value = tuple(value) if isinstance(value, list) else value
        if not isinstance(value, tuple) or not all(_is_text(f, text) for text in value):
            raise _Unfit(f, hint)
        return value
    if kind is str:
        if not _is_text(f, value):
            raise _Unfit(f, hint)
        return value
    if kind is bool:
        if not isinstance(value, bool):
            raise _Unfit(f, hint)
        return value
    return _checked_number(f, hint, kind, value)


def _is_text(f: dataclasses.Field[Any], value: Any) -> bool:
    low, high = f.metadata["low"] or 0, f.metadata["high"] or math.inf
    # No file can have a NUL in its name, and no command line can hold one.
    if not isinstance(value, str) or not low <= len(value) <= high or "\0" in value:
        return False
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate: no file can hold it
        return False
    return True


def _in_full(text: str) -> float | str:
    """A number with K, M, B or G behind it in full: 100M is a hundred million."""
    units = {"K": 1e3, "M": 1e6, "B": 1e9, "G": 1e9}
    try:
        # Rounded, as 2.01 times a million is a little less than 2,010,000 to a computer.
        return round(float(text[:-1]) * units[text[-1:].upper()], 3)
    except (KeyError, ValueError):
        return text


def _checked_number(f: dataclasses.Field[Any], hint: Any, kind: Any, value: Any) -> Any:
    if kind is int and isinstance(value, str):
        value = _in_full(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Unfit(f, hint)
    if kind is int and isinstance(value, float) and not value.is_integer():  # 1e4 is whole
        raise _Unfit(f, hint)
    try:
        value = kind(value)
    except OverflowError:
        raise _Unfit(f, hint) from None
    low, high = f.metadata["low"], f.metadata["high"]
    # Written so that NaN, which compares false with everything, is out of range too.
    below = low is not None and not value >= low
    above = high is not None and not value <= high
    if below or above or not math.isfinite(value):
        raise _Unfit(f, hint)
    return value


def _shown(value: Any) -> str:
    """A value in a message, cut where it is long."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # nested without end, or a number of 5,000 digits
        text = f"a {type(value).__name__}"
    return text if len(text) <= 80 else text[:77] + "..."
