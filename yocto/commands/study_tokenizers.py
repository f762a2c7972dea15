"""yocto study tokenizers: tokenizers of different domains, judged by models trained with them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from yocto.commands.study_inputs import (
    check_tasks,
    fingerprints,
    settings_file,
    tokenizer_settings,
)
from yocto.config import StudyTokenizersConfig
from yocto.errors import ConfigError, RunError
from yocto.evaluation.study import MeanPoint, StudyModel, curve
from yocto.evaluation.study_record import (
    RESULTS,
    Record,
    check_same,
    check_texts,
    read_record,
)
from yocto.report.study import draw
from yocto.utils.files import atomic_file, making, write_text
from yocto.utils.lock import Held, exclusive
from yocto.utils.progress import Progress

PICTURE = "study.png"
_FOLDERS = ("tokenizers", "data", "checkpoints")


@dataclass(frozen=True)
class DomainResult:
    """What came of a domain's tokenizer.

    vocab_used: tokens that occur in the common text. bytes_per_token: there. curve: the mean of its
    models over their training, the last point at their end.
    """

    domain: str
    vocab_size: int
    vocab_used: int
    bytes_per_token: float
    runs: list[str]
    curve: list[MeanPoint]


@dataclass(frozen=True)
class Study:
    """What a study has found. picture: None without matplotlib, which `missing` tells of. stopped:
    the run whose training was interrupted."""

    out_dir: str
    equal: str
    domains: list[DomainResult]
    models: list[StudyModel]
    picture: str | None = None
    missing: str | None = None
    stopped: str | None = None

    @property
    def exit_code(self) -> int:
        """130 for a study that was interrupted."""
        return 0 if self.stopped is None else 130

    def summary(self) -> list[str]:
        """What goes below the table, in words."""
        if self.stopped is not None:
            done = sum(model.is_measured for model in self.models)
            return [
                f"stopped in {self.stopped}, with {done} of {len(self.models)} models measured; "
                f"all is saved in {self.out_dir}",
                "to go on: the same command",
            ]
        best = min(self.domains, key=lambda domain: domain.curve[-1].bits_per_byte.value)
        lines = [f"the fewest bits per byte: {best.domain}"]
        if self.picture is not None:
            lines.append(f"curves -> {self.picture}")
        elif self.missing is not None:
            lines.append(f"for a picture of the curves: {self.missing}, then the same command")
        run = shlex.quote(str(Path(self.out_dir) / "checkpoints" / best.runs[0]))
        return [
            *lines,
            f"all figures -> {Path(self.out_dir) / RESULTS}",
            f"next: yocto sample --ckpt {run}",
        ]


def run(config: StudyTokenizersConfig, progress: Progress) -> Study:
    """Make a study, or go on with the one that is in its folder."""
    folder = Path(config.out_dir)
    record = read_record(folder)
    if record is not None:
        check_same(folder, record, config)
        if record.is_finished:
            progress.say(f"the study in {folder} is finished; this is what it has found")
            return _result(config, record, was_finished=True)
    if len(config.domains()) < 2:
        raise ConfigError(
            "a study compares two domains or more",
            "Name them, each with its text: --domain law=law.txt --domain plays=plays.txt, or as a "
            "table domain in the file of --config.",
        )
    for name in config.domains():
        tokenizer_settings(config, name)  # raises before anything is written
    check_tasks(config, progress)
    texts = fingerprints(config)
    with _held(folder):
        record = read_record(folder)  # it may have gone on meanwhile
        if record is None:
            record = _begin(config, folder, texts)
        check_same(folder, record, config)
        check_texts(folder, record, texts)
        from yocto.commands.study_stages import Stages  # which takes torch

        stopped = Stages(config, folder, record, progress).carry_out()
        return _result(config, record, stopped)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Keep the folder for this process. Raises RunError while another one works in it."""
    with making(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = exclusive(folder / ".lock")
        try:
            lock.__enter__()
        except Held as other:
            raise RunError(
                f"{other} is at work on the study in {folder}",
                "Wait for it to end, or begin another study: --out-dir FOLDER",
            ) from None
    try:
        yield
    finally:
        lock.__exit__(None, None, None)


def _begin(config: StudyTokenizersConfig, folder: Path, texts: dict[str, str]) -> Record:
    """Note what is to be done, before anything is."""
    if taken := [name for name in _FOLDERS if any((folder / name).glob("*"))]:
        raise RunError(
            f"{folder} holds {' and '.join(taken)} of something else than a study",
            "Choose a folder of its own: --out-dir studies/mine",
        )
    settings = folder / "study.yaml"
    if not settings.exists():  # else it is the user's own, maybe
        write_text(settings, settings_file(config, settings))
    record = Record(config.to_dict(), texts)
    record.save(folder)
    return record


def _result(
    config: StudyTokenizersConfig,
    record: Record,
    stopped: str | None = None,
    was_finished: bool = False,
) -> Study:
    domains = []
    for name, tokenizer in record.tokenizers.items():
        models = [model for model in record.models.values() if model.domain == name]
        domains.append(DomainResult(
            name, tokenizer.vocab_size, tokenizer.used, tokenizer.bytes_per_token,
            [model.run for model in models], curve(models),
        ))  # fmt: skip
    found = Study(config.out_dir, config.equal, domains, list(record.models.values()),
                  stopped=stopped)  # fmt: skip
    return found if stopped is not None else _drawn(found, was_finished)


def _drawn(study: Study, was_finished: bool) -> Study:
    """The study with its picture, which is drawn but where it is there already."""
    curves = {domain.domain: domain.curve for domain in study.domains}
    path = Path(study.out_dir) / PICTURE
    fields = vars(study)
    if was_finished and path.is_file():
        return Study(**{**fields, "picture": str(path)})
    try:
        picture = draw(curves, study.equal, "png")
    except RunError as error:  # the table tells the same
        return Study(**{**fields, "missing": error.hint})
    with atomic_file(path) as file:
        file.write(picture)
    return Study(**{**fields, "picture": str(path)})
