"""The command line: a table of commands, each one made from its configuration dataclass.

The only layer that prints or exits. Exit status: 0 done, 1 an error that says what to do, 2 wrong
usage, 130 interrupted.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from yocto import __version__
from yocto.cli.options import COMMON, signature_of
from yocto.config import (
    ChatConfig,
    Config,
    EncodeConfig,
    PrepareCharConfig,
    QuickstartConfig,
    SampleConfig,
    TrainConfig,
    TrainTokenizerConfig,
)
from yocto.errors import ConfigError, YoctoError


@dataclass(frozen=True)
class Command:
    """One line of the table. render: "module:function" that prints the result."""

    name: str
    config: type[Config]
    help: str
    examples: tuple[str, ...]
    render: str = "yocto.cli.render:render_result"
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
        "Learn a byte-level BPE tokenizer from a text.",
        ("yocto train-tokenizer --vocab-size 8000",
         "yocto train-tokenizer --text-path a.txt --text-path b.txt --pattern gpt4"),
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
         "yocto train --run-name token-1 --resume auto"),
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


def make_app() -> typer.Typer:
    """The Typer app, made from the table."""
    app = typer.Typer(
        name="yocto",
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
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(f"yocto {__version__}")
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

    try:
        config = command.config.from_dict(_settings(common, flags))
    except ConfigError as error:
        _complain(f"error: {error.message}", error.hint)
        return 2
    result = import_module(command.module).run(config, make_progress())
    module, _, name = command.render.partition(":")
    getattr(import_module(module), name)(result, bool(common["as_json"]))
    status: int = getattr(result, "exit_code", 0)
    return status


def _settings(common: dict[str, Any], flags: dict[str, Any]) -> dict[str, Any]:
    """What the user set: flags over --set over --config."""
    values: dict[str, Any] = {}
    if common["config_file"] or common["assignments"]:
        from yocto.utils.settings import parse_assignments, read_settings

        if common["config_file"]:
            values |= read_settings(Path(common["config_file"]))
        values |= parse_assignments(common["assignments"] or [])
    return values | {name: value for name, value in flags.items() if value not in (None, [])}


def _guarded(execute: Callable[[], int], debug: bool) -> int:
    """Run, and turn what goes wrong into a message and an exit status."""
    try:
        return execute()
    except YoctoError as error:
        if debug:
            traceback.print_exc()
        _complain(f"error: {error.message}", error.hint)
        return 1
    except KeyboardInterrupt:
        _complain("interrupted")
        return 130
    except BrokenPipeError:
        # The reader went away (`| head`); point stdout elsewhere, so that exiting stays silent.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if debug:
            traceback.print_exc()
        place = f"{error.filename}: " if error.filename else ""
        _complain(f"error: {place}{error.strerror or error}", "Look at that place, or use another.")
        return 1
    except MemoryError:
        return _out_of_memory(debug)
    except RuntimeError as error:
        # torch's own out-of-memory errors, by name: importing torch here would slow every command.
        if type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error):
            return _out_of_memory(debug)
        raise


def _out_of_memory(debug: bool) -> int:
    if debug:
        traceback.print_exc()
    _complain(
        "error: out of memory", "Lower --batch-size or --block-size, or choose a smaller model."
    )
    return 1


def _complain(message: str, hint: str = "") -> None:
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(message, style="red", markup=False)
    if hint:
        console.print(hint, markup=False)
