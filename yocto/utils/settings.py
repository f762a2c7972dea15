"""Settings from presets, from files, and from KEY=VALUE texts."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import yaml

from yocto.config import nearest
from yocto.errors import ConfigError

PRESETS = Path(__file__).parent.parent / "presets"


def preset_names() -> list[str]:
    """The presets in the package."""
    return sorted(file.stem for file in PRESETS.glob("*.yaml"))


def load_preset(name: str) -> dict[str, Any]:
    """The values of a preset. Raises ConfigError, which names the nearest one."""
    names = preset_names()
    if name not in names:
        close = nearest(name, names)
        hint = f"Did you mean {close!r}?" if close else "Presets: " + ", ".join(names)
        raise ConfigError(f"there is no preset {name!r}", hint)
    return read_settings(PRESETS / f"{name}.yaml")


def read_settings(path: Path) -> dict[str, Any]:
    """The settings in a .yaml, .toml or .json file: a flat table of knobs.

    Dashes in keys are taken as underscores. Raises ConfigError, which names the file and the fault.
    """
    hint = "A settings file is a flat table of knobs, in .yaml, .toml or .json."
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"can't read {path}: {error.strerror or error}", hint) from error
    try:
        text = data.decode("utf-8")
        if path.suffix.lower() == ".toml":
            content: Any = tomllib.loads(text)
        elif path.suffix.lower() == ".json":
            content = json.loads(text)
        elif path.suffix.lower() in (".yaml", ".yml"):
            content = _read_yaml(text)
        else:
            raise ConfigError(f"{path} is no .yaml, .toml or .json file", hint)
        if content is None:
            return {}
        if not isinstance(content, dict):
            raise ConfigError(f"{path} holds no table of settings", hint)
        return {str(key).replace("-", "_"): value for key, value in content.items()}
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        what = " ".join(str(error).split())
        raise ConfigError(f"{path} can't be read as {path.suffix[1:]}: {what}", hint) from error


def parse_assignments(assignments: Sequence[str], texts: Collection[str] = ()) -> dict[str, Any]:
    """KEY=VALUE texts as settings; values are read as YAML: 6 a number, true a truth.

    texts: keys that take a text, whose values are taken as they are: run_name=2024.
    """
    values = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set {assignment!r} is not KEY=VALUE", "Like --set n_layer=6.")
        name, value = key.strip().replace("-", "_"), _value(text)
        as_it_is = name in texts and isinstance(value, bool | int | float) and value is not False
        values[name] = text.strip() if as_it_is else value
    return values


def settings_line(name: str, value: Any) -> str:
    """A setting as a line of a .yaml file."""
    if isinstance(value, str | list):  # JSON's texts and lists are YAML too, and on one line
        text = value if isinstance(value, str) else ""
        if re.fullmatch(r"[A-Za-z][\w./-]*", text) and yaml.safe_load(text) == text:
            return f"{name}: {text}"
        return f"{name}: {json.dumps(value, ensure_ascii=False)}"
    return str(yaml.safe_dump({name: value})).strip()


class _Loader(yaml.SafeLoader):
    """YAML as flat as settings are: a list of aliases of lists of aliases grows to gigabytes, and
    lists in lists by the hundred take seconds each."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """The next node, with all that is in it."""
        alias = self.check_event(yaml.AliasEvent)
        self.depth += 1
        if self.depth > 20:
            raise yaml.YAMLError("it is nested too deeply")
        node = super().compose_node(parent, index)
        self.depth -= 1
        if alias and not isinstance(node, yaml.ScalarNode):
            raise yaml.YAMLError("an alias stands for a list or a table")
        return node


# YAML 1.1 takes 1e-3, without a dot, for a text; here it is a number, but where it is quoted.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def _read_yaml(text: str) -> Any:
    """YAML as a value. Raises ValueError, RecursionError or YAMLError."""
    try:
        return yaml.load(text, _Loader)
    except (LookupError, AttributeError, ArithmeticError) as error:
        # PyYAML's own slips over values that don't fit their tags, such as !!int "" or !!bool 7.
        raise ValueError(f"a value does not fit its tag ({error})") from error


def _value(text: str) -> Any:
    try:
        value = _read_yaml(text)
    except (ValueError, RecursionError, yaml.YAMLError):
        return text
    # A date or a time of day is nothing that a knob takes; 2024-11-21 may well be a run's name.
    return value if isinstance(value, int | float | str | list | None) else text
