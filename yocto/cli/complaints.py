"""What goes wrong, as one line, the next step as another, and the exit status.

1 an error that says what to do, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from yocto.cli.options import flag_of
from yocto.cli.table import COMMANDS, GROUPS
from yocto.config import knobs, nearest
from yocto.errors import ConfigError, YoctoError


def guarded(execute: Callable[[], int], debug: bool) -> int:
    """Run, and turn what goes wrong into a message and an exit status."""
    try:
        return execute()
    except KeyboardInterrupt:
        complain("interrupted")
        return 130
    except BrokenPipeError:
        _drop_output()  # the reader went away (`| head`)
        return 0
    except Exception as error:
        known = _explained(error)
        if known is None:
            raise
        if debug:
            traceback.print_exc()
        if isinstance(error, OSError) and error.filename is None:  # standard output's disk is full
            _drop_output()
        complain(f"error: {known.message}", known.hint)
        return 2 if isinstance(known, ConfigError) else 1


def _drop_output() -> None:
    """Point standard output elsewhere, so that Python's last flush stays silent."""
    with suppress(OSError, ValueError):  # where it is no real file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def usage_error(error: Any, arguments: Sequence[str]) -> tuple[str, str]:
    """A usage error of Typer's in yocto's words: what is wrong, and the next step."""
    names = [command.name for command in COMMANDS]
    words = [a for a in arguments if not a.startswith("-")]
    heads = [" ".join(words[:n]) for n in (2, 1)]
    typed = next((head for head in heads if head in names), "")
    context = getattr(error, "ctx", None)
    inside = _inside(context) if context else typed
    path = f"yocto {inside}".rstrip()
    message = error.format_message().rstrip(".")
    hint = f"{path} --help lists what there is."
    near = ""
    if message.startswith("No such option"):
        option = error.option_name
        message = f"{path} has no option {option}"
        if typed not in ("", inside) and inside in ("", *GROUPS):
            return f"error: {message}", f"Options go behind the command: yocto {typed} {option}"
        known = [name.lstrip("-") for name in getattr(error, "possibilities", None) or ()]
        flags = {c.name: [flag_of(f.name) for f in knobs(c.config) if not f.metadata["positional"]]
                 for c in COMMANDS}  # fmt: skip
        owners = [name for name, own in flags.items() if option in own]
        if owners:
            return f"error: {message}", f"It belongs to yocto {', '.join(owners)}. {hint}"
        near = nearest(option.lstrip("-"), known)
        near = near and f"--{near}"
    elif message.startswith("No such command"):
        wrong = next(iter(words[len(inside.split()) :]), "")
        message = f"{path} has no command {wrong!r}"
        others = [name for name in (*names, *GROUPS) if name != inside]
        near = nearest(f"{inside} {wrong}".strip(), others)
        near = near and f"yocto {near}"
    elif extra := re.search(r"extra arguments?(?:\(s\))? \((.*)\)$", message, re.DOTALL):
        message = f"{path} takes options only, and {extra[1]!r} is none"
    else:
        message = f"{path}: {message[:1].lower()}{message[1:]}"
    return f"error: {message}", f"Did you mean {near}? {hint}" if near else hint


def _inside(context: Any) -> str:
    """The command or group that was reached, however yocto itself was called."""
    names: list[str] = []
    while context.parent is not None:
        names.insert(0, context.info_name)
        context = context.parent
    return " ".join(names)


def _explained(error: Exception) -> YoctoError | None:
    """An error as one with a next step; None for a fault of yocto's own."""
    if isinstance(error, YoctoError):
        return error
    if isinstance(error, OSError):
        from yocto.utils.files import disk_advice

        place = f"{error.filename}: " if error.filename else ""
        return YoctoError(f"{place}{error.strerror or error}", disk_advice(error))
    # torch's own out-of-memory errors, by name: importing torch here would slow every command.
    # Where memory is too little for torch itself, its libraries can't be mapped.
    signs = r"DefaultCPUAllocator|out of memory|failed to map segment|[Cc]annot allocate memory"
    if (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError | ImportError) and re.search(signs, str(error)))
    ):
        return YoctoError(
            "out of memory",
            "Close other programs, or choose a smaller model, --batch-size or --block-size.",
        )
    return None


def complain(message: str, hint: str = "") -> None:
    """Print what is wrong, and what to do, on standard error."""
    from rich.console import Console

    from yocto.utils.text import without_control

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    # One line each, whatever a file's name or another library's message holds.
    for text, style in ((message, "red"), (hint, "")):
        if text:
            line = without_control(" ".join(text.splitlines()))
            console.print(line, style=style, markup=False, emoji=False)
