"""What a tokenizer makes of a text, in figures that compare with those of others.

The text is taken as plain: what spells a special token is text like any other. It is read in parts
that leave the ids as they are, so that memory does not grow with it.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from yocto.evaluation.corpora import Corpus, Part, TextCounts, batches
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.char import CharTokenizer
from yocto.utils.cuts import Cuts
from yocto.utils.progress import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SAMPLE = 1 << 21  # characters at the beginning of a text that speed is measured on
_PASSES = 5  # timed ones, after one that is not …
_LEAST = 3  # … but no more than so many of a tokenizer
_SLOW = 3.0  # that has taken so many seconds
_SHORTEST = 0.02  # seconds of a pass: a short text is encoded several times in one


@dataclass(frozen=True)
class Candidate:
    """A tokenizer to measure. trained_on: the corpus that it was trained on here, and wanted: the
    size that was asked for; None for one that was there before."""

    name: str
    tokenizer: BaseTokenizer
    trained_on: str | None = None
    wanted: int | None = None


@dataclass(frozen=True)
class TokenizerFigures:
    """What one tokenizer makes of one text.

    vocab_size: one more than its largest id. tokens: of the text. tokens_per_word: a word is a run
    of characters that are no white space; None where there is none. used: how many different ids
    occur; used_share: of vocab_size. fallbacks: tokens that are a single byte of a longer
    character, <0xNN>, or stand for something unknown; fallback_share: of all tokens. mb_per_second:
    10^6 bytes of UTF-8 per CPU second, on one thread, warm, as yocto runs this tokenizer. exact:
    whether decoding the ids gives the very bytes of the text.
    """

    name: str
    kind: str
    vocab_size: int
    trained_on: str | None
    wanted: int | None
    tokens: int
    bytes_per_token: float
    characters_per_token: float
    tokens_per_word: float | None
    used: int
    used_share: float
    fallbacks: int
    fallback_share: float
    mb_per_second: float
    exact: bool


def measure(
    candidates: Sequence[Candidate], corpus: Corpus, counts: TextCounts, progress: Progress
) -> list[TokenizerFigures]:
    """Encode a corpus with all tokenizers; `counts` tells how long it is. Raises what the
    tokenizers raise for a text that is not for them."""
    meters = [_Meter(candidate) for candidate in candidates]
    for meter in meters:
        meter.tokenizer.expect(counts.bytes, progress.say)
    description = f"measuring on {corpus.name}"
    with progress.task(description, counts.bytes * len(meters), "byte") as task:
        for cuts, group in _by_cuts(meters):
            for batch in batches(corpus.parts(cuts)):
                size = sum(len(part.data) for part in batch)
                for meter in group:
                    task.status(meter.candidate.name)
                    meter.add(batch)
                    task.advance(size)
    speeds = _speeds(meters, _sample(corpus), progress)
    return [meter.figures(counts, speed) for meter, speed in zip(meters, speeds, strict=True)]


def _by_cuts(meters: Sequence[_Meter]) -> list[tuple[Cuts, list[_Meter]]]:
    """Those that can do with parts of a document, and those that need it whole."""
    whole = [meter for meter in meters if meter.tokenizer.cuts == "none"]
    parted = [meter for meter in meters if meter.tokenizer.cuts != "none"]
    groups: list[tuple[Cuts, list[_Meter]]] = [("raw", parted), ("none", whole)]
    return [(cuts, group) for cuts, group in groups if group]


@dataclass
class _Meter:
    """What one tokenizer has made so far. unknown: characters that a char vocabulary lacks, and
    that become no token there; each counts as one."""

    candidate: Candidate
    occurs: NDArray[np.int64] = field(init=False)
    unknown: int = 0
    exact: bool = True

    def __post_init__(self) -> None:
        self.occurs = np.zeros(self.tokenizer.vocab_size, np.int64)

    @property
    def tokenizer(self) -> BaseTokenizer:
        return self.candidate.tokenizer

    def add(self, batch: Sequence[Part]) -> None:
        """Encode some parts, and decode them again."""
        made, unknown = self.encode([part.text for part in batch])
        self.unknown += unknown
        self.occurs += np.bincount(np.concatenate(made), minlength=len(self.occurs))
        if self.exact:
            pairs = zip(made, batch, strict=True)
            self.exact = all(self.tokenizer.decode_bytes(i) == part.data for i, part in pairs)

    def encode(self, texts: Sequence[str]) -> tuple[list[NDArray[Any]], int]:
        """The ids of texts, and how many characters have none."""
        if not isinstance(self.tokenizer, CharTokenizer):
            return self.tokenizer.encode_batch_to_numpy(texts), 0
        found = [self.tokenizer.encode_known(text) for text in texts]
        return [ids for ids, _ in found], sum(missing for _, missing in found)

    def figures(self, counts: TextCounts, mb_per_second: float) -> TokenizerFigures:
        """All that was counted, in ratios."""
        tokens = int(self.occurs.sum()) + self.unknown
        used = np.flatnonzero(self.occurs)
        fallback = [i for i in used.tolist() if self.tokenizer.is_fallback(i)]
        fallbacks = int(self.occurs[fallback].sum()) + self.unknown
        size = self.tokenizer.vocab_size
        return TokenizerFigures(
            name=self.candidate.name,
            kind=self.tokenizer.kind,
            vocab_size=size,
            trained_on=self.candidate.trained_on,
            wanted=self.candidate.wanted,
            tokens=tokens,
            bytes_per_token=counts.bytes / max(1, tokens),
            characters_per_token=counts.characters / max(1, tokens),
            tokens_per_word=tokens / counts.words if counts.words else None,
            used=len(used),
            used_share=len(used) / max(1, size),
            fallbacks=fallbacks,
            fallback_share=fallbacks / max(1, tokens),
            mb_per_second=mb_per_second,
            exact=self.exact and not self.unknown,
        )


# -------------------------------------------------------------------------------------- speed


def _sample(corpus: Corpus) -> list[str]:
    """The beginning of a text."""
    texts: list[str] = []
    left = _SAMPLE
    for part in corpus.parts("raw"):
        texts.append(part.text[:left])
        left -= len(texts[-1])
        if not left:
            break
    return texts


def _speeds(meters: Sequence[_Meter], texts: Sequence[str], progress: Progress) -> list[float]:
    """MB per CPU second of each, the median of several passes. The tokenizers take turns, so that
    what else the machine does meets all of them alike."""
    size = sum(len(text.encode("utf-8")) for text in texts)
    times: list[list[float]] = [[] for _ in meters]
    gc.collect()
    with progress.task("timing", len(meters) * (_PASSES + 1), "round") as task:
        repeats = []
        for meter in meters:
            task.status(meter.candidate.name)
            cold = _seconds(meter, texts, 1)
            repeats.append(max(1, min(1000, round(_SHORTEST / max(cold, 1e-6)))))
            task.advance()
        for _ in range(_PASSES):
            for meter, taken, count in zip(meters, times, repeats, strict=True):
                task.status(meter.candidate.name)
                if len(taken) < _LEAST or sum(taken) < _SLOW:
                    taken.append(_seconds(meter, texts, count))
                task.advance()
    return [size / 1e6 / max(median(taken), 1e-9) for taken in times]


def _seconds(meter: _Meter, texts: Sequence[str], count: int) -> float:
    """CPU seconds of all threads that a pass takes, the mean of `count`. What else runs on the core
    does not count, and threads in hiding do. Python's garbage collector waits."""
    gc.disable()
    try:
        began = time.process_time()
        for _ in range(count):
            meter.encode(texts)
        return (time.process_time() - began) / count
    finally:
        gc.enable()
