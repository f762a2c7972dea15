"""What a folder of token files, or one .bin file, holds: counts, tokens in use, how it begins."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from yocto.config import InspectConfig
from yocto.dataset.statistics import Counts, IdStatistics, count_file, most_frequent
from yocto.dataset.tokens import META_FILE, Ids, Meta, TokenShards, load_bin, map_file, read_meta
from yocto.errors import DataError
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.facts import TokenRow, longest, token_table_of
from yocto.utils.progress import Progress
from yocto.utils.text import escaped

# What nanoGPT and its like call their files; any .bin may hold something else.
_PLAIN = re.compile(r"(train|val|valid|validation|test)(?:_[0-9]+)?\.bin")
_ANEW = "Encode the text anew: yocto encode, or yocto prepare-char."


@dataclass(frozen=True)
class Split:
    """What the files of a split hold; None where nothing tells.

    longest_document: in tokens.
    """

    tokens: int
    bytes: int | None
    bytes_per_token: float | None
    documents: int | None
    tokens_per_document: float | None
    longest_document: int | None
    files: list[str]
    size: int


@dataclass(frozen=True)
class Opening:
    """How a document begins. at: its place in its split, in tokens. text: decoded, or ids."""

    split: str
    at: int
    text: str


@dataclass(frozen=True)
class TokenFiles:
    """What token files hold.

    assumed: what was taken for granted where no meta.json tells; else "". tokenizer: whether the
    one at hand made them; "assumed" where nothing contradicts; then tokens and openings are texts.
    used, used_share: ids that occur, of vocab_size.
    """

    dtype: str
    vocab_size: int | None
    end_id: int | None
    assumed: str
    tokenizer: Literal["same", "other", "assumed", "none"]
    made_by: str | None
    sources: list[str]
    splits: dict[str, Split]
    used: int
    used_share: float | None
    frequent: list[TokenRow]
    longest: list[TokenRow]
    openings: list[Opening]


@dataclass(frozen=True)
class _Bin:
    """One file: its ids, and its checksum where meta.json has it."""

    path: Path
    ids: Ids
    sha256: str | None


def is_token_file(path: Path) -> bool:
    """Whether a file's name says that it holds ids."""
    return path.suffix == ".bin"


def holds_tokens(folder: Path) -> bool:
    """Whether a folder has token files, told by their names."""
    return (folder / META_FILE).is_file() or any(_plain_files(folder))


def _plain_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.bin") if _PLAIN.fullmatch(path.name))


def inspect_tokens(
    path: Path, tokenizer: BaseTokenizer | None, config: InspectConfig, progress: Progress
) -> tuple[TokenFiles, dict[str, str], list[str]]:
    """Count what a folder's token files, or one of them, hold.

    Returns what was found; with config.verify also the SHA-256 of each file (else none), and the
    files whose checksum was compared. Raises DataError: missing, truncated, an id out of range, or,
    with config.verify, altered.
    """
    meta, found = _open(path)
    end_id = meta.end_id if meta else tokenizer.end_id if tokenizer else None
    counts: Counts = np.zeros(meta.vocab_size if meta else 1 << 16, np.int64)
    statistics, digests = _count(found, counts, end_id, config.verify, progress)
    report = _report(found, meta, tokenizer, statistics, counts, config)
    compared = [str(b.path) for bins in found.values() for b in bins if b.sha256]
    return report, digests, compared if config.verify else []


def _report(
    found: dict[str, list[_Bin]],
    meta: Meta | None,
    tokenizer: BaseTokenizer | None,
    statistics: dict[str, IdStatistics],
    counts: Counts,
    config: InspectConfig,
) -> TokenFiles:
    """What was counted, in the words of the tokenizer where it is theirs."""
    fits = _fits(tokenizer, meta, counts)
    readable = tokenizer if fits in ("same", "assumed") else None
    end_id = meta.end_id if meta else readable.end_id if readable else None
    vocab_size = meta.vocab_size if meta else readable.vocab_size if readable else None
    table = token_table_of(readable, map(int, np.flatnonzero(counts))) if readable else {}
    used = int(np.count_nonzero(counts))
    return TokenFiles(
        dtype=meta.dtype if meta else "uint16",
        vocab_size=vocab_size,
        end_id=end_id,
        assumed="" if meta else "uint16 ids, as nanoGPT writes them",
        tokenizer=fits,
        made_by=meta.made_by if meta else None,
        sources=meta.sources if meta else [],
        splits={
            name: _split(name, bins, statistics[name], meta, end_id) for name, bins in found.items()
        },
        used=used,
        used_share=used / vocab_size if vocab_size else None,
        frequent=[_row(i, table, counts) for i in most_frequent(counts, config.top)],
        longest=_longest(readable, table, counts, config.top),
        openings=_openings(found, statistics, readable, end_id, config.excerpt),
    )


