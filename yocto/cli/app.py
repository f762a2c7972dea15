"""The command line: a table of commands, each one made from its configuration dataclass.

The only layer that prints or exits. Exit status: 0 done, 1 an error that says what to do, 2 wrong
usage, 130 interrupted.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from yocto import __version__
from yocto.cli.options import COMMON, flag_of, signature_of, typed_values
from yocto.config import (
    ChatConfig,
    Config,
    EncodeConfig,
    PrepareCharConfig,
    QuickstartConfig,
    SampleConfig,
    TrainConfig,
    TrainTokenizerConfig,
    nearest,
)
from yocto.errors import ConfigError, YoctoError


@dataclass(frozen=True)
class Command:
    """One line of the table.

    render: "module:function" that prints the result. effective: "module:function" that fills in
    what the user left open, where that is more than defaults: (config, progress) -> (config, the
    sources of what it filled in).
    """

    name: str
    config: type[Config]
    help: str
    examples: tuple[str, ...]
    render: str = "yocto.cli.render:render_result"
    effective: str | None = None
    json: bool = True  # a conversation has no result to print as JSON

    @property
    def module(self) -> str:
        """Where its run function lies."""
        return "yocto.commands." + self.name.replace("-", "_")


COMMANDS = [
    Command(
        "quickstart", QuickstartConfig,
        "The whole way in a few minutes: tokenizer, training, a sample.",
        ("yocto quickstart", "yocto quickstart --text-path mybook.txt --minutes 5"),
    ),
    Command(
        "prepare-char", PrepareCharConfig,
        "Make a character vocabulary and token files of a text.",
        ("yocto prepare-char", "yocto prepare-char --text-path mybook.txt"),
    ),
    Command(
        "train-tokenizer", TrainTokenizerConfig,
        "Learn a tokenizer from a text: BPE on bytes or characters, or whole words.",
        ("yocto train-tokenizer --vocab-size 8000",
         "yocto train-tokenizer --text-path a.txt --text-path b.txt --pattern gpt4",
         "yocto train-tokenizer --kind word --out-dir data/words"),
    ),
    Command(
        "encode", EncodeConfig,
        "Make token files of a text, with a tokenizer.",
        ("yocto encode", "yocto encode --text-path mybook.txt --out-dir data/mybook"),
    ),
    Command(
        "train", TrainConfig,
        "Train a GPT on token files.",
        ("yocto train --mode token", "yocto train --mode char --minutes 2",
         "yocto train --n-layer 6 --n-embd 192 --set mlp=relu2",
         "yocto train --run-name token-1 --resume auto",
         "yocto train --preset cpu-token --show-config"),
        effective="yocto.commands.train:effective",
    ),
    Command(
        "sample", SampleConfig,
        "Let a model write.",
        ("yocto sample --top-p 0.9", 'yocto sample --prompt "Courage is" --num-samples 3'),
        "yocto.cli.render:render_samples",
    ),
    Command(
        "chat", ChatConfig,
        "Talk to a model.",
        ("yocto chat", "yocto chat --ckpt token-1 --temperature 0.5"),
        "yocto.cli.repl:run_chat",
        json=False,
    ),
]  # fmt: skip


class Group(TyperGroup):
    """Typer's group, with usage errors in the same two lines as all others."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Parse, run and exit."""
        kwargs["standalone_mode"] = False
        try:
            status = super().main(*args, **kwargs)
        except Exception as error:
            # What Typer raises for wrong usage, told by its shape: its class has no public name.
            if not hasattr(error, "format_message"):
                raise
            if type(error).__name__ == "NoArgsIsHelpError":
                error.show()  # type: ignore[attr-defined]
            else:
                _complain(*_usage(error, kwargs.get("args") or sys.argv[1:]))
            status = 2
        sys.exit(status if isinstance(status, int) else 0)


