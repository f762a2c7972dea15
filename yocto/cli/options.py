"""A configuration dataclass becomes the options of a command.

Typer hands every value on as the text that was typed. What it may be is decided in one place, the
configuration, so that a wrong flag, a wrong `--set` and a wrong line in a file read alike.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import Field, fields
from typing import Annotated, Any, Literal, Optional, get_args, get_origin, get_type_hints

import typer

from yocto.config import Config, default_words, knobs, range_text, unwrap_optional

# On every command, after its own: name -> (type, flag, what it takes, help).
COMMON: dict[str, tuple[Any, str, str | None, str]] = {
    "config_file": (str, "--config", "FILE", "Read settings from a .yaml, .toml or .json file."),
    "assignments": (list[str], "--set", "KEY=VALUE", "Set any knob; repeat it for several."),
    "show_config": (bool, "--show-config", None, "Print the settings that would count, and stop."),
    "as_json": (bool, "--json", None, "Print the result as JSON on standard output."),
    "quiet": (bool, "--quiet", None, "Print results, notices and errors, and no progress."),
    "debug": (bool, "--debug", None, "Show the traceback of an error."),
}


def signature_of(cls: type[Config], common: Iterable[str] = COMMON) -> inspect.Signature:
    """The signature that Typer reads: one keyword per knob, None where the user gave nothing."""
    hints = get_type_hints(cls)
    inherited = {f.name for base in cls.__bases__ for f in fields(base)}
    own_first = sorted(knobs(cls), key=lambda f: f.name in inherited)
    parameters = [_knob_parameter(cls, f, hints[f.name]) for f in own_first]
    for name in common:
        kind, flag, metavar, help_text = COMMON[name]
        option = typer.Option(flag, help=help_text, show_default=False, metavar=metavar)
        parameters.append(_parameter(name, Annotated[Optional[kind], option]))  # noqa: UP045
    return inspect.Signature(parameters)


def flag_of(name: str) -> str:
    """A knob as it is typed: n_layer -> --n-layer."""
    return "--" + name.replace("_", "-")


def typed_name(cls: type[Config], name: str) -> str:
    """The same, or NAME for a knob that is typed without a flag."""
    is_positional = cls.__dataclass_fields__[name].metadata["positional"]
    return name.upper() if is_positional else flag_of(name)


def typed_values(cls: type[Config], flags: Mapping[str, Any]) -> dict[str, Any]:
    """What the user typed, as values; Typer's None and [] stand for nothing typed. A text that
    can't be read as what its knob takes stays a text, for the configuration to refuse."""
    hints = get_type_hints(cls)
    return {
        name: _read(unwrap_optional(hints[name]), value)
        for name, value in flags.items()
        if value not in (None, [])
    }


def takes_text(cls: type[Config], name: str) -> bool:
    """Whether a knob takes one text, whatever is typed."""
    return unwrap_optional(get_type_hints(cls)[name])[0] is str


def _read(hint: tuple[Any, bool], value: Any) -> Any:
    kind, optional = hint
    if kind not in (int, float) or not isinstance(value, str):
        return value
    if optional and value.strip().lower() in ("off", "none"):
        return None
    try:
        return kind(value)
    except ValueError:
        pass
    try:
        number = float(value)
    except ValueError:
        return value
    return int(number) if number.is_integer() else number  # 1e4 is a whole number too


def _knob_parameter(cls: type[Config], f: Field[Any], hint: Any) -> inspect.Parameter:
    kind, _ = unwrap_optional(hint)
    several = get_origin(kind) is tuple
    if f.metadata["positional"]:
        argument = typer.Argument(
            help=_help(cls, f, kind), show_default=False, metavar=f.name.upper()
        )
        return _parameter(
            f.name,
            Annotated[Optional[list[str] if several else str], argument],  # noqa: UP045
        )
    flag = flag_of(f.name)
    if kind is bool:
        flag = f"{flag}/{flag_of('no_' + f.name)}"
    option = typer.Option(
        flag, help=_help(cls, f, kind), show_default=False, metavar=_metavar(kind)
    )
    typed = bool if kind is bool else list[str] if several else str
    return _parameter(f.name, Annotated[Optional[typed], option])  # noqa: UP045


def _parameter(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
    )


def _metavar(kind: Any) -> str | None:
    if get_origin(kind) is Literal:
        return "|".join(map(str, get_args(kind)))
    return {int: "INT", float: "FLOAT", bool: None}.get(kind, "TEXT")


def _help(cls: type[Config], f: Field[Any], kind: Any) -> str:
    """What the knob does, its range and its default."""
    notes = []
    if kind in (int, float) and (allowed := range_text(f.metadata["low"], f.metadata["high"])):
        notes.append(allowed)
    if default := default_words(cls, f):
        notes.append(f"default: {default}")
    return f"{f.metadata['help']} ({'; '.join(notes)})" if notes else str(f.metadata["help"])
