"""The stages of a study: what each of its tokenizers and models takes, done once and noted."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from yocto.checkpoint import Run
from yocto.commands import encode, eval, train, train_tokenizer
from yocto.commands.study_inputs import tokenizer_settings
from yocto.config import (
    EncodeConfig,
    EvalConfig,
    GPTConfig,
    ModelConfig,
    StudyTokenizersConfig,
    TrainConfig,
    knobs,
)
from yocto.dataset.statistics import IdStatistics, count_file
from yocto.dataset.tokens import META_FILE, map_file, read_meta
from yocto.dataset.work import is_under_way
from yocto.errors import ConfigError, DataError, RunError
from yocto.evaluation.corpora import corpus_names
from yocto.evaluation.result import Evaluation, TaskScore
from yocto.evaluation.study import StudyModel, StudyPoint, StudyTokenizer, TaskFigure
from yocto.evaluation.study_record import Record
from yocto.evaluation.task_files import find_task
from yocto.tokenizer.base import CORPUS_FILE
from yocto.utils.progress import Progress, SilentProgress

# What is told of no model: each has its own, or none.
_OF_EACH = ("preset", "data_dir", "ckpt_dir", "run_name", "max_iters", "seed", "resume")


class Stages:
    """The work of a study in its folder: whatever is done there already is not done again."""

    def __init__(
        self, config: StudyTokenizersConfig, folder: Path, record: Record, progress: Progress
    ) -> None:
        self.config, self.folder, self.record, self.progress = config, folder, record, progress

    def carry_out(self) -> str | None:
        """Do what is left. Returns the run whose training was interrupted; None where all is done.

        All tokenizers come first: how many steps a model takes depends on all of them.
        """
        domains = self.config.domains()
        self._settings()
        count = 2 + len(domains) * self.config.seeds
        self.progress.say(f"1 of {count}: a tokenizer of each domain")
        for domain in domains:
            self._learn(domain)
        self.progress.say(f"2 of {count}: the common text in the tokens of each")
        for domain in domains:
            self._encode(domain)
        self._check_split()
        if not self.record.models:
            self._plan()
        for number, run in enumerate(self.record.models, 3):
            self.progress.say(f"{number} of {count}: the model {run}")
            if not self._train(run):
                return run
            self._measure(run)
            Run(self._run(run)).prune(1)  # of its checkpoints the last and the best are of use
        return None

    # -------------------------------------------------------------------------------- tokenizers

    def _learn(self, domain: str) -> None:
        folder = self.folder / "tokenizers" / domain
        if (folder / CORPUS_FILE).is_file():  # which is written last
            return
        made = train_tokenizer.run(tokenizer_settings(self.config, domain), self.progress)
        for line in made.summary()[:1]:
            self.progress.say(f"{domain}: {line}")
        if made.vocab_size < self.config.vocab_size:
            self.progress.notice(
                f"the text of domain {domain} is too short for {self.config.vocab_size:,} tokens: "
                f"its tokenizer has {made.vocab_size:,}, and so it is not of the others' size"
            )

    def _encode(self, domain: str) -> None:
        folder = self.folder / "data" / domain
        is_begun = is_under_way(folder)
        if is_begun or not (folder / META_FILE).is_file():
            made = encode.run(
                EncodeConfig.from_dict({
                    **self.config.reading(), "text_path": self.config.text_path,
                    "tokenizer_path": str(self.folder / "tokenizers" / domain),
                    "out_dir": str(folder), "val_ratio": self.config.val_ratio,
                    "resume": is_begun,
                }),
                self.progress,
            )  # fmt: skip
            for line in made.files():
                self.progress.say(line)
        if domain not in self.record.tokenizers:
            self.record.tokenizers[domain] = self._figures(domain, folder)
            self.record.save(self.folder)

    def _figures(self, domain: str, folder: Path) -> StudyTokenizer:
        meta = read_meta(folder)
        counted = IdStatistics(np.zeros(meta.vocab_size, np.int64), meta.end_id)
        for split in meta.splits.values():
            for file in split.files:
                path = folder / file.name
                count_file(path, map_file(path, file.tokens, meta), counted)
        whole = sum(split.bytes for split in meta.splits.values())
        part = meta.splits["train"]
        return StudyTokenizer(
            domain, meta.vocab_size, int((counted.counts > 0).sum()),
            whole / max(1, counted.tokens), part.bytes / max(1, part.tokens),
        )  # fmt: skip

    def _check_split(self) -> None:
        """All models learn from the same bytes, and are measured on the same. Raises DataError
        where the text was another one for some."""
        sizes = {}
        for domain in self.config.domains():
            meta = read_meta(self.folder / "data" / domain)
            sizes[domain] = {name: (s.bytes, s.documents) for name, s in meta.splits.items()}
        first, *others = sizes
        for other in others:
            if sizes[other] != sizes[first]:
                raise DataError(
                    f"the text was another one when it was encoded for {other} than for {first}",
                    f"Delete {self.folder / 'data'}, and type the same command again.",
                )

    # ------------------------------------------------------------------------------------ models

    def _settings(self) -> TrainConfig:
        """How all models are trained, with what the preset fills in. Raises ConfigError for a model
        that can't be."""
        settings = train.with_preset(self.config.training(), SilentProgress())
        shape = {f.name: getattr(settings, f.name) for f in knobs(ModelConfig)}
        GPTConfig(vocab_size=self.config.vocab_size, **shape)
        if (self.config.stride or 0) > settings.block_size:
            raise ConfigError(
                f"stride {self.config.stride} is more than block_size {settings.block_size}: "
                f"tokens between two windows would be left out",
                f"Use --stride {settings.block_size} or less.",
            )
        max_iters = self.config.max_iters or settings.max_iters
        if max_iters < self.config.points:
            raise ConfigError(
                f"points is {self.config.points}, but max_iters is {max_iters}: a model can't be "
                f"measured more often than it takes steps",
                "Choose fewer --points, or more --max-iters.",
            )
        return dataclasses.replace(settings, max_iters=max_iters, given=settings.given)

    def _plan(self) -> None:
        """Decide once how each model is trained, and when it is measured."""
        settings = self._settings()
        values = settings.to_dict()
        self.record.training = {
            name: value for name, value in values.items()
            if value is not None and name not in _OF_EACH
        }  # fmt: skip
        density = {n: t.train_bytes_per_token for n, t in self.record.tokenizers.items()}
        longest = max(density.values())
        for domain in self.config.domains():
            steps = settings.max_iters
            if self.config.equal == "bytes":  # shorter tokens take more steps for the same text
                steps = round(steps * longest / density[domain])
            every = steps // self.config.points
            planned = [*(every * i for i in range(1, self.config.points)), steps]
            for seed in range(self.config.seed, self.config.seed + self.config.seeds):
                run = f"{domain}-{seed}"
                self.record.models[run] = StudyModel(run, domain, seed, planned)
        self.record.save(self.folder)

    def _run(self, run: str) -> Path:
        return self.folder / "checkpoints" / run

    def _train(self, run: str) -> bool:
        """Train a model to its end; False where that was interrupted."""
        model = self.record.models[run]
        if model.is_trained:
            return True
        is_begun = any(self._run(run).glob("step-*"))
        values = {
            **self.record.training, "data_dir": str(self.folder / "data" / model.domain),
            "ckpt_dir": str(self.folder / "checkpoints"), "run_name": run, "seed": model.seed,
            "max_iters": model.steps[-1], "eval_interval": model.steps[0],
            "keep_last": 10**6, "resume": "auto" if is_begun else "never",
        }  # fmt: skip
        done = train.run(TrainConfig.from_dict(values), self.progress)
        assert isinstance(done, train.Trained)
        if done.exit_code:
            return False
        self.record.models[run] = dataclasses.replace(model, is_trained=True)
        self.record.save(self.folder)
        return True

    def _measure(self, run: str) -> None:
        """Measure a model's checkpoints, each once, as yocto eval does."""
        model = self.record.models[run]
        for step in model.steps[len(model.points) :]:
            checkpoint = self._run(run) / f"step-{step:06d}"
            if not checkpoint.is_dir():
                raise RunError(
                    f"the checkpoint {checkpoint} is gone, and {run} is not measured there yet",
                    f"Delete {self._run(run)} to train it anew: the rest of the study stays.",
                )
            found = eval.run(self._evaluating(model, checkpoint), self.progress)
            point = self._point(model, step, found)
            model.points.append(point)
            self.record.save(self.folder)
            self.progress.say(
                f"{run} at step {step} of {model.steps[-1]}: {point.bits_per_byte:.4f} bits per "
                f"byte" + "".join(f", {name} {t.accuracy:.1%}" for name, t in point.tasks.items())
            )

    def _evaluating(self, model: StudyModel, checkpoint: Path) -> EvalConfig:
        c = self.config
        text: dict[str, Any] = {"data_dir": str(self.folder / "data" / model.domain)}
        if c.eval_text_path:
            text = {**c.reading(), "text_path": c.eval_text_path}
        given = {"stride": c.stride, "limit": c.limit}
        return EvalConfig.from_dict({
            **text, **{name: value for name, value in given.items() if value is not None},
            "ckpt": str(checkpoint), "task": c.task, "skip_bad": c.skip_bad,
            "device": self.record.training["device"], "save": False,
        })  # fmt: skip

    def _point(self, model: StudyModel, step: int, found: Evaluation) -> StudyPoint:
        """What an evaluation says, without what differs each time."""
        t = self.record.training
        tokens = step * t["batch_size"] * t["gradient_accumulation_steps"] * t["block_size"]
        density = self.record.tokenizers[model.domain].train_bytes_per_token
        total = math.fsum(text.loss * text.tokens for text in found.texts)
        size, count = (sum(getattr(t, name) for t in found.texts) for name in ("bytes", "tokens"))
        return StudyPoint(
            step, tokens, round(tokens * density), total / count,
            total / max(1, size) / math.log(2), _figures_of(self.config.task, found.tasks),
        )  # fmt: skip


def _figures_of(specs: Sequence[str], scores: Sequence[TaskScore]) -> dict[str, TaskFigure]:
    """The figures of each task, a folder's as one, by names of their own: that of the file too,
    with as much of its path as it takes, where several are of a kind."""
    folders = {task.path for task in map(find_task, specs) if task.is_folder}
    summed = [score for score in scores if score.file in folders]
    alone = [score for score in scores
             if not any(Path(s.file) in Path(score.file).parents for s in summed)]  # fmt: skip
    kinds = Counter(score.name for score in alone)
    names = corpus_names([str(Path(score.file).with_suffix("")) for score in alone])
    return {
        score.name if kinds[score.name] == 1 else f"{score.name} {name}": _figure(score)
        for score, name in zip(alone, names, strict=True)
    }


def _figure(score: TaskScore) -> TaskFigure:
    normalised = score.normalised_interval
    return TaskFigure(
        score.accuracy, list(score.interval), score.rows, score.normalised_accuracy,
        None if normalised is None else list(normalised),
    )  # fmt: skip