def _open(path: Path) -> tuple[Meta | None, dict[str, list[_Bin]]]:
    """The files by split, and the meta.json that tells of them, if any does."""
    folder = path if path.is_dir() else path.parent
    meta = read_meta(folder) if (folder / META_FILE).is_file() else None
    if meta and (found := _of_meta(path, meta)):
        return meta, found
    return None, _of_names(path)


def _of_meta(path: Path, meta: Meta) -> dict[str, list[_Bin]]:
    """The files that meta.json tells of: all, or the one that is meant."""
    folder = path if path.is_dir() else path.parent
    found = {}
    for name, split in meta.splits.items():
        files = [file for file in split.files if path.is_dir() or file.name == path.name]
        bins = [
            _Bin(folder / file.name, map_file(folder / file.name, file.tokens, meta), file.sha256)
            for file in files
        ]
        if bins or path.is_dir():
            found[name] = bins
    return found


def _of_names(path: Path) -> dict[str, list[_Bin]]:
    """Files that nothing tells of, by the splits in their names."""
    found: dict[str, list[_Bin]] = {}
    for file in _plain_files(path) if path.is_dir() else [path]:
        known = _PLAIN.fullmatch(file.name)
        name = known[1] if known and path.is_dir() else file.stem
        found.setdefault(name, []).append(_Bin(file, load_bin(file), None))
    return found


def _count(
    found: dict[str, list[_Bin]], counts: Counts, end_id: int | None, verify: bool, tell: Progress
) -> tuple[dict[str, IdStatistics], dict[str, str]]:
    """Read all files once: the statistics of each split, and with `verify` the files' SHA-256."""
    statistics = {name: IdStatistics(counts, end_id) for name in found}
    digests = {}
    total = sum(len(b.ids) for bins in found.values() for b in bins)
    with tell.task("verifying" if verify else "counting", total, "token") as task:
        for name, bins in found.items():
            for b in bins:
                sha256 = count_file(b.path, b.ids, statistics[name], task.advance, digest=verify)
                if verify:
                    digests[str(b.path)] = sha256
                if verify and b.sha256 and sha256 != b.sha256:
                    raise DataError(
                        f"{b.path} is altered: its checksum is not that in {META_FILE}", _ANEW
                    )
            statistics[name].finish()
    return statistics, digests


def _fits(
    tokenizer: BaseTokenizer | None, meta: Meta | None, counts: Counts
) -> Literal["same", "other", "assumed", "none"]:
    if tokenizer is None:
        return "none"
    if meta is not None:
        return "same" if tokenizer.sha256 == meta.tokenizer_sha256 else "other"
    return "other" if counts[tokenizer.vocab_size :].any() else "assumed"


def _split(
    name: str, bins: Sequence[_Bin], seen: IdStatistics, meta: Meta | None, end_id: int | None
) -> Split:
    """A split as meta.json tells of it where all of it is there; else what the ids tell."""
    told = meta.splits[name] if meta else None
    if told is not None and len(told.files) != len(bins):
        told = None
    documents = told.documents if told else seen.documents if end_id is not None else None
    return Split(
        tokens=seen.tokens,
        bytes=told.bytes if told else None,
        bytes_per_token=told.bytes_per_token if told and told.tokens else None,
        documents=documents,
        tokens_per_document=round(seen.tokens / documents, 1) if documents else None,
        longest_document=seen.longest_document if end_id is not None else None,
        files=[b.path.name for b in bins],
        size=sum(b.ids.nbytes for b in bins),
    )


def _row(token_id: int, table: dict[int, bytes], counts: Counts) -> TokenRow:
    data, count = table.get(token_id), int(counts[token_id])
    return TokenRow(
        id=token_id,
        text=None if data is None else escaped(data),
        bytes=None if data is None else len(data),
        count=count,
        share=count / int(counts.sum()),
    )


def _longest(
    tokenizer: BaseTokenizer | None, table: dict[int, bytes], counts: Counts, top: int
) -> list[TokenRow]:
    """The longest tokens in use; special ones stand for no text."""
    special = set(tokenizer.special_tokens.values()) if tokenizer else set()
    plain = {i: data for i, data in table.items() if i not in special}
    return [_row(i, table, counts) for i in longest(plain, top)]


def _openings(
    found: dict[str, list[_Bin]],
    statistics: dict[str, IdStatistics],
    tokenizer: BaseTokenizer | None,
    end_id: int | None,
    characters: int,
) -> list[Opening]:
    """How the first documents of the first split begin."""
    name = next((name for name, seen in statistics.items() if seen.starts), None)
    if name is None or not characters:
        return []
    ids = TokenShards([b.ids for b in found[name]])
    openings = []
    for at in statistics[name].starts:
        # A character is at most four tokens of one byte; some tokens stand for nothing at all.
        part = ids[at : at + 4 * characters + 16]
        if end_id is not None and len(ends := np.flatnonzero(part == end_id)):
            part = part[: int(ends[0])]
        text = tokenizer.decode(part) if tokenizer else " ".join(map(str, part[:characters]))
        openings.append(Opening(name, at, text[:characters]))
    return openings
