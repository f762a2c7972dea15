"""Files of tasks: found, read row by row, and what is wrong with rows told by file and line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from yocto.config import nearest
from yocto.dataset.chunks import listed
from yocto.dataset.json_values import json_values
from yocto.dataset.records import numbered_values
from yocto.dataset.sources import Source, find_sources
from yocto.dataset.streams import opened
from yocto.errors import ConfigError, DataError, TokenizerError
from yocto.evaluation.formats import READERS, BadRowError, Question, format_of, kind_of

_HINT = "Check --task."
_TOLD = 10  # bad rows whose reasons are in a message …
_PLACED = 100  # … and places of others: lines, or several in a row


@dataclass(frozen=True)
class Task:
    """What --task names. name: None where the rows tell the format. is_folder: whether its files
    belong together."""

    name: str | None
    path: str
    sources: list[Source]
    is_folder: bool


@dataclass(frozen=True)
class Item:
    """A question. prepared: what `prepare` has made of it."""

    line: int
    question: Question
    prepared: Any


class BadRow(NamedTuple):
    """A row that is no question. reason: what is wrong with it, behind its place."""

    line: int
    reason: str


@dataclass(frozen=True)
class TaskFile:
    """The questions of a file, and its other rows. unit: line or value, what rows are counted
    as."""

    name: str
    path: str
    items: list[Item]
    bad: list[BadRow]
    unit: str


def find_task(spec: str) -> Task:
    """The files of NAME=FILE, or of a FILE or folder. Raises ConfigError for an unknown name and
    DataError for what is not there."""
    name, equals, path = spec.partition("=")
    if not equals or (name not in READERS and Path(spec).exists()):
        name, path = "", spec
    if name and name not in READERS:
        near = nearest(name, list(READERS))
        raise ConfigError(
            f"there is no task {name!r}",
            (f"Did you mean {near!r}? " if near else "") + f"It takes {listed(list(READERS))}.",
        )
    is_folder = Path(path).is_dir()
    sources = find_sources([path], hint=_HINT)
    if is_folder:
        sources = [source for source in sources if source.format in ("jsonl", "json")]
    for source in sources:
        if source.format in ("csv", "parquet"):
            raise DataError(
                f"{source.path} is {source.format}, but tasks are read from JSON lines",
                "Convert it first, to one object in each line.",
            )
    if not sources:
        raise DataError(f"there is no file of a task in {path}", "Tasks are files of JSON lines.")
    return Task(name or None, path, sources, is_folder)


def read_task_file(
    source: Source,
    name: str | None,
    prepare: Callable[[Question], Any],
    limit: int | None = None,
) -> TaskFile:
    """Read a file.

    name: of the format; None goes by the first row that is an object. prepare: what is made of each
    question; a BadRowError or TokenizerError there tells that it is none. limit: most questions.
    Raises DataError where no format is to be seen.
    """
    items: list[Item] = []
    bad: list[BadRow] = []
    unit = "value" if source.format == "json" else "line"
    for line, value in _values(source):
        if len(items) == limit:
            break
        place = f"{unit} {line} in {source.path}"
        if isinstance(value, DataError):
            bad.append(BadRow(line, value.message))
        elif not isinstance(value, dict):
            bad.append(BadRow(line, f"{place}: it is no object but {kind_of(value)}"))
        else:
            name = name or _format_of(value, place)
            try:
                question = READERS[name](value)
                items.append(Item(line, question, prepare(question)))
            except BadRowError as error:
                bad.append(BadRow(line, f"{place}: {error}"))
            except TokenizerError as error:
                bad.append(BadRow(line, f"{place}: {error.message}"))
    if not items and not bad:
        raise DataError(f"there is no row in {source.path}", _HINT)
    return TaskFile(name or "unknown", source.path, items, bad, unit)


def _values(source: Source) -> Iterator[tuple[int, Any]]:
    with opened(source, _HINT) as stream:
        if source.format == "json":
            yield from enumerate(json_values(source, stream, "strict", _HINT), 1)
        else:
            yield from numbered_values(source, stream, _HINT)


def _format_of(row: dict[str, Any], place: str) -> str:
    name = format_of(row)
    if name is None:
        raise DataError(
            f"{place} tells of no task: its keys are {listed(list(row))}",
            f"Name the format: --task NAME=FILE, where NAME is one of {', '.join(READERS)}.",
        )
    return name


def check_rows(files: list[TaskFile], skip_bad: bool, notice: Callable[[str], None]) -> None:
    """Raise a DataError that names bad rows, or with skip_bad tell of them; raise one in any case
    where a file has no other rows."""
    bad = sum(len(file.bad) for file in files)
    if bad and not skip_bad:
        rows = bad + sum(len(file.items) for file in files)
        raise DataError(
            f"{bad:,} of {rows:,} rows {'are' if bad != 1 else 'is'} bad: {_told(files)}",
            "Mend them, or pass over them: --skip-bad",
        )
    for file in files:
        if not file.items:
            raise DataError(
                f"no row of {file.path} can be scored: {_told([file])}", "Mend its rows."
            )
        if file.bad:
            count = f"{len(file.bad):,} bad row{'s' * (len(file.bad) != 1)}"
            notice(f"passed over {count} of {file.path}: {_told([file])}")


def _told(files: list[TaskFile]) -> str:
    """What is wrong with the first bad rows, and where the others are."""
    reasons = [row.reason for file in files for row in file.bad][:_TOLD]
    told = [reason if len(reason) <= 200 else reason[:200] + "…" for reason in reasons]
    before, room = _TOLD, _PLACED
    for file in files:
        lines = [row.line for row in file.bad[before:]]
        before = max(0, before - len(file.bad))
        if lines:
            places = _in_a_row(lines)
            more = f" and {len(places) - room:,} more places" if len(places) > room else ""
            shown, unit = ", ".join(places[:room]), file.unit + "s" * (len(lines) > 1)
            told.append(f"{len(lines):,} more in {file.path}: {unit} {shown}{more}")
            room = max(1, room - len(places))
    return "; ".join(told)


def _in_a_row(lines: list[int]) -> list[str]:
    """Ascending numbers in words, those without a gap together.

    >>> _in_a_row([1, 3, 4, 5])
    ['1', '3 to 5']
    """
    runs: list[list[int]] = []
    for line in lines:
        if not runs or line != runs[-1][1] + 1:
            runs.append([line, line])
        runs[-1][1] = line
    return [f"{a}" if a == b else f"{a} to {b}" for a, b in runs]
