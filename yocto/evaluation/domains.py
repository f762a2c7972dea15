"""Tokenizers of several sizes trained on several texts, each on the first nine tenths of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from yocto.config import TrainTokenizerConfig
from yocto.errors import DataError, TokenizerError
from yocto.evaluation.corpora import Corpus, TextCounts
from yocto.evaluation.tokenizer_figures import Candidate
from yocto.tokenizer.nested import first_tokens, reach
from yocto.tokenizer.trainers import make_trainer
from yocto.utils.progress import Progress


@dataclass(frozen=True)
class Unfilled:
    """A size that a text could not fill. reached: the tokens that there are; None: it has no room
    for the text's characters and the special tokens."""

    trained_on: str
    wanted: int
    reached: int | None


def split_corpus(corpus: Corpus, counts: TextCounts) -> tuple[Corpus, Corpus]:
    """The first nine tenths of a text's characters, and the rest. Raises DataError where nothing
    would be left to train on."""
    cut = counts.characters * 9 // 10
    if not cut:
        raise DataError(
            f"{corpus.name} is too short to train on: {counts.characters} character",
            "Name a longer text.",
        )
    return replace(corpus, end=cut), replace(corpus, begin=cut)


def train_sizes(
    corpus: Corpus, sizes: Sequence[int], kind: str, pattern: str, progress: Progress
) -> tuple[list[Candidate], list[Unfilled]]:
    """A tokenizer for each size that the text fills, learnt at once: the smaller ones are the
    beginnings of the largest. Of the sizes that it can't fill, the first one has all there is.

    sizes: in ascending order. Raises TokenizerError where the text allows none of them.
    """
    settings = {"kind": kind, "pattern": pattern, "vocab_size": sizes[-1]}
    trainer = make_trainer(TrainTokenizerConfig.from_dict(settings))
    progress.say(f"training {len(sizes)} size{'s' * (len(sizes) > 1)} on {corpus.name}")
    parts = (part.text for part in corpus.parts(trainer.cuts))
    largest = trainer.train(parts, progress, corpus.texts.text_size * 9 // 10)
    most = reach(largest)
    made: list[Candidate] = []
    unfilled: list[Unfilled] = []
    for size in sizes:
        is_first = not unfilled or unfilled[-1].reached is None
        if size > most:
            unfilled.append(Unfilled(corpus.name, size, largest.vocab_size))
        if size <= most or is_first:
            try:
                tokenizer = first_tokens(largest, size)
            except TokenizerError:
                unfilled.append(Unfilled(corpus.name, size, None))
            else:
                made.append(Candidate(f"{corpus.name} {size}", tokenizer, corpus.name, size))
    return made, unfilled
