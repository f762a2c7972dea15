"""yocto encode: text to token files, with a tokenizer that is there already."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from yocto.commands.data import check_outputs, encode_files, recorded_corpus, writing
from yocto.config import EncodeConfig
from yocto.dataset.tokens import Meta
from yocto.tokenizer.store import find_tokenizer, load_tokenizer
from yocto.utils.progress import Progress


@dataclass(frozen=True)
class Encoded:
    """What was encoded."""

    out_dir: str
    vocab_size: int
    splits: dict[str, dict[str, int | str]]

    @classmethod
    def of(cls, out_dir: Path, meta: Meta) -> Self:
        """The result that meta.json tells of."""
        splits = {name: dataclasses.asdict(split) for name, split in meta.splits.items()}
        return cls(str(out_dir), meta.vocab_size, splits)

    def summary(self) -> list[str]:
        """The result in words."""
        return [
            f"{name}: {split['tokens']:,} tokens, {split['bytes']:,} bytes of text"
            f" -> {Path(self.out_dir) / name}.bin"
            for name, split in self.splits.items()
        ]


def run(config: EncodeConfig, progress: Progress) -> Encoded:
    """Write train.bin, val.bin and meta.json."""
    tokenizer = load_tokenizer(config.tokenizer_path)
    found = find_tokenizer(config.tokenizer_path)
    assert found is not None
    paths = config.text_path or recorded_corpus(found.parent)
    out_dir = Path(config.out_dir) if config.out_dir is not None else found.parent
    check_outputs(out_dir, paths, tokenizer.kind, progress)
    with writing(out_dir):
        meta = encode_files(paths, tokenizer, out_dir, config.val_ratio, "encode", progress)
        if out_dir.resolve() != found.parent.resolve():
            tokenizer.save(out_dir)  # so that the folder is all that train needs
    return Encoded.of(out_dir, meta)
