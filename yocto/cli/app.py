"""The command line: a table of commands, each one made from its configuration dataclass.

The only layer that prints or exits. Exit status: 0 done, 1 an error that says what to do, 2 wrong
usage, 130 interrupted.
"""

from __future__ import annotations

import inspect
import io
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from yocto import __version__
from yocto.cli.complaints import complain, guarded, usage_error
from yocto.cli.options import (
    COMMON,
    flag_of,
    signature_of,
    takes_text,
    typed_name,
    typed_values,
)
from yocto.cli.table import COMMANDS, GROUPS, Command
from yocto.config import Config, knobs
from yocto.errors import ConfigError


class Group(TyperGroup):
    """Typer's group, with usage errors in the same two lines as all others."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Parse, run and exit."""
        sys.exit(guarded(lambda: self._status(*args, **kwargs), debug=False))

    def _status(self, *args: Any, **kwargs: Any) -> int:
        try:
            status = super().main(*args, **{**kwargs, "standalone_mode": False})
        except Exception as error:
            # What Typer raises for wrong usage, told by its shape: its class has no public name.
            if not hasattr(error, "format_message"):
                raise
            if type(error).__name__ == "NoArgsIsHelpError":
                error.show()  # type: ignore[attr-defined]
            else:
                complain(*usage_error(error, kwargs.get("args") or sys.argv[1:]))
            return 2
        sys.stdout.flush()  # here, where a full disk can still be told
        return status if isinstance(status, int) else 0


def make_app(commands: Sequence[Command] = COMMANDS) -> typer.Typer:
    """The Typer app, made from the table, or from some of its lines."""
    app = typer.Typer(
        name="yocto",
        cls=Group,
        help="From raw text to a small language model that you can talk to.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_version)
    groups = {}
    for name, text in GROUPS.items():
        groups[name] = typer.Typer(help=text, no_args_is_help=True, rich_markup_mode=None)
        app.add_typer(groups[name], name=name)
    for command in commands:
        *group, name = command.name.split()
        examples = "\n".join(f"  {example}" for example in command.examples)
        text = f"{command.help}\n\n\b\nExamples:\n{examples}"
        function = _function(command)
        if name in groups and not group:
            register = groups[name].callback(
                help=text, short_help=command.help, no_args_is_help=False,
                invoke_without_command=True,
            )  # fmt: skip
            register(_unless_followed(command, function))
        else:
            place = groups[group[0]] if group else app
            place.command(name, help=text, short_help=command.help)(function)
    return app


def _unless_followed(command: Command, function: Callable[..., None]) -> Callable[..., None]:
    """What a group does by itself; Typer calls it before each of its commands too."""

    def alone(context: typer.Context, **flags: Any) -> None:
        follower = context.invoked_subcommand
        if follower is None:
            function(**flags)
        elif given := [name for name, value in flags.items() if value not in (None, [])]:
            flag = COMMON[given[0]][1] if given[0] in COMMON else flag_of(given[0])
            path = f"yocto {command.name}"
            complain(
                f"error: {path} takes no options before {follower}",
                f"Options go behind the command: {path} {follower} {flag}",
            )
            raise typer.Exit(2)

    own = inspect.signature(function)
    first = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    signature = own.replace(parameters=[first, *own.parameters.values()])
    alone.__signature__ = signature  # type: ignore[attr-defined]
    alone.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
    alone.__name__ = function.__name__
    return alone


def main() -> None:
    """The entry point of `yocto`."""
    # GNU OpenMP, under torch, lets a thread that waits for the others spin for milliseconds. When
    # another program needs a core, small training steps then take four times as long.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by whoever started yocto, as a daemon's are
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 (kept open)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal may lack what a model writes; files and pipes are UTF-8 on any system.
            encoding = stream.encoding if stream.isatty() else "utf-8"
            stream.reconfigure(encoding=encoding, errors="replace")
    # Making the options of all commands takes a tenth of a second; mostly one is wanted.
    typed = [c for c in COMMANDS if [c.name] == sys.argv[1:2] and c.name not in GROUPS]
    make_app(typed or COMMANDS)()


def _version(
    version: Annotated[
        bool, typer.Option("--version", help="Print the versions, the device and its threads.")
    ] = False,
) -> None:
    if version:
        from yocto.cli.render import render_version

        render_version(__version__)
        raise typer.Exit


def _function(command: Command) -> Callable[..., None]:
    """The function that Typer calls; its signature is the configuration's."""

    common_options = [name for name in COMMON if command.json or name != "as_json"]

    def function(**flags: Any) -> None:
        common = {name: flags.pop(name, None) for name in COMMON}
        status = guarded(lambda: _execute(command, common, flags), bool(common["debug"]))
        if status:
            raise typer.Exit(status)

    signature = signature_of(command.config, common_options)
    function.__signature__ = signature  # type: ignore[attr-defined]
    function.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
    function.__name__ = command.identifier
    return function


def _execute(command: Command, common: dict[str, Any], flags: dict[str, Any]) -> int:
    """Run a command and print its result; returns the exit status."""
    from yocto.cli.progress import make_progress

    values, sources = _settings(command.config, common, flags)
    config = command.config.from_dict(values)
    progress = make_progress(bool(common["quiet"]))
    as_json = bool(common["as_json"])
    if common["show_config"]:
        from yocto.cli.render import render_config

        if command.effective:
            config, filled = _named(command.effective)(config, progress)
            sources = filled | sources
        render_config(config, sources, as_json)
        return 0
    result = import_module(command.module).run(config, progress)
    if result is None:  # of a process that helps another one, which tells the result
        return 0
    _named(command.render)(result, as_json)
    status: int = getattr(result, "exit_code", 0)
    return status


def _named(place: str) -> Any:
    """What "module:name" names."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def _settings(
    config: type[Config], common: dict[str, Any], flags: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """What the user set, checked: flags over --set over --config; and where each comes from."""
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}

    def take(found: dict[str, Any], source: str) -> None:
        for pair in config.alternatives:
            named = [name for name in pair if found.get(name) is not None]
            if len(named) == 2:
                one, other = map(flag_of, pair)
                raise ConfigError(
                    f"{source}: {pair[0]} and {pair[1]} say the same in two ways",
                    f"Give {one} or {other}, not both.",
                )
            for name in pair if named else ():
                values.pop(name, None)
                sources.pop(name, None)
        values.update(found)
        sources.update(dict.fromkeys(found, source))

    if common["config_file"] or common["assignments"]:
        from yocto.utils.settings import parse_assignments, read_settings

        if file := common["config_file"]:
            take(config.checked(read_settings(Path(file)), file), file)
        texts = [f.name for f in knobs(config) if takes_text(config, f.name)]
        found = parse_assignments(common["assignments"] or [], texts)
        take(config.checked(found, "--set"), "--set")
    take(config.checked(typed_values(config, flags), spelt=partial(typed_name, config)), "flag")
    return values, sources
