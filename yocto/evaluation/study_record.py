"""results.json of a study: its settings, how far it is, and what it has measured."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yocto.config import StudyTokenizersConfig, knobs
from yocto.errors import ConfigError, DataError, RunError
from yocto.evaluation.study import StudyModel, StudyPoint, StudyTokenizer, TaskFigure
from yocto.utils.files import check_version, read_json, write_json

FORMAT, VERSION = "yocto-study", 1
RESULTS = "results.json"
_HINT = "Begin another study: --out-dir FOLDER"
# What a study may be gone on with otherwise: the figures don't depend on it.
_FREE = ("out_dir",)


@dataclass
class Record:
    """What is known so far.

    settings: as they were given. texts: what was read -> the checksum of its files. tokenizers: by
    domain, once the common text is encoded. training: of all models, with what the preset filled
    in; empty until all tokenizers are there, and so is models, by the names of their runs.
    """

    settings: dict[str, Any]
    texts: dict[str, str]
    tokenizers: dict[str, StudyTokenizer] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    models: dict[str, StudyModel] = field(default_factory=dict)

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do."""
        return bool(self.models) and all(model.is_measured for model in self.models.values())

    def save(self, folder: Path) -> None:
        """Write it, whole or not at all."""
        about = {"format": FORMAT, "version": VERSION}
        write_json(folder / RESULTS, {**about, **dataclasses.asdict(self)})


def read_record(folder: Path) -> Record | None:
    """The record of the study in a folder; None where there is none. Raises DataError for a file
    that is damaged."""
    path = folder / RESULTS
    if not path.is_file():
        return None
    content = read_json(path, DataError, _HINT)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DataError(f"{path} is not the record of a study", _HINT)
    check_version(path, content.get("version"), VERSION, DataError, _HINT)
    try:
        settings = StudyTokenizersConfig.from_dict(content["settings"], str(path)).to_dict()
        texts = {str(name): str(digest) for name, digest in content["texts"].items()}
        tokenizers = {k: StudyTokenizer(**v) for k, v in content["tokenizers"].items()}
        models = {name: _model(value) for name, value in content["models"].items()}
        training = dict(content["training"])
    except (LookupError, TypeError, ValueError, AttributeError, ConfigError) as error:
        reason = error.message if isinstance(error, ConfigError) else repr(error)
        raise DataError(f"{path} is damaged: {reason}", _HINT) from error
    return Record(settings, texts, tokenizers, training, models)


def _model(value: dict[str, Any]) -> StudyModel:
    points = [_point(point) for point in value["points"]]
    steps = [int(step) for step in value["steps"]]
    if [point.step for point in points] != steps[: len(points)] or not steps:
        raise ValueError("points of other steps than those planned")
    return StudyModel(
        str(value["run"]), str(value["domain"]), int(value["seed"]), steps,
        value["is_trained"] is True, points,
    )  # fmt: skip


def _point(value: dict[str, Any]) -> StudyPoint:
    tasks = {str(name): TaskFigure(**figure) for name, figure in value["tasks"].items()}
    point = StudyPoint(**{**value, "tasks": tasks})
    numbers = [point.step, point.tokens, point.bytes, point.loss, point.bits_per_byte]
    for figure in tasks.values():
        low, high = figure.interval
        numbers += [figure.accuracy, low, high, figure.rows]
    if not all(type(n) in (int, float) and math.isfinite(n) for n in numbers):
        raise ValueError("a figure that is no number")
    return point


def check_same(folder: Path, record: Record, config: StudyTokenizersConfig) -> None:
    """Raise a RunError, which names what has changed, where a study was begun with other settings
    than those given now."""
    begun = StudyTokenizersConfig.from_dict(record.settings)
    changed = [
        f"{name} {_words(old)} -> {_words(new)}"
        for name, (old, new) in _differences(begun, config).items()
    ]
    if changed:
        raise RunError(
            f"the study in {folder} was begun with other settings: {', '.join(changed)}",
            f"Give the same again, as {folder / 'study.yaml'} has them, or begin another study: "
            f"--out-dir FOLDER",
        )


def _differences(
    begun: StudyTokenizersConfig, config: StudyTokenizersConfig
) -> dict[str, tuple[Any, Any]]:
    """What differs, by name: domains and settings of training one by one."""
    old, new = _flat(begun), _flat(config)
    names = dict.fromkeys([*old, *new])
    return {n: (old.get(n), new.get(n)) for n in names if old.get(n) != new.get(n)}


def _flat(config: StudyTokenizersConfig) -> dict[str, Any]:
    values = {f.name: getattr(config, f.name) for f in knobs(StudyTokenizersConfig)}
    for name in ("domain", "train", *_FREE):
        del values[name]
    values |= {f"domain {name}": paths for name, paths in config.domains().items()}
    training = config.training()
    return values | {f"train: {name}": getattr(training, name) for name in training.given}


def _words(value: Any) -> str:
    if value is None or value == ():
        return "none"
    return " ".join(value) if isinstance(value, tuple) else str(value)


def check_texts(folder: Path, record: Record, texts: dict[str, str]) -> None:
    """Raise a DataError, which names it, for a text that has changed since the study began: its
    figures would be of different texts."""
    for name, digest in texts.items():
        if record.texts.get(name) != digest:
            raise DataError(
                f"{name} has changed since the study in {folder} began",
                "Bring it back as it was, or begin another study: --out-dir FOLDER",
            )