def _usage(error: Any, arguments: Sequence[str]) -> tuple[str, str]:
    """A usage error of Typer's in yocto's words: what is wrong, and the next step."""
    names = [command.name for command in COMMANDS]
    typed = next((a for a in arguments if not a.startswith("-")), "")
    path = f"yocto {typed}" if typed in names else "yocto"
    message = error.format_message().rstrip(".")
    hint = f"{path} --help lists what there is."
    near = ""
    if message.startswith("No such option"):
        option = error.option_name
        message = f"{path} has no option {option}"
        known = [name.lstrip("-") for name in getattr(error, "possibilities", None) or ()]
        near = nearest(option.lstrip("-"), known)
        near = near and f"--{near}"
    elif message.startswith("No such command"):
        message = f"yocto has no command {typed!r}"
        near = nearest(typed, names)
        near = near and f"yocto {near}"
    elif "extra argument" in message:
        extra = message.partition("(")[2].rpartition("(")[2].rstrip(")")
        message = f"{path} takes options only, and {extra!r} is none"
    else:
        message = f"{path}: {message[:1].lower()}{message[1:]}"
    return f"error: {message}", f"Did you mean {near}? {hint}" if near else hint


def make_app() -> typer.Typer:
    """The Typer app, made from the table."""
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
    for command in COMMANDS:
        examples = "\n".join(f"  {example}" for example in command.examples)
        text = f"{command.help}\n\n\b\nExamples:\n{examples}"
        app.command(command.name, help=text, short_help=command.help)(_function(command))
    return app


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
            stream.reconfigure(errors="replace")  # where the encoding lacks what a model writes
    make_app()()


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
        status = _guarded(lambda: _execute(command, common, flags), bool(common["debug"]))
        if status:
            raise typer.Exit(status)

    signature = signature_of(command.config, common_options)
    function.__signature__ = signature  # type: ignore[attr-defined]
    function.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
    function.__name__ = command.name.replace("-", "_")
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
        values.update(found)
        sources.update(dict.fromkeys(found, source))

    if common["config_file"] or common["assignments"]:
        from yocto.utils.settings import parse_assignments, read_settings

        if file := common["config_file"]:
            take(config.checked(read_settings(Path(file)), file), file)
        take(config.checked(parse_assignments(common["assignments"] or []), "--set"), "--set")
    take(config.checked(typed_values(config, flags), spelt=flag_of), "flag")
    return values, sources


def _guarded(execute: Callable[[], int], debug: bool) -> int:
    """Run, and turn what goes wrong into a message and an exit status."""
    try:
        return execute()
    except KeyboardInterrupt:
        _complain("interrupted")
        return 130
    except BrokenPipeError:
        # The reader went away (`| head`); point stdout elsewhere, so that exiting stays silent.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        known = _explained(error)
        if known is None:
            raise
        if debug:
            traceback.print_exc()
        _complain(f"error: {known.message}", known.hint)
        return 2 if isinstance(known, ConfigError) else 1


def _explained(error: Exception) -> YoctoError | None:
    """An error as one with a next step; None for a fault of yocto's own."""
    if isinstance(error, YoctoError):
        return error
    if isinstance(error, OSError):
        from yocto.utils.files import disk_advice

        place = f"{error.filename}: " if error.filename else ""
        return YoctoError(f"{place}{error.strerror or error}", disk_advice(error))
    # torch's own out-of-memory errors, by name: importing torch here would slow every command.
    if (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))
    ):
        return YoctoError(
            "out of memory", "Lower --batch-size or --block-size, or choose a smaller model."
        )
    return None


def _complain(message: str, hint: str = "") -> None:
    from rich.console import Console

    from yocto.utils.text import without_control

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    # One line each, whatever a file's name or another library's message holds.
    for text, style in ((message, "red"), (hint, "")):
        if text:
            line = without_control(" ".join(text.splitlines()))
            console.print(line, style=style, markup=False, emoji=False)
