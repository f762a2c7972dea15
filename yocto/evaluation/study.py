"""What a study of tokenizers has found: figures of each model over its training, and their means.

Plain values, from results.json; the standard library is all it takes to read and to draw them.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class TaskFigure:
    """How a model did in a task. interval: of 95 % (Wilson's), [low, high]. normalised_…: by the
    byte of the endings, where the task has several."""

    accuracy: float
    interval: list[float]
    rows: int
    normalised_accuracy: float | None = None
    normalised_interval: list[float] | None = None


@dataclass(frozen=True)
class StudyPoint:
    """A model at one moment of its training.

    tokens: learnt from so far; bytes: of text that they stand for, on average. loss: in nats per
    token.
    """

    step: int
    tokens: int
    bytes: int
    loss: float
    bits_per_byte: float
    tasks: dict[str, TaskFigure] = field(default_factory=dict)


@dataclass(frozen=True)
class StudyModel:
    """One model. steps: when it is measured, the last of them its end; is_trained: whether it has
    come there; points: what was measured so far."""

    run: str
    domain: str
    seed: int
    steps: list[int]
    is_trained: bool = False
    points: list[StudyPoint] = field(default_factory=list)

    @property
    def is_measured(self) -> bool:
        """Whether all of it is known."""
        return len(self.points) == len(self.steps)


@dataclass(frozen=True)
class StudyTokenizer:
    """A domain's tokenizer, and the common text in its tokens.

    used: tokens that occur there, of vocab_size. bytes_per_token: of the whole common text;
    train_bytes_per_token: of the part that models learn from.
    """

    domain: str
    vocab_size: int
    used: int
    bytes_per_token: float
    train_bytes_per_token: float


@dataclass(frozen=True)
class Mean:
    """The mean of several models, and how far they lie apart: the standard deviation of a sample;
    None for one model."""

    value: float
    spread: float | None = None

    @classmethod
    def of(cls, values: Sequence[float]) -> Mean:
        """Of one value or more.

        >>> Mean.of([1.0, 2.0, 3.0])
        Mean(value=2.0, spread=1.0)
        """
        spread = statistics.stdev(values) if len(values) > 1 else None
        return cls(statistics.fmean(values), spread)


@dataclass(frozen=True)
class TaskMean:
    """A task's accuracy, the mean of several models. interval: of 95 %, the mean of theirs: what
    the number of rows leaves open, as the spread tells what seeds do. normalised_…: by the byte
    of the endings, where the task has several."""

    accuracy: Mean
    interval: list[float]
    normalised_accuracy: Mean | None = None
    normalised_interval: list[float] | None = None

    @classmethod
    def of(cls, figures: Sequence[TaskFigure]) -> TaskMean:
        """Of one model or more."""
        mean = Mean.of([figure.accuracy for figure in figures])
        interval = _between([figure.interval for figure in figures])
        by_length = [f.normalised_accuracy for f in figures if f.normalised_accuracy is not None]
        ends = [f.normalised_interval for f in figures if f.normalised_interval is not None]
        if not by_length or not ends:
            return cls(mean, interval)
        return cls(mean, interval, Mean.of(by_length), _between(ends))


def _between(intervals: Sequence[list[float]]) -> list[float]:
    return [statistics.fmean(interval[end] for interval in intervals) for end in (0, 1)]


@dataclass(frozen=True)
class MeanPoint:
    """The models of a domain at one moment of their training."""

    step: int
    tokens: int
    bytes: int
    bits_per_byte: Mean
    tasks: dict[str, TaskMean]


def curve(models: Sequence[StudyModel]) -> list[MeanPoint]:
    """The mean of a domain's models over their training, as far as all of them are measured."""
    found = []
    for points in zip(*(model.points for model in models), strict=False):
        first = points[0]
        tasks = {name: TaskMean.of([point.tasks[name] for point in points]) for name in first.tasks}
        bits = Mean.of([point.bits_per_byte for point in points])
        found.append(MeanPoint(first.step, first.tokens, first.bytes, bits, tasks))
    return found
