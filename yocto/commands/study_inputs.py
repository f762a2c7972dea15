"""What a study reads: its texts and tasks, and its settings as a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from yocto.config import StudyTokenizersConfig, TrainTokenizerConfig, knobs
from yocto.dataset.sources import Source, find_sources
from yocto.errors import ConfigError, DataError
from yocto.evaluation.task_files import check_rows, find_task, read_task_file
from yocto.utils.files import sha256_file
from yocto.utils.progress import Progress
from yocto.utils.settings import settings_line


def tokenizer_settings(config: StudyTokenizersConfig, domain: str) -> TrainTokenizerConfig:
    """How a domain's tokenizer is learnt. Raises ConfigError."""
    return TrainTokenizerConfig.from_dict({
        **config.reading(), "text_path": config.domains()[domain], "kind": config.kind,
        "vocab_size": config.vocab_size, "pattern": config.pattern,
        "byte_fallback": config.kind == "char-bpe",
        "out_dir": str(Path(config.out_dir) / "tokenizers" / domain),
    })  # fmt: skip


def fingerprints(config: StudyTokenizersConfig) -> dict[str, str]:
    """What a study reads, each with a checksum of its files; of a URL its address counts. Raises
    DataError for what is not there."""
    texts = {f"the text of domain {name}": (paths, f"Check --domain {name}={paths[0]}.")
             for name, paths in config.domains().items()}  # fmt: skip
    texts["text_path"] = (config.text_path, "Check --text-path.")
    if config.eval_text_path:
        texts["eval_text_path"] = (config.eval_text_path, "Check --eval-text-path.")
    found = {}
    for name, (paths, hint) in texts.items():
        sources = find_sources(paths, config.text_format, hint)
        found[name] = _digest(_checksum(source, hint) for source in sources)
    for spec in config.task:
        found[f"the file of task {spec}"] = _digest(
            _checksum(source, f"Check --task {spec}.") for source in find_task(spec).sources
        )
    return found


def check_tasks(config: StudyTokenizersConfig, progress: Progress) -> None:
    """Read all tasks, so that a bad row is told of before the first hour of training. Raises
    ConfigError and DataError."""
    given = [name for name in ("limit", "skip_bad") if name in config.given]
    if given and not config.task:
        raise ConfigError(
            f"{' and '.join(given)} can't have an effect without a task", "Name one: --task FILE"
        )
    for spec in config.task:
        task = find_task(spec)
        files = [read_task_file(s, task.name, lambda _: None, config.limit) for s in task.sources]
        check_rows(files, config.skip_bad, progress.notice)


def _checksum(source: Source, hint: str) -> str:
    if not source.is_file:
        return source.path
    try:
        return sha256_file(Path(source.path))
    except OSError as error:
        raise DataError(f"can't read {source.path}: {error.strerror or error}", hint) from error


def _digest(told: Iterable[str]) -> str:
    return hashlib.sha256("".join(told).encode()).hexdigest()


def settings_file(config: StudyTokenizersConfig, path: Path) -> str:
    """The study's settings as a file for --config."""
    values = config.to_dict()
    training = config.training()
    values["domain"] = {name: list(paths) for name, paths in config.domains().items()}
    values["train"] = {f.name: getattr(training, f.name) for f in knobs(type(training))
                       if f.name in training.given}  # fmt: skip
    lines = [
        # JSON's tables are YAML too, and in the order in which they were given.
        f"{name}: {json.dumps(value)}" if isinstance(value, dict) else settings_line(name, value)
        for name, value in values.items()
    ]
    head = f"# to go on with this study: yocto study tokenizers --config {path}"
    return "\n".join([head, *lines]) + "\n"
