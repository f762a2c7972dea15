"""yocto prepare-char: text to a character vocabulary and token files."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from yocto.commands.data import (
    check_outputs,
    data_dir_flag,
    encode_texts,
    read_twice,
    record_corpus,
    sources_of,
    writing,
)
from yocto.commands.encode import Encoded
from yocto.config import END_OF_TEXT, PrepareCharConfig
from yocto.dataset.documents import LookedThrough, Texts, open_texts
from yocto.dataset.encode import Target
from yocto.dataset.split import SplitPlan, parts_of, plan_split
from yocto.tokenizer.char import CharTokenizer, make_preparer
from yocto.utils.progress import Progress


@dataclass(frozen=True)
class Prepared(Encoded):
    """What prepare-char made."""

    def summary(self) -> list[str]:
        """The result in words."""
        return [
            f"{self.vocab_size} different characters -> {Path(self.out_dir) / 'vocab.json'}",
            *self.files(),
            f"next: yocto train --mode char{data_dir_flag(self.out_dir, 'data/char')}",
        ]


def run(config: PrepareCharConfig, progress: Progress) -> Prepared:
    """Write vocab.json, train.bin, val.bin and meta.json."""
    began = time.perf_counter()
    texts = open_texts(config.text_path, config)
    out_dir = Path(config.out_dir)
    check_outputs(out_dir, texts, CharTokenizer.kind, progress)
    with read_twice(texts):
        with progress.task("looking through the text", texts.size or None, "byte") as task:
            plan = plan_split(LookedThrough(texts), config.val_ratio, task)
        tokenizer = _tokenizer(config, texts, plan, progress)
        tokenizer.check_room(out_dir)

        def finish(folder: Path) -> None:
            tokenizer.save(folder)
            record_corpus(folder, config)

        target = Target(
            out_dir, config.val_ratio, sources_of(config), "prepare-char", finish=finish,
            plan=plan,
        )  # fmt: skip
        with writing(out_dir, progress):
            meta = encode_texts(texts, tokenizer, target, progress)
    return Prepared.of(out_dir, meta, began)


def _tokenizer(
    config: PrepareCharConfig, texts: Texts, plan: SplitPlan, progress: Progress
) -> CharTokenizer:
    """The characters that the text has once it is split and prepared: one document may be cut
    between a letter and its accent, which are one character only together."""
    prepared = make_preparer(config.normalize, config.lowercase)
    # The separator's text inside a line is plain text, so its characters count too.
    characters: set[str] = set()
    documents = consumed = 0
    with progress.task("collecting characters", texts.size or None, "byte") as task:
        for piece, parts in parts_of(texts.pieces(), plan):
            documents += piece.starts
            for part in parts:
                characters.update(prepared(part.data.decode("utf-8")))
            task.advance(texts.consumed - consumed)
            consumed = texts.consumed
    # One document needs no end token, and without it the ids are nanoGPT's.
    special = [config.document_separator or END_OF_TEXT] if documents > 1 else []
    return CharTokenizer(sorted(characters), special, config.normalize, config.lowercase)
