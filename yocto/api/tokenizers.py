"""Tokenizers, learnt with one call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from yocto.config import TrainTokenizerConfig
from yocto.dataset.documents import open_texts
from yocto.tokenizer.bpe import BPETokenizer
from yocto.tokenizer.char_bpe import CharBPETokenizer
from yocto.tokenizer.normalize import Normalization
from yocto.tokenizer.special import separator_of
from yocto.tokenizer.trainers import make_trainer
from yocto.tokenizer.word import WordTokenizer
from yocto.utils.progress import Progress, default_progress


def train_tokenizer(
    paths: str | Path | Sequence[str | Path],
    vocab_size: int = 8000,
    num_merges: int | None = None,
    pattern: str = "gpt2",
    special_tokens: Sequence[str] | None = None,
    progress: Progress | None = None,
    *,
    kind: str = "byte-bpe",
    normalize: Normalization = "none",
    byte_fallback: bool = False,
    min_frequency: int = 1,
    workers: int | None = None,
) -> BPETokenizer | CharBPETokenizer | WordTokenizer:
    """Learn a tokenizer from texts, which are files, folders, globs or URLs: kind "byte-bpe",
    "char-bpe" or "word". The knobs are those of `yocto train-tokenizer`. Raises ConfigError for a
    wrong one.

    progress: None draws bars in a notebook, and nothing elsewhere.
    """
    files = [paths] if isinstance(paths, str | Path) else list(paths)
    trainer = make_trainer(
        TrainTokenizerConfig.from_dict({
            "kind": kind, "vocab_size": vocab_size, "num_merges": num_merges, "pattern": pattern,
            "special_token": None if special_tokens is None else list(special_tokens),
            "normalize": normalize, "byte_fallback": byte_fallback, "min_frequency": min_frequency,
            "workers": workers,
        })
    )  # fmt: skip
    separator = separator_of(trainer.special_tokens)
    texts = open_texts(files, separator=separator, cuts=trainer.cuts)
    return trainer.train(texts.parts(), progress or default_progress(), texts.text_size)
