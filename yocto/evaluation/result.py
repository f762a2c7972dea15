"""What an evaluation finds: plain values, so that whoever reads them waits for no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class TextScore:
    """A text, or the validation split of token files.

    loss: mean cross-entropy in nats a token; perplexity: its exponential. tokens: those that were
    scored, each once; bytes, characters: of the text that they stand for. bits_per_byte,
    bits_per_character: None where the tokens stand for no text, as those of a model without a
    tokenizer. stride: tokens from the start of a window to that of the next one. seconds: of
    scoring alone.
    """

    name: str
    loss: float
    perplexity: float
    bits_per_byte: float | None
    bits_per_character: float | None
    tokens: int
    bytes: int
    characters: int
    stride: int
    block_size: int
    seconds: float
    tokens_per_second: float


@dataclass(frozen=True)
class TaskScore:
    """A task from a file; of a folder's files the whole folder, too.

    name: hellaswag, lambada, blimp or multiple-choice. rows: that were scored; bad_rows: that were
    passed over. accuracy: the share of rows whose right answer is the likeliest one;
    normalised_accuracy: the likeliest by the byte. The intervals hold the true share with 95 %
    confidence. perplexity: per token of the last words. trimmed: rows that did not fit into the
    context.
    """

    name: str
    file: str
    rows: int
    bad_rows: int
    accuracy: float
    interval: list[float]
    normalised_accuracy: float | None
    normalised_interval: list[float] | None
    perplexity: float | None
    trimmed: int
    seconds: float


@dataclass(frozen=True)
class Evaluation:
    """All that was measured of a checkpoint at once.

    run: its name. ckpt: the folder of the step. time: when, in UTC, like 2026-01-31T12:00:00Z.
    """

    run: str
    step: int
    ckpt: str
    texts: list[TextScore]
    tasks: list[TaskScore]
    device: str
    time: str


_Z = 1.959963984540054  # 95 % of a normal distribution lie so many deviations around its mean


def wilson_interval(right: int, rows: int) -> list[float]:
    """The 95 % interval of a share, of which `right` in `rows` were seen (Wilson 1927): it stays
    within 0 and 1, and is none of no width where all or none are right.

    >>> [round(end, 3) for end in wilson_interval(8, 10)]
    [0.49, 0.943]
    """
    share, z2 = right / rows, _Z * _Z
    middle = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    half = _Z / (1 + z2 / rows) * math.sqrt(share * (1 - share) / rows + z2 / (4 * rows * rows))
    return [max(0.0, middle - half), min(1.0, middle + half)]


def perplexity_of(loss: float) -> float:
    """exp(loss); a loss that no float has room for counts as 700 nats."""
    return math.exp(min(loss, 700.0))
