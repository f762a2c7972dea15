"""The reference of all commands, docs/commands.md: made from the table of commands and their knobs.

python -m yocto.cli.reference > docs/commands.md
"""

from __future__ import annotations

from dataclasses import Field
from typing import Any, get_type_hints

from yocto.cli.options import COMMON, flag_of
from yocto.cli.table import COMMANDS, Command
from yocto.config import knobs, takes, unwrap_optional

HEAD = """\
# All commands

Made by `python -m yocto.cli.reference > docs/commands.md`; a test keeps it true. Every setting can
stand on the command line (`--n-layer 6`), behind `--set` (`--set n_layer=6`) or in a file for
`--config` (`n_layer: 6`): flags win over `--set`, that over the file, and the file over a preset.
`--show-config` prints what would count, in the format that `--config` reads, and where each value
comes from.
"""


def reference() -> str:
    """The whole page in Markdown."""
    parts = [HEAD, _common(), *map(_command, COMMANDS)]
    return "\n".join(parts)


def _common() -> str:
    rows = [
        f"| `{flag}{f' {metavar}' if metavar else ''}` | {text} |"
        for _, flag, metavar, text in COMMON.values()
    ]
    return "\n".join(
        ["## Every command", "", "| flag | what it does |", "|---|---|", *rows,
         "| `-h`, `--help` | Show the command's help. |", "",
         "`yocto --version` prints the versions of yocto, Python and torch, the device and its",
         "threads. Exit status: 0 done, 1 an error that says what to do, 2 wrong usage, 130",
         "interrupted.", ""]
    )  # fmt: skip


def _command(command: Command) -> str:
    hints = get_type_hints(command.config)
    rows = [_row(f, hints[f.name]) for f in knobs(command.config)]
    return "\n".join(
        [f"## yocto {command.name}", "", command.help, "", "```sh", *command.examples, "```", "",
         "| flag | takes | default | what it is |", "|---|---|---|---|", *rows, ""]
    )  # fmt: skip


def _row(f: Field[Any], hint: Any) -> str:
    kind, _ = unwrap_optional(hint)
    flag = f"`{flag_of(f.name)}`"
    if kind is bool:
        flag += f", `{flag_of('no_' + f.name)}`"
    default = f.default
    if isinstance(default, tuple):
        default = " ".join(default)
    if isinstance(default, bool):
        default = "on" if default else "off"
    shown = f.metadata["default_text"] or (f"`{default}`" if default not in (None, "") else "none")
    cells = [flag, takes(f, hint) if kind is not bool else "", shown, f.metadata["help"]]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    print(reference(), end="")
