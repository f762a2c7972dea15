"""Which trainer makes which kind of tokenizer."""

from __future__ import annotations

from yocto.config import TrainTokenizerConfig
from yocto.tokenizer.bpe_train import BPETrainer
from yocto.tokenizer.word import WordTrainer
from yocto.utils.cores import available_cores


def make_trainer(config: TrainTokenizerConfig) -> BPETrainer | WordTrainer:
    """The trainer of the kind that the user chose."""
    if config.kind == "word":
        return WordTrainer(config.vocab_size, config.special_token, config.normalize)
    return BPETrainer(
        config.kind,
        vocab_size=config.vocab_size,
        num_merges=config.num_merges,
        pattern=config.pattern,
        special_tokens=config.special_token,
        min_frequency=config.min_frequency,
        normalize=config.normalize,
        byte_fallback=config.byte_fallback,
        workers=config.workers or available_cores(),
    )
