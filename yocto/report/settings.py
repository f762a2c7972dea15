"""A run's settings, those that are no defaults first, and as flags that are typed."""

from __future__ import annotations

import json
import shlex
from typing import Any

from yocto.config import CHAT, Config, FinetuneConfig, TrainConfig, knobs, scaled
from yocto.errors import ConfigError
from yocto.report.source import Source
from yocto.utils.settings import load_preset

# What says which run it is and how it was begun, and not how it was trained; minutes and epochs
# count in steps: max_iters.
WHICH = ("run_name", "ckpt_dir", "resume", "overwrite", "minutes", "epochs", "dry_run", "nproc")
_NOT_SHOWN = ("run_name", "ckpt_dir", "resume", "overwrite", "dry_run", "mode")


def differing(source: Source) -> list[tuple[str, Any, Any]]:
    """Name, value and default of the settings that are not what they would be by themselves; what
    a preset or the depth decides is a default."""
    defaults = defaults_of(source)
    return [
        (name, value, defaults.get(name))
        for name, value in source.settings.items()
        if name not in _NOT_SHOWN and value != defaults.get(name)
    ]


def every(source: Source) -> list[tuple[str, Any]]:
    """Name and value of all settings."""
    return [(k, v) for k, v in source.settings.items() if k not in _NOT_SHOWN]


def defaults_of(source: Source) -> dict[str, Any]:
    """The settings of a run of this kind with nothing set but its preset or its depth."""
    cls: type[Config] = FinetuneConfig if source.mode == CHAT else TrainConfig
    if source.history.imported:
        return {}
    defaults = {f.name: f.default for f in knobs(cls)}
    # As JSON has them, in which there are no tuples.
    defaults = {k: list(v) if isinstance(v, tuple) else v for k, v in defaults.items()}
    preset, depth = source.settings.get("preset"), source.settings.get("depth")
    try:
        if type(depth) is int:
            return {**defaults, **scaled(depth)}
        if isinstance(preset, str):
            return {**defaults, **load_preset(preset)}
    except (ConfigError, ValueError, ArithmeticError):  # of a yocto that knew another one
        pass
    return defaults


def flags(values: dict[str, Any], defaults: dict[str, Any], skip: tuple[str, ...]) -> list[str]:
    """What is typed for the values that are no defaults."""
    typed = []
    for name, value in values.items():
        if name in skip or value == defaults.get(name):
            continue
        typed += flag(name, value)
    return typed


def flag(name: str, value: Any) -> list[str]:
    """A setting as it is typed, quoted for a shell."""
    typed = shlex.quote("--" + name.replace("_", "-"))
    if isinstance(value, bool):
        return [typed if value else typed.replace("--", "--no-", 1)]
    if isinstance(value, list | tuple):
        return [word for one in value for word in (typed, shlex.quote(str(one)))]
    return [typed, "off" if value is None else shlex.quote(str(value))]


def left_out(source: Source) -> dict[str, str]:
    """What it means that a setting is None, in words."""
    cls: type[Config] = FinetuneConfig if source.mode == CHAT else TrainConfig
    return {f.name: f.metadata["default_text"] or "off" for f in knobs(cls)}


def value_text(value: Any, none: str = "off") -> str:
    """A setting's value as one reads it. none: what None stands for."""
    if value is None:
        return none
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10000 else str(value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False) if value != [] else "none"
