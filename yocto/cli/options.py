"""A configuration dataclass becomes the options of a command."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import fields
from typing import Annotated, Any, Literal, Optional, get_args, get_origin, get_type_hints

import typer

from yocto.config import Config, knobs, range_text, unwrap_optional

# On every command, after its own: name -> (type, flag, what it takes, help).
COMMON: dict[str, tuple[Any, str, str | None, str]] = {
    "config_file": (str, "--config", "FILE", "Read settings from a .yaml, .toml or .json file."),
    "assignments": (list[str], "--set", "KEY=VALUE", "Set any knob; repeat it for several."),
    "as_json": (bool, "--json", None, "Print the result as JSON on standard output."),
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


def _knob_parameter(name: str, hint: Any, default: Any, metadata: Any) -> inspect.Parameter:
    kind, _ = unwrap_optional(hint)
    flag = "--" + name.replace("_", "-")
    if kind is bool:
        flag = f"{flag}/--no-{name.replace('_', '-')}"
    if get_origin(kind) is tuple:
        kind = list[str]
    option = typer.Option(
        flag, help=_help(kind, default, metadata), show_default=False, metavar=_metavar(kind)
    )
    return _parameter(name, Annotated[Optional[kind], option])  # noqa: UP045


def _parameter(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
    )


def _metavar(kind: Any) -> str | None:
    if get_origin(kind) is Literal:
        return "|".join(map(str, get_args(kind)))
    return {int: "INT", float: "FLOAT", str: "TEXT", list[str]: "TEXT"}.get(kind)


def _help(kind: Any, default: Any, metadata: Any) -> str:
    """What the knob does, its range and its default."""
    if kind is bool and default is not None:
        return f"{metadata['help']} (default: on)" if default else str(metadata["help"])
    notes = []
    low, high = metadata["low"], metadata["high"]
    if high is not None and high > 1e5:
        high = None  # such an end only guards against nonsense
    if allowed := range_text(low, high):
        notes.append(allowed)
    shown = metadata["default_text"] or (
        " ".join(default) if isinstance(default, tuple) else default
    )
    if shown not in ("", None):
        notes.append(f"default: {shown}")
    return f"{metadata['help']} ({'; '.join(notes)})" if notes else str(metadata["help"])
