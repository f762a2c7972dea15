"""Configurations as command-line options."""

from __future__ import annotations

import inspect
from typing import Any, get_args, get_origin, get_type_hints

import pytest
import typer
from typer.testing import CliRunner

import yocto.cli.app as app_module
from yocto.cli.app import make_app
from yocto.cli.options import COMMON, signature_of
from yocto.cli.table import COMMANDS, Command
from yocto.config import Config, knobs, unwrap_optional

ALL = [(command, field) for command in COMMANDS for field in knobs(command.config)]


def flag_of(name: str) -> str:
    return "--" + name.replace("_", "-")


def flags_of(command: Command) -> dict[str, Any]:
    """The options as Typer makes them: name -> click's option."""
    found: Any = typer.main.get_command(make_app())
    for word in command.name.split():
        found = found.commands[word]
    return {option.name: option for option in found.params}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_knob_and_common_flag_is_an_option_with_a_help_text(command: Command) -> None:
    options = flags_of(command)
    for field in knobs(command.config):
        option = options[field.name]
        is_positional = field.metadata["positional"]
        assert (field.name if is_positional else flag_of(field.name)) in option.opts
        assert (option.param_type_name == "argument") == is_positional
        assert option.help.startswith(field.metadata["help"])
    for name, (_, flag, _, help_text) in COMMON.items():
        if name == "as_json" and not command.json:
            assert name not in options
            continue
        assert options[name].opts == [flag]
        assert options[name].help == help_text
    extra = options.keys() - COMMON.keys() - {field.name for field in knobs(command.config)}
    assert extra <= {"help"}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_what_is_not_given_is_none(command: Command) -> None:
    assert all(p.default is None for p in signature_of(command.config).parameters.values())


@pytest.mark.parametrize(("command", "field"), ALL, ids=[f"{c.name}-{f.name}" for c, f in ALL])
def test_a_flag_reaches_its_knob_and_no_other(
    command: Command, field: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, _ = unwrap_optional(get_type_hints(command.config)[field.name])
    flag = flag_of(field.name)
    if kind is bool:
        cases = [([flag], True), (["--no-" + flag[2:]], False)]
    elif get_origin(kind) is tuple and field.metadata["positional"]:
        cases = [(["a"], ("a",)), (["a", "b", "c"], ("a", "b", "c"))]
    elif get_origin(kind) is tuple:
        cases = [([flag, "a", flag, "b"], ("a", "b"))]
    elif get_args(kind):
        cases = [([flag, value], value) for value in get_args(kind)]
    elif field.metadata["positional"]:
        cases = [(["x"], "x")]
    else:
        value = {int: 300, float: 0.05, str: "x"}[kind]
        small = {"rope_base": 1.5, "depth": 30, "beam": 3, "logprobs": 3, "prompt_lookup": 3}
        value = small.get(field.name, value)
        cases = [([flag, str(value)], value)]
    got: dict[str, Any] = {}

    def execute(command: Command, common: dict, flags: dict) -> int:
        got.update(app_module._settings(command.config, common, flags)[0])
        return 0

    monkeypatch.setattr(app_module, "_execute", execute)
    for arguments, expected in cases:
        got.clear()
        result = CliRunner().invoke(make_app(), [*command.name.split(), *arguments])
        assert result.exit_code == 0, result.output
        assert got == {field.name: expected}


def test_own_knobs_come_before_inherited_ones_and_common_flags_last() -> None:
    from yocto.config import SampleConfig

    names = list(signature_of(SampleConfig).parameters)
    assert names.index("prompt") < names.index("temperature") < names.index("as_json")


@pytest.mark.parametrize(
    ("command", "flag", "part"),
    [
        ("sample", "temperature", "from 0 to 100"),
        ("train", "n_layer", "from 1 to 1000;"),
        ("train", "max_iters", "from 1 to 1000000000;"),
        ("train", "n_kv_head", "default: n_head"),
        ("encode", "text_path", "default: the tokenizer's own corpus"),
        ("sample", "stream", "default: on"),
    ],
)
def test_help_tells_range_and_default(command: str, flag: str, part: str) -> None:
    (found,) = [c for c in COMMANDS if c.name == command]
    assert part in flags_of(found)[flag].help


def test_the_signature_takes_keywords_only() -> None:
    class Empty(Config):
        pass

    parameters = signature_of(Empty).parameters.values()
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in parameters)
