"""yocto encode: text to token files, with a tokenizer that is there already."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from yocto.commands.data import (
    check_outputs,
    cluster_of,
    data_dir_flag,
    encode_documents,
    encode_texts,
    open_corpus_text,
    sources_of,
    text_config,
    writing,
)
from yocto.config import EncodeConfig
from yocto.dataset.decoded import TokenDocuments
from yocto.dataset.encode import Target
from yocto.dataset.tokens import META_FILE, Ids, Meta, read_meta
from yocto.errors import DataError
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.special import UNK
from yocto.tokenizer.store import find_tokenizer, load_tokenizer
from yocto.utils.cores import available_cores
from yocto.utils.progress import Progress
from yocto.utils.text import duration

if TYPE_CHECKING:
    from yocto.utils.cluster import Cluster


@dataclass(frozen=True)
class Encoded:
    """What was encoded. mb_per_second: 10^6 bytes of text in a second; None where only a part of
    them was encoded now."""

    out_dir: str
    vocab_size: int
    splits: dict[str, dict[str, Any]]
    seconds: float
    mb_per_second: float | None

    @classmethod
    def of(cls, out_dir: Path, meta: Meta, began: float, resumed: bool = False) -> Self:
        """The result that meta.json tells of. began: when, by time.perf_counter."""
        splits = {name: asdict(split) for name, split in meta.splits.items()}
        seconds = time.perf_counter() - began
        size = sum(split.bytes for split in meta.splits.values())
        speed = None if resumed else round(size / 1e6 / seconds, 3)
        return cls(str(out_dir), meta.vocab_size, splits, round(seconds, 3), speed)

    def summary(self) -> list[str]:
        """The result in words."""
        speed = "" if self.mb_per_second is None else f", {self.mb_per_second:,.1f} MB/s"
        return [
            *self.files(),
            f"done in {duration(self.seconds)}{speed}",
            f"next: yocto train --mode token{data_dir_flag(self.out_dir, 'data/token')}",
        ]

    def files(self) -> list[str]:
        """What the files of each split hold."""
        lines = []
        for name, split in self.splits.items():
            files = [file["name"] for file in split["files"]]
            shown = files[0] if len(files) == 1 else f"{files[0]} … {files[-1]}" if files else "–"
            documents = f"{split['documents']:,} document" + "s" * (split["documents"] != 1)
            density = f", {split['bytes_per_token']:.2f} bytes a token" if split["tokens"] else ""
            lines.append(
                f"{name}: {split['tokens']:,} tokens, {split['bytes']:,} bytes of text in "
                f"{documents}{density} -> {Path(self.out_dir) / shown}"
            )
        return lines


def run(config: EncodeConfig, progress: Progress) -> Encoded:
    """Write the token files of each split, and meta.json."""
    began = time.perf_counter()
    tokenizer = load_tokenizer(config.tokenizer_path)
    found = find_tokenizer(config.tokenizer_path)
    assert found is not None
    out_dir = Path(config.out_dir) if config.out_dir is not None else found.parent
    own = out_dir.resolve() == found.parent.resolve()
    target = Target(
        out_dir, config.val_ratio, [], "encode",
        shard_tokens=config.shard_tokens, workers=config.workers or available_cores(),
        keep=True, resume=config.resume,
        # So that the folder is all that train needs.
        finish=lambda folder: None if own else tokenizer.save(folder),
    )  # fmt: skip
    if not own:
        tokenizer.check_room(out_dir)
    encode = _encode_tokens if config.from_bin else _encode_text
    with cluster_of(config, progress) as cluster, writing(out_dir, progress):
        if cluster is not None:
            target = replace(target, workers=cluster.workers)
        meta = encode(config, tokenizer, found.parent, target, progress, cluster)
    return Encoded.of(out_dir, meta, began, config.resume)


def _encode_text(
    config: EncodeConfig,
    tokenizer: BaseTokenizer,
    folder: Path,
    target: Target,
    progress: Progress,
    cluster: Cluster | None,
) -> Meta:
    read = text_config(config, folder)
    texts = open_corpus_text(read, tokenizer)
    check_outputs(target.folder, texts, tokenizer.kind, progress)
    is_stdin = "-" in read.text_path
    if config.resume and is_stdin:
        raise DataError(
            "standard input can't be read from where it was", "Start anew, without --resume."
        )
    target = replace(target, sources=sources_of(read), keep=not is_stdin)
    return encode_texts(texts, tokenizer, target, progress, cluster)


def _encode_tokens(
    config: EncodeConfig,
    tokenizer: BaseTokenizer,
    _: Path,
    target: Target,
    progress: Progress,
    cluster: Cluster | None,
) -> Meta:
    """Token files that another tokenizer made, decoded and encoded anew."""
    assert config.from_bin is not None
    folder = Path(config.from_bin)
    if not folder.is_dir():
        raise DataError(
            f"there is no folder {folder}", "Name the folder of token files: --from-bin"
        )
    if folder.resolve() == target.folder.resolve():
        raise DataError(f"{folder} would be overwritten", "Choose another folder: --out-dir")
    old = _old_tokenizer(config, folder)
    end_id, documents_before = old.end_id, None
    if (folder / META_FILE).exists():
        meta = read_meta(folder)
        end_id = meta.end_id
        documents_before = sum(split.documents for split in meta.splits.values())
        if meta.tokenizer_sha256 != old.sha256:
            raise DataError(
                f"the token files in {folder} were made with another tokenizer than the "
                f"{old.kind} one of {old.vocab_size:,} tokens",
                "Name the one that made them: --from-tokenizer",
            )
    check_outputs(target.folder, None, tokenizer.kind, progress)

    unknown = 0

    def decode(ids: Ids, previous: int | None) -> bytes:
        nonlocal unknown
        if old.unk_id is not None:
            unknown += int((ids == old.unk_id).sum())
        if previous is None:
            return old.decode_bytes(ids)
        # A token may look different behind another one: a word has a space before it there.
        before = [previous]
        return old.decode_bytes([*before, *ids.tolist()])[len(old.decode_bytes(before)) :]

    documents = TokenDocuments(folder, decode, old.vocab_size, end_id, cuts=tokenizer.cuts)
    settings = {
        "from_bin": str(folder), "from_sha256": documents.sha256(),
        "shard_tokens": target.shard_tokens,
    }  # fmt: skip
    target = replace(target, val_ratio=0.0, sources=[str(folder)], settings=settings, inputs=[])
    made = encode_documents(documents, tokenizer, target, progress, cluster)
    if unknown:
        progress.notice(
            f"{unknown:,} tokens of {folder} were {UNK}: what they stood for is lost; encode the "
            f"text itself to have it"
        )
    if end_id is None and (documents_before is None or documents_before > len(made.splits)):
        progress.notice(f"nothing in {folder} marks where documents end: each split became one")
    return made


def _old_tokenizer(config: EncodeConfig, folder: Path) -> BaseTokenizer:
    place = config.from_tokenizer or folder
    if find_tokenizer(place) is None:
        raise DataError(
            f"there is no tokenizer in {place}",
            "Name the one that made the token files: --from-tokenizer",
        )
    return load_tokenizer(place)
