"""Results on standard output: lines for people, or JSON."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from yocto.config import Config
from yocto.errors import ConfigError
from yocto.utils.text import without_control

if TYPE_CHECKING:
    from yocto.commands.sample import Sample, Samples


def render_result(result: Any, as_json: bool) -> None:
    """Print what a command returned."""
    if as_json:
        print_json(dataclasses.asdict(result))
    else:
        for line in result.summary():
            write(line + "\n")


def render_samples(result: Samples, as_json: bool) -> None:
    """Print texts, a single one while it is made, others when they are whole, with a line of dashes
    between two. Ctrl-C keeps what came."""
    if result.config.logprobs is not None and not as_json:
        raise ConfigError("logprobs are told as JSON only", "Add --json, or leave out --logprobs.")
    if as_json:
        result.logprobs = result.logprobs or 0  # those of the tokens that were chosen, at least
        try:
            for _ in result.whole():
                pass
        except KeyboardInterrupt:
            print_json(result.to_json())
            raise
        print_json(result.to_json())
    elif result.streams:
        _stream(result)
    else:
        _write_whole(result)


def _stream(result: Samples) -> None:
    pieces, shown = result.pieces(), 0
    write(result.prompts[0].text)
    try:
        for piece in pieces:
            write(piece)
            shown += len(piece)
    except KeyboardInterrupt:
        for sample in result.rest(0):
            write(f"{sample.completion.text[shown:]}\n")
        raise
    print(flush=True)


def _write_whole(result: Samples) -> None:
    printed = 0

    def show(sample: Sample) -> None:
        nonlocal printed
        printed += 1
        if printed > 1:
            print("-" * 20)
        write(f"{sample.prompt}{sample.completion.text}\n")

    try:
        for sample in result.whole():
            show(sample)
    except KeyboardInterrupt:
        for sample in result.rest(printed):
            show(sample)
        raise


def render_config(config: Config, sources: Mapping[str, str], as_json: bool) -> None:
    """Print settings in the format that --config reads; a comment tells where each comes from."""
    from yocto.utils.settings import settings_line  # it reads YAML, which takes long to import

    values = _what_counts(config)
    if as_json:
        print_json(values)
        return
    lines = [(settings_line(name, value), name) for name, value in values.items()]
    width = min(40, max(len(line) for line, _ in lines))
    for line, name in lines:
        write(f"{line:<{width}}  # {sources.get(name, 'default')}\n")


def _what_counts(config: Config) -> dict[str, Any]:
    """The settings; of those that say the same thing only the one that says it, so that they can be
    read back."""
    values = config.to_dict()
    for names in _groups(config.alternatives):
        said = [name for name in names if values[name] is not None]
        given = [name for name in said if name in config.given]
        survivor = (given or said or names[-1:])[0]
        for name in names:
            if name != survivor:
                del values[name]
    return values


def _groups(pairs: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Names in groups, where pairs tell which say the same; each in the order of the pairs."""
    groups: list[list[str]] = []
    for pair in pairs:
        joined = [group for group in groups if set(group) & set(pair)]
        groups = [group for group in groups if group not in joined]
        groups.append(list(dict.fromkeys([name for group in [*joined, pair] for name in group])))
    return groups


def render_version(version: str) -> None:
    """Print what a report of a fault should name."""
    import platform

    import torch

    from yocto.utils.device import describe_device, pick_device

    write(f"yocto {version}\n")
    write(f"python {platform.python_version()}, {platform.system()} {platform.machine()}\n")
    write(f"torch {torch.__version__}\n")
    write(f"device {describe_device(pick_device('auto'))}\n")


def write(text: str) -> None:
    """Write text at once, without what a terminal would obey."""
    sys.stdout.write(without_control(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def print_json(value: Any) -> None:
    """One JSON value on standard output."""
    print(json.dumps(value, ensure_ascii=False, indent=2))
