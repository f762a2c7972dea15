"""Files of tasks: found, read row by row, and what is wrong with rows told by file and line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yocto.config import nearest
from yocto.dataset.chunks import listed
from yocto.dataset.json_values import json_values
from yocto.dataset.records import numbered_values
from yocto.dataset.sources import Source, find_sources
from yocto.dataset.streams import opened
from yocto.errors import ConfigError, DataError, TokenizerError
from yocto.evaluation.formats import READERS, BadRowError, Question, format_of, kind_of

_HINT = "Check --task."
_TOLD = 10  # bad rows that are named in a message


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


@dataclass(frozen=True)
class TaskFile:
    """The questions of a file; bad: what is wrong with the other rows, each behind its place."""

    name: str
    path: str
    items: list[Item]
    bad: list[str]


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
    is_folder = Path(path).is_dir() if "\0" not in path else False
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
    bad: list[str] = []
    for line, value in _values(source):
        if len(items) == limit:
            break
        place = f"{'value' if source.format == 'json' else 'line'} {line} in {source.path}"
        if isinstance(value, DataError):
            bad.append(value.message)
        elif not isinstance(value, dict):
            bad.append(f"{place}: it is no object but {kind_of(value)}")
        else:
            name = name or _format_of(value, place)
            try:
                question = READERS[name](value)
                items.append(Item(line, question, prepare(question)))
            except BadRowError as error:
                bad.append(f"{place}: {error}")
            except TokenizerError as error:
                bad.append(f"{place}: {error.message}")
    if not items and not bad:
        raise DataError(f"there is no row in {source.path}", _HINT)
    return TaskFile(name or "unknown", source.path, items, bad)


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
    bad = [reason for file in files for reason in file.bad]
    if bad and not skip_bad:
        rows = len(bad) + sum(len(file.items) for file in files)
        raise DataError(
            f"{len(bad):,} of {rows:,} rows {'are' if len(bad) != 1 else 'is'} bad: {_told(bad)}",
            "Mend them, or pass over them: --skip-bad",
        )
    for file in files:
        if not file.items:
            raise DataError(
                f"no row of {file.path} can be scored: {_told(file.bad)}", "Mend its rows."
            )
        if file.bad:
            count = f"{len(file.bad):,} bad row{'s' * (len(file.bad) != 1)}"
            notice(f"passed over {count} of {file.path}: {_told(file.bad)}")


def _told(bad: list[str]) -> str:
    shown = [reason if len(reason) <= 200 else reason[:200] + "…" for reason in bad[:_TOLD]]
    more = f"; and {len(bad) - _TOLD:,} more" if len(bad) > _TOLD else ""
    return "; ".join(shown) + more
