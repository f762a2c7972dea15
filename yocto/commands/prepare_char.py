"""yocto prepare-char: text to a character vocabulary and token files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from yocto.commands.data import check_outputs, data_dir_flag, encode_documents, writing
from yocto.commands.encode import Encoded
from yocto.config import END_OF_TEXT, PrepareCharConfig
from yocto.dataset.text import read_documents
from yocto.tokenizer.char import CharTokenizer
from yocto.utils.progress import Progress


@dataclass(frozen=True)
class Prepared(Encoded):
    """What prepare-char made."""

    def summary(self) -> list[str]:
        """The result in words."""
        return [
            f"{self.vocab_size} different characters -> {Path(self.out_dir) / 'vocab.json'}",
            *super().summary(),
            f"next: yocto train --mode char{data_dir_flag(self.out_dir, 'data/char')}",
        ]


def run(config: PrepareCharConfig, progress: Progress) -> Prepared:
    """Write vocab.json, train.bin, val.bin and meta.json."""
    documents = list(read_documents(config.text_path))
    # One document needs no end token, and without it the ids are nanoGPT's.
    special = [END_OF_TEXT] if len(documents) > 1 else []
    # The separator's text inside a line is plain text, so its characters count too.
    tokenizer = CharTokenizer(sorted(set().union(*documents)), special)
    out_dir = Path(config.out_dir)
    check_outputs(out_dir, config.text_path, tokenizer.kind, progress)
    with writing(out_dir):
        meta = encode_documents(
            documents, tokenizer, out_dir, config.val_ratio, config.text_path, "prepare-char",
            progress,
        )  # fmt: skip
        tokenizer.save(out_dir)  # last: where encoding fails, the old files stay whole
    return Prepared.of(out_dir, meta)
