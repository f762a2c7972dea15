"""evaluations.jsonl in a run's folder: a line for each evaluation of one of its steps."""

from __future__ import annotations

import dataclasses
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from yocto.checkpoint.run import EVALUATIONS
from yocto.errors import DataError
from yocto.evaluation.result import Evaluation, TaskScore, TextScore
from yocto.utils.files import atomic_file, making, parse_json
from yocto.utils.lock import exclusive

FORMAT, VERSION = "yocto-evaluation", 1


def add_evaluation(run_folder: Path, evaluation: Evaluation) -> None:
    """Add a line, after those that are there, however many do so at once: a kill leaves the file
    with it or without it. Raises YoctoError where the folder can't be written."""
    content = {"format": FORMAT, "version": VERSION, **dataclasses.asdict(evaluation)}
    line = json.dumps(content, ensure_ascii=False, allow_nan=False).encode("utf-8") + b"\n"
    path = run_folder / EVALUATIONS
    with making(path), exclusive(run_folder / ".evaluations.lock", wait=True):
        before = path.read_bytes() if path.exists() else b""
        if before and not before.endswith(b"\n"):
            before += b"\n"
        with atomic_file(path) as file:
            file.write(before + line)


def read_evaluations(run_folder: Path) -> list[Evaluation]:
    """What was measured, in the order of the lines; a damaged line is passed over. Raises DataError
    where the file can't be read."""
    path = run_folder / EVALUATIONS
    try:
        lines = path.read_bytes().splitlines() if path.exists() else []
    except OSError as error:
        raise DataError(f"can't read {path}: {error.strerror or error}") from error
    found = []
    for line in lines:
        with suppress(ValueError, TypeError, LookupError, AttributeError):
            found.append(_evaluation(parse_json(line)))
    return found


def _evaluation(value: Any) -> Evaluation:
    """The evaluation that JSON tells of. Raises ValueError, TypeError or KeyError for none."""
    if (value["format"], value["version"]) != (FORMAT, VERSION):
        raise ValueError("another format")
    names = [f.name for f in dataclasses.fields(Evaluation)]
    texts = [_checked(TextScore, text) for text in value["texts"]]
    tasks = [_checked(TaskScore, task) for task in value["tasks"]]
    told = {**{name: value[name] for name in names}, "texts": texts, "tasks": tasks}
    evaluation: Evaluation = _checked(Evaluation, told)
    return evaluation


def _checked(cls: Any, value: Any) -> Any:
    """An object of this class, each field of its type; what a newer yocto adds is left out."""
    kinds = {"str": (str,), "int": (int,), "float": (int, float)}
    made = {}
    for field in dataclasses.fields(cls):
        kind, found = str(field.type), value[field.name]
        optional = kind.endswith(" | None")
        of = kinds.get(kind.removesuffix(" | None"), (list,))
        if isinstance(found, bool) or not (isinstance(found, of) or (optional and found is None)):
            raise TypeError(f"{field.name} is {found!r}")
        made[field.name] = found
    return cls(**made)
