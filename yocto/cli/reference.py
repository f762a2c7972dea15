"""The reference of all commands, docs/commands.md: made from the table of commands and their knobs.

python -m yocto.cli.reference > docs/commands.md
"""

from __future__ import annotations

import re
from dataclasses import Field
from typing import Any, get_type_hints

from yocto.cli.options import COMMON, flag_of, typed_name
from yocto.cli.table import COMMANDS, Command
from yocto.config import Config, default_words, knobs, takes, unwrap_optional

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
    rows = [_row(command.config, f, hints[f.name]) for f in knobs(command.config)]
    return "\n".join(
        [f"## yocto {command.name}", "", command.help, "", "```sh", *command.examples, "```", "",
         "| flag | takes | default | what it is |", "|---|---|---|---|", *rows, ""]
    )  # fmt: skip


def _row(cls: type[Config], f: Field[Any], hint: Any) -> str:
    kind, _ = unwrap_optional(hint)
    flag = f"`{typed_name(cls, f.name)}`"
    if kind is bool:
        flag += f", `{flag_of('no_' + f.name)}`"
    default = default_words(cls, f)
    if default and not f.metadata["default_text"] and kind is not bool:
        default = f"`{default}`" if f.name not in cls.from_preset else default
    cells = [flag, takes(f, hint) if kind is not bool else "", default or "none"]
    plain = [re.sub(r"(?<!`)<(?!`)", r"\\<", cell) for cell in (*cells[2:], f.metadata["help"])]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in (*cells[:2], *plain)) + " |"


if __name__ == "__main__":
    print(reference(), end="")
