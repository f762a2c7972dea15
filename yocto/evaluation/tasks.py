"""Zero-shot tasks: how likely the model takes each choice, and whether the right one is likeliest.

The log-likelihood of a choice is that of its tokens, given the context, as in EleutherAI's
evaluation harness.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from yocto.evaluation.formats import BLIMP, LAMBADA, BadRowError, Question
from yocto.evaluation.result import TaskScore, perplexity_of, wilson_interval
from yocto.evaluation.scoring import Row, Score, Scorer
from yocto.evaluation.task_files import TaskFile
from yocto.evaluation.windows import suffix_rows
from yocto.sampling.engine import common_prefix
from yocto.tokenizer.base import BaseTokenizer
from yocto.utils.progress import Progress


class Choice(NamedTuple):
    """A choice as tokens: ids[begin:] are scored. bytes: of its text, without the space before
    it."""

    ids: list[int]
    begin: int
    bytes: int


@dataclass(frozen=True)
class ChoiceScore:
    """loglikelihood: the sum over the choice's tokens, in nats. greedy: whether each of them was
    the likeliest one."""

    loglikelihood: float
    tokens: int
    bytes: int
    greedy: bool


@dataclass(frozen=True)
class RowScore:
    """A row. correct_normalised: by the likeliest choice by the byte; None where choices are
    compared as they are."""

    task: str
    file: str
    line: int
    label: int
    choices: list[ChoiceScore]
    correct: bool
    correct_normalised: bool | None
    trimmed: bool


class QuestionEncoder:
    """Questions to tokens. start_ids: what the model's texts begin with. empty_ids: what it is
    given where there is no context at all."""

    def __init__(
        self, tokenizer: BaseTokenizer, start_ids: Sequence[int], empty_ids: Callable[[], list[int]]
    ) -> None:
        self.tokenizer, self.start_ids, self.empty_ids = tokenizer, list(start_ids), empty_ids
        self.unknown = 0  # tokens that stand for what the vocabulary lacks

    def __call__(self, question: Question) -> list[Choice]:
        """The tokens of each choice behind those of the context. Raises BadRowError for a choice
        that has none, and TokenizerError for what can't be encoded."""
        context = question.context.rstrip()  # the rest belongs to the choices
        before = self._encode(context) if context else []
        choices = []
        for text in question.choices:
            ids = self._encode(question.context + text)
            begin = common_prefix(before, ids)
            if begin == len(ids):
                raise BadRowError(f"the tokenizer makes no token of the choice {text.strip()!r}")
            start = self.start_ids if begin else self.empty_ids()
            size = len(text.strip().encode("utf-8"))
            choices.append(Choice([*start, *ids], len(start) + begin, size))
        if self.tokenizer.unk_id is not None:
            self.unknown += sum(c.ids.count(self.tokenizer.unk_id) for c in choices)
        return choices

    def _encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, allowed_special="none")


def score_task(
    scorer: Scorer, file: TaskFile, progress: Progress
) -> tuple[TaskScore, list[RowScore]]:
    """Score a file's questions, which were prepared by a QuestionEncoder."""
    began = time.perf_counter()
    # Equal sequences are scored once: it is less work, and what is equal compares as equal.
    places: dict[tuple[bytes, int], int] = {}
    rows: list[Row] = []
    wanted: list[list[list[int]]] = []  # of each question and choice the places of its rows
    trimmed = []
    for item in file.items:
        cut = [suffix_rows(c.ids, c.begin, scorer.block_size) for c in item.prepared]
        trimmed.append(any(short for _, short in cut))
        wanted.append([[_placed(row, places, rows) for row in parts] for parts, _ in cut])
    scores: list[Score] = [Score(0.0, 0, True)] * len(rows)
    with progress.task(f"scoring {file.path}", len(rows), "row") as task:
        for place, score in scorer.batched(rows, greedy=True):
            scores[place] = score
            task.advance()
    found = []
    for item, choices, short in zip(file.items, wanted, trimmed, strict=True):
        pairs = zip(item.prepared, choices, strict=True)
        told = [_choice_score(choice, [scores[i] for i in parts]) for choice, parts in pairs]
        found.append(_row_score(file, item.line, item.question.label, told, short))
    seconds = time.perf_counter() - began
    return summed_up(file.name, file.path, found, len(file.bad), seconds), found


def _placed(row: Row, places: dict[tuple[bytes, int], int], rows: list[Row]) -> int:
    key = row.ids.tobytes(), row.begin
    if key not in places:
        places[key] = len(rows)
        rows.append(row)
    return places[key]


def _choice_score(choice: Choice, parts: Sequence[Score]) -> ChoiceScore:
    total = math.fsum(part.logprob for part in parts)
    tokens = sum(part.tokens for part in parts)
    return ChoiceScore(total, tokens, choice.bytes, all(part.greedy for part in parts))


def _row_score(
    file: TaskFile, line: int, label: int, choices: list[ChoiceScore], trimmed: bool
) -> RowScore:
    plain = [choice.loglikelihood for choice in choices]
    by_byte = [choice.loglikelihood / choice.bytes for choice in choices]
    normalised = None
    if file.name == LAMBADA:
        correct = choices[0].greedy
    elif file.name == BLIMP:
        correct = plain[0] > plain[1]
    else:  # the first of equals counts
        correct = plain.index(max(plain)) == label
        normalised = by_byte.index(max(by_byte)) == label
    return RowScore(file.name, file.path, line, label, choices, correct, normalised, trimmed)


def summed_up(
    name: str, file: str, rows: Sequence[RowScore], bad_rows: int, seconds: float
) -> TaskScore:
    """The score of a task from those of its rows."""
    right = sum(row.correct for row in rows)
    by_byte = [row.correct_normalised for row in rows if row.correct_normalised is not None]
    perplexity = None
    if name == LAMBADA:
        tokens = sum(row.choices[0].tokens for row in rows)
        perplexity = perplexity_of(-sum(row.choices[0].loglikelihood for row in rows) / tokens)
    return TaskScore(
        name=name,
        file=file,
        rows=len(rows),
        bad_rows=bad_rows,
        accuracy=right / len(rows),
        interval=wilson_interval(right, len(rows)),
        normalised_accuracy=sum(by_byte) / len(rows) if by_byte else None,
        normalised_interval=wilson_interval(sum(by_byte), len(rows)) if by_byte else None,
        perplexity=perplexity,
        trimmed=sum(row.trimmed for row in rows),
        seconds=round(seconds, 4),
    )
