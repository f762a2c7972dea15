"""yocto train-tokenizer: text to a tokenizer of bytes, characters or words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from yocto.commands.data import check_outputs, cluster_of, data_dir_flag, record_corpus
from yocto.config import TrainTokenizerConfig
from yocto.dataset.documents import open_texts
from yocto.tokenizer.patterns import NAMED_PATTERNS
from yocto.tokenizer.special import separator_of
from yocto.tokenizer.trainers import make_trainer
from yocto.utils.progress import Progress

_SAMPLE = 1_000_000  # characters of the text that bytes per token are measured on


@dataclass(frozen=True)
class TrainedTokenizer:
    """What train-tokenizer made."""

    out_dir: str
    kind: str
    vocab_size: int
    wanted: int | None
    merges: int | None  # None: a word tokenizer has none
    bytes_per_token: float

    def summary(self) -> list[str]:
        """The result in words."""
        lines = [
            f"{self.vocab_size:,} tokens, {self.bytes_per_token:.2f} bytes of the text per token"
            f" -> {Path(self.out_dir) / 'tokenizer.json'}"
        ]
        if self.wanted is not None and self.vocab_size < self.wanted:
            what = "words" if self.kind == "word" else "pairs to merge"
            lines.append(
                f"note: the text holds no more {what}, so training stopped at "
                f"{self.vocab_size:,} of {self.wanted:,} tokens"
            )
        flag = data_dir_flag(self.out_dir, "data/token")
        return [*lines, f"next: yocto train --mode token{flag}"]


def run(config: TrainTokenizerConfig, progress: Progress) -> TrainedTokenizer:
    """Write tokenizer.json, vocab.json, merges.txt, and where the text lies."""
    trainer = make_trainer(config)
    own_pattern = config.kind != "word" and config.pattern not in NAMED_PATTERNS
    separator = separator_of(trainer.special_tokens)
    texts = open_texts(config.text_path, config, separator, cuts=trainer.cuts)
    out_dir = Path(config.out_dir)
    check_outputs(out_dir, texts, config.kind, progress)
    sample: list[str] = []
    parts = _sampled(texts.parts(), sample)
    first = next(parts)
    if own_pattern:
        progress.notice(
            "other programs that open tokenizer.json may read this regex differently; the named "
            "patterns are checked to give equal ids"
        )
    with cluster_of(config, progress) as cluster:
        tokenizer = trainer.train(chain([first], parts), progress, texts.text_size, cluster)
    tokenizer.save(out_dir)
    record_corpus(out_dir, config)
    ids = tokenizer.encode_batch(sample, "none")
    size = sum(len(text.encode("utf-8")) for text in sample)
    return TrainedTokenizer(
        out_dir=str(out_dir),
        kind=config.kind,
        vocab_size=tokenizer.vocab_size,
        wanted=config.vocab_size if config.num_merges is None else None,
        merges=len(getattr(tokenizer, "merges", ())) if config.kind != "word" else None,
        bytes_per_token=size / max(1, sum(map(len, ids))),
    )


def _sampled(parts: Iterator[str], sample: list[str]) -> Iterator[str]:
    """All parts of a text; the first ones go into a sample too, as many as it takes."""
    size = 0
    for part in parts:
        if size < _SAMPLE:
            sample.append(part[: _SAMPLE - size])
            size += len(sample[-1])
        yield part
