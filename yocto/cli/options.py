"""A configuration dataclass becomes the options of a command.

Typer hands every value on as the text that was typed. What it may be is decided in one place, the
configuration, so that a wrong flag, a wrong `--set` and a wrong line in a file read alike.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Annotated, Any, Literal, Optional, get_args, get_origin, get_type_hints

import typer

from yocto.config import Config, knobs, range_text, unwrap_optional

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
    parameters = [_knob_parameter(f.name, hints[f.name], f.default, f.metadata) for f in own_first]
    for name in common:
        kind, flag, metavar, help_text = COMMON[name]
        option = typer.Option(flag, help=help_text, show_default=False, metavar=metavar)
        parameters.append(_parameter(name, Annotated[Optional[kind], option]))  # noqa: UP045
    return inspect.Signature(parameters)


def flag_of(name: str) -> str:
    """A knob as it is typed: n_layer -> --n-layer."""
    return "--" + name.replace("_", "-")


def typed_values(cls: type[Config], flags: Mapping[str, Any]) -> dict[str, Any]:
    """What the user typed, as values; Typer's None and [] stand for nothing typed. A text that
    can't be read as what its knob takes stays a text, for the configuration to refuse."""
    hints = get_type_hints(cls)
    return {
        name: _read(unwrap_optional(hints[name]), value)
        for name, value in flags.items()
        if value not in (None, [])
    }


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


def _knob_parameter(name: str, hint: Any, default: Any, metadata: Any) -> inspect.Parameter:
    kind, _ = unwrap_optional(hint)
    flag = flag_of(name)
    if kind is bool:
        flag = f"{flag}/--no-{name.replace('_', '-')}"
    option = typer.Option(
        flag, help=_help(kind, default, metadata), show_default=False, metavar=_metavar(kind)
    )
    typed = bool if kind is bool else list[str] if get_origin(kind) is tuple else str
    return _parameter(name, Annotated[Optional[typed], option])  # noqa: UP045


def _parameter(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
    )


def _metavar(kind: Any) -> str | None:
    if get_origin(kind) is Literal:
        return "|".join(map(str, get_args(kind)))
    return {int: "INT", float: "FLOAT", bool: None}.get(kind, "TEXT")


def _help(kind: Any, default: Any, metadata: Any) -> str:
    """What the knob does, its range and its default."""
    if kind is bool and default is not None:
        return f"{metadata['help']} (default: {'on' if default else 'off'})"
    notes = []
    low, high = metadata["low"], metadata["high"]
    if kind in (int, float) and (allowed := range_text(low, high)):
        notes.append(allowed)
    shown = metadata["default_text"] or (
        " ".join(default) if isinstance(default, tuple) else default
    )
    if shown not in ("", None):
        notes.append(f"default: {shown}")
    return f"{metadata['help']} ({'; '.join(notes)})" if notes else str(metadata["help"])
