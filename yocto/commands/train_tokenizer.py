"""yocto train-tokenizer: text to a byte-level BPE tokenizer."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from yocto.config import END_OF_TEXT, TrainTokenizerConfig
from yocto.dataset.text import find_text, read_documents
from yocto.tokenizer.base import end_token_of
from yocto.tokenizer.bpe_train import BPETrainer
from yocto.tokenizer.patterns import NAMED_PATTERNS
from yocto.utils.files import write_json
from yocto.utils.progress import Progress


def data_dir_flag(folder: str, default: str) -> str:
    """What the next command needs to find a folder that is not the default one."""
    return "" if Path(folder) == Path(default) else f" --data-dir {shlex.quote(folder)}"


CORPUS_FILE = "corpus.json"  # which text a tokenizer was trained on, for encode and train


@dataclass(frozen=True)
class TrainedTokenizer:
    """What train-tokenizer made."""

    out_dir: str
    vocab_size: int
    wanted: int | None
    merges: int
    bytes_per_token: float

    def summary(self) -> list[str]:
        """The result in words."""
        lines = [
            f"{self.vocab_size:,} tokens, {self.bytes_per_token:.2f} bytes of the text per token"
            f" -> {Path(self.out_dir) / 'tokenizer.json'}"
        ]
        if self.wanted is not None and self.vocab_size < self.wanted:
            lines.append(
                f"note: the text holds no more pairs to merge, so training stopped at "
                f"{self.vocab_size:,} of {self.wanted:,} tokens"
            )
        flag = data_dir_flag(self.out_dir, "data/token")
        return [*lines, f"next: yocto train --mode token{flag}"]


def run(config: TrainTokenizerConfig, progress: Progress) -> TrainedTokenizer:
    """Write tokenizer.json, vocab.json, merges.txt, and where the text lies."""
    trainer = BPETrainer(
        vocab_size=config.vocab_size,
        num_merges=config.num_merges,
        pattern=config.pattern,
        special_tokens=config.special_token,
    )
    separator = end_token_of(config.special_token) or END_OF_TEXT
    documents = list(read_documents(config.text_path, separator))
    if config.pattern not in NAMED_PATTERNS:
        progress.notice(
            "other programs that open tokenizer.json may read this regex differently; the named "
            "patterns are checked to give equal ids"
        )
    tokenizer = trainer.train(documents, progress)
    out_dir = Path(config.out_dir)
    tokenizer.save(out_dir)
    write_json(
        out_dir / CORPUS_FILE, {"paths": [str(find_text(p).absolute()) for p in config.text_path]}
    )
    sample = documents[0][:1_000_000]
    size = len(sample.encode("utf-8")) / max(1, len(tokenizer.encode(sample, "none")))
    wanted = config.vocab_size if config.num_merges is None else None
    return TrainedTokenizer(str(out_dir), tokenizer.vocab_size, wanted, len(tokenizer.merges), size)
