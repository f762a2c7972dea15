"""Results on standard output: lines for people, or JSON."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Any

from yocto.utils.text import without_control

if TYPE_CHECKING:
    from yocto.commands.sample import Samples


def render_result(result: Any, as_json: bool) -> None:
    """Print what a command returned."""
    if as_json:
        print_json(dataclasses.asdict(result))
    else:
        for line in result.summary():
            write(line + "\n")


def render_samples(result: Samples, as_json: bool) -> None:
    """Print texts while they are made, a line of dashes between two."""
    if as_json:
        texts = [result.prompt + "".join(pieces) for pieces in result.texts]
        print_json({"checkpoint": result.checkpoint, "samples": texts})
        return
    for number, pieces in enumerate(result.texts):
        if number:
            print("-" * 20)
        write(result.prompt)
        if result.stream:
            for piece in pieces:
                write(piece)
        else:
            write("".join(pieces))
        print(flush=True)


def write(text: str) -> None:
    """Write text at once, without what a terminal would obey."""
    sys.stdout.write(without_control(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def print_json(value: Any) -> None:
    """One JSON value on standard output."""
    print(json.dumps(value, ensure_ascii=False, indent=2))
