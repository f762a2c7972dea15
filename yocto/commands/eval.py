"""yocto eval: how good a model is, by a text's bits per byte and by its accuracy in tasks."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from yocto.api import LanguageModel
from yocto.checkpoint import Checkpoint, find_checkpoint
from yocto.config import CHAT, EvalConfig, TextConfig, knobs
from yocto.dataset.own_files import find_own_files
from yocto.errors import ConfigError, DataError, YoctoError
from yocto.evaluation.record import add_evaluation
from yocto.evaluation.result import Evaluation, TaskScore, TextScore
from yocto.evaluation.scoring import Scorer
from yocto.evaluation.task_files import Task, TaskFile, check_rows, find_task, read_task_file
from yocto.evaluation.tasks import QuestionEncoder, RowScore, score_task, summed_up
from yocto.evaluation.text import Text, read_text, score_text, validation_text
from yocto.utils.device import describe_device, pick_device
from yocto.utils.files import atomic_file
from yocto.utils.progress import Progress


@dataclass(frozen=True)
class Evaluated(Evaluation):
    """An evaluation as the command's result."""

    def summary(self) -> list[str]:
        """The result in words, a line for each text and task."""
        return [*map(_text_line, self.texts), *map(_task_line, self.tasks)]


def run(config: EvalConfig, progress: Progress) -> Evaluated:
    """Measure a checkpoint. What is to be measured is read and checked before any of it is."""
    path = find_checkpoint(config.ckpt, Path(config.ckpt_dir))
    checkpoint = Checkpoint.open(path)
    _check(config, checkpoint)
    tokenizer = checkpoint.load_tokenizer()
    start_ids = checkpoint.start_ids(tokenizer)
    device = pick_device(config.device)
    lm = LanguageModel(
        checkpoint.load_model(device), tokenizer, checkpoint.documents, start_ids=start_ids
    )
    encoder = QuestionEncoder(tokenizer, start_ids, lambda: lm.prompt_ids(""))
    tasks = _read_tasks(config, encoder, progress)
    texts = _read_texts(config, checkpoint, lm, progress)
    apart = checkpoint.train.get("respect_documents") is True
    size = config.batch_size
    scorer = Scorer(
        lm.model, tokenizer.end_id if apart else None, size and size * lm.block_size
    )  # fmt: skip
    text_scores = [
        score_text(scorer, tokenizer, text, progress, config.stride, start_ids, size)
        for text in texts
    ]
    task_scores, rows = _score_tasks(scorer, tasks, progress)
    folder = path.resolve().parent
    made = Evaluated(
        run=folder.name,
        step=checkpoint.step,
        ckpt=str(path),
        texts=text_scores,
        tasks=task_scores,
        device=describe_device(device),
        time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )
    if config.save:
        _save(folder, made, progress)
    if config.rows_path is not None:  # at last: where it can't be written the rest is noted
        _write_rows(Path(config.rows_path), rows)
    return made


def _check(config: EvalConfig, checkpoint: Checkpoint) -> None:
    """Raise ConfigError for what can't be, or would be without effect."""
    block_size = checkpoint.model.block_size
    if config.stride is not None and config.stride > block_size:
        raise ConfigError(
            f"stride {config.stride} is more than block_size {block_size}: tokens between two "
            f"windows would be left out",
            f"Use --stride {block_size} or less.",
        )
    reading = {f.name for f in knobs(TextConfig)} - {"text_path"}
    without = [
        ({"limit", "skip_bad", "rows_path"}, bool(config.task), "a task", "--task FILE"),
        (reading, bool(config.text_path), "a text", "--text-path FILE"),
        (
            {"stride"}, bool(config.text_path or config.data_dir or not config.task),
            "a text", "--text-path FILE",
        ),
    ]  # fmt: skip
    for names, there, what, flag in without:
        given = [f.name for f in knobs(EvalConfig)
                 if f.name in names and getattr(config, f.name) != f.default]  # fmt: skip
        if given and not there:
            raise ConfigError(
                f"{' and '.join(given)} {'have' if len(given) > 1 else 'has'} no effect without "
                f"{what}",
                f"Name one: {flag}",
            )


