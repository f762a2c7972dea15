"""yocto encode: text to token files, with a tokenizer that is there already."""

from __future__ import annotations

import dataclasses
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from yocto.commands.train_tokenizer import CORPUS_FILE
from yocto.config import EncodeConfig
from yocto.dataset.encode import TokenMaker, write_dataset
from yocto.dataset.text import find_text, read_documents
from yocto.dataset.tokens import Meta, load_split
from yocto.errors import DataError
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.store import find_tokenizer, load_tokenizer
from yocto.utils.files import read_json
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
    meta = encode_files(paths, tokenizer, out_dir, config.val_ratio, "encode", progress)
    if out_dir.resolve() != found.parent.resolve():
        tokenizer.save(out_dir)  # so that the folder is all that train needs
    return Encoded.of(out_dir, meta)


def recorded_corpus(folder: Path) -> tuple[str, ...]:
    """The text files that the tokenizer in this folder was trained on."""
    hint = "Name the text: yocto encode --text-path FILE"
    file = folder / CORPUS_FILE
    if not file.is_file():
        raise DataError(f"{folder} does not tell which text to encode", hint)
    content = read_json(file, DataError, hint)
    paths = content.get("paths") if isinstance(content, dict) else None
    if not isinstance(paths, list) or not paths or not all(map(_can_be_text, paths)):
        raise DataError(f"{file} is damaged", hint)
    return tuple(paths)


def _can_be_text(path: Any) -> bool:
    """Whether a text may lie there; a device or a pipe might never end."""
    if not isinstance(path, str):
        return False
    try:
        mode = Path(path).stat().st_mode
    except ValueError:  # no file can have that name
        return False
    except OSError:  # who reads it tells what is wrong
        return True
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def encode_files(
    paths: Sequence[str],
    tokenizer: BaseTokenizer,
    out_dir: Path,
    val_ratio: float,
    made_by: str,
    progress: Progress,
) -> Meta:
    """Read text files and write their token files."""
    documents = list(read_documents(paths, tokenizer.separator))
    return encode_documents(documents, tokenizer, out_dir, val_ratio, paths, made_by, progress)


def encode_documents(
    documents: Sequence[str],
    tokenizer: BaseTokenizer,
    out_dir: Path,
    val_ratio: float,
    paths: Sequence[str],
    made_by: str,
    progress: Progress,
) -> Meta:
    """Write the token files of documents; the tokenizer's encode goes to the dataset's writer."""
    maker = TokenMaker(
        tokenizer.encode_to_numpy, tokenizer.vocab_size, tokenizer.end_id, tokenizer.sha256
    )
    meta = write_dataset(
        documents,
        maker,
        out_dir,
        val_ratio=val_ratio,
        sources=[str(find_text(path)) for path in paths],
        made_by=made_by,
        progress=progress,
    )
    _tell_unknown(out_dir, meta, tokenizer, progress)
    return meta


def _tell_unknown(folder: Path, meta: Meta, tokenizer: BaseTokenizer, progress: Progress) -> None:
    """Say how much of the text a tokenizer with <unk> could not write."""
    if tokenizer.unk_id is None:
        return
    splits = [load_split(folder, name, meta) for name in meta.splits]
    unknown = sum(int((split == tokenizer.unk_id).sum()) for split in splits)
    if unknown:
        share = unknown / sum(map(len, splits))
        progress.notice(
            f"{share:.2%} of the tokens are <unk>: this tokenizer does not know them, and bits per "
            f"byte leave out what they hide. A larger --vocab-size helps; byte-bpe knows any text"
        )