# ------------------------------------------------------------------------------------------ texts


def _read_texts(
    config: EvalConfig, checkpoint: Checkpoint, lm: LanguageModel, progress: Progress
) -> list[Text]:
    texts = []
    if config.data_dir is not None:
        texts.append(validation_text(Path(config.data_dir), lm.tokenizer))
    elif not config.text_path and not config.task:
        texts.append(validation_text(_own_folder(checkpoint), lm.tokenizer))
    texts += [read_text(path, config, lm.tokenizer, progress) for path in config.text_path]
    return texts


def _own_folder(checkpoint: Checkpoint) -> Path:
    """The token files that the run learnt from. Raises DataError where they are not to be found."""
    run, hint = checkpoint.path.resolve().parent, "Name a text: --text-path FILE"
    if checkpoint.imported:
        raise DataError(f"{run.name} was imported: nothing tells what it learnt from", hint)
    if checkpoint.train.get("mode") == CHAT:
        raise DataError(f"{run.name} was fine-tuned on conversations, which are no text", hint)
    # The paths in its settings lead from where training was started: mostly the folder that
    # checkpoints/ is in.
    found = find_own_files(checkpoint.train, checkpoint.corpus(), (Path(), run.parent.parent))
    if found is None:
        raise DataError(
            f"the token files that {run.name} learnt from are not where they were, or not the same",
            f"Name their folder: --data-dir FOLDER. {hint}",
        )
    return found[0]


# ------------------------------------------------------------------------------------------ tasks


def _read_tasks(
    config: EvalConfig, encoder: QuestionEncoder, progress: Progress
) -> list[tuple[Task, list[TaskFile]]]:
    """All files of all tasks. Raises DataError for bad rows that are not to be passed over."""
    found = []
    for spec in config.task:
        task = find_task(spec)
        files = [read_task_file(s, task.name, encoder, config.limit) for s in task.sources]
        found.append((task, files))
    check_rows([file for _, files in found for file in files], config.skip_bad, progress.notice)
    if encoder.unknown:
        progress.notice(
            f"{encoder.unknown:,} tokens of the tasks stand for what the vocabulary lacks"
        )
    return found


def _score_tasks(
    scorer: Scorer, tasks: Sequence[tuple[Task, list[TaskFile]]], progress: Progress
) -> tuple[list[TaskScore], list[RowScore]]:
    """The score of each file, and of a folder's files the one of the folder behind them."""
    scores: list[TaskScore] = []
    rows: list[RowScore] = []
    for task, files in tasks:
        made = [score_task(scorer, file, progress) for file in files]
        own = [row for _, of_file in made for row in of_file]
        scores += [score for score, _ in made]
        names = {file.name for file in files}
        if task.is_folder and len(files) > 1 and len(names) == 1:
            bad = sum(len(file.bad) for file in files)
            seconds = sum(score.seconds for score, _ in made)
            scores.append(summed_up(names.pop(), task.path, own, bad, seconds))
        rows += own
    return scores, rows


def _write_rows(path: Path, rows: Sequence[RowScore]) -> None:
    with atomic_file(path) as file:
        for row in rows:
            line = json.dumps(dataclasses.asdict(row), ensure_ascii=False)
            file.write(line.encode("utf-8") + b"\n")


def _save(folder: Path, made: Evaluated, progress: Progress) -> None:
    """Note the result in the run's folder; where that can't be written the result is still told."""
    try:
        add_evaluation(folder, made)
    except YoctoError as error:
        progress.notice(f"the result is not noted: {error.message}")


# ------------------------------------------------------------------------------------------ words


def _text_line(score: TextScore) -> str:
    bits = "" if score.bits_per_byte is None else f", {score.bits_per_byte:.4f} bits per byte"
    return f"{score.name}: loss {score.loss:.4f}, perplexity {score.perplexity:,.2f}{bits}"


def _task_line(score: TaskScore) -> str:
    low, high = score.interval
    return (
        f"{score.name}, {score.file}: {score.accuracy:.1%} of {score.rows:,} rows "
        f"({low:.1%} to {high:.1%})"
    )
