"""The .bin format: token ids as raw little-endian numbers, and meta.json that tells about them.

train.bin and val.bin hold uint16 (uint32 when vocab_size is above 65536) and no header, so that
nanoGPT and np.memmap read them. meta.json holds the format's version, the dtype, the vocabulary's
size, the tokenizer's SHA-256 and, for each split, tokens, bytes of text, documents and SHA-256.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yocto.errors import DataError
from yocto.utils.files import atomic_file, read_json, sha256_file, write_json

FORMAT = "yocto-tokens"
VERSION = 1

CHECKED = 1 << 30  # bytes of a file whose checksum takes about a second; larger ones go unchecked

Tokens = NDArray[np.uint16] | NDArray[np.uint32]


@dataclass(frozen=True)
class SplitMeta:
    """What one .bin file holds."""

    tokens: int
    bytes: int  # of UTF-8 text, end tokens not counted
    documents: int
    sha256: str


@dataclass(frozen=True)
class Meta:
    """What meta.json holds.

    made_by: the command that wrote the files; what `train` made by itself it may make anew.
    """

    dtype: str
    vocab_size: int
    tokenizer_sha256: str
    splits: dict[str, SplitMeta]
    sources: list[str]
    made_by: str


def bin_dtype(vocab_size: int) -> str:
    """The dtype of ids below vocab_size."""
    return "uint16" if vocab_size <= 1 << 16 else "uint32"


def write_split(
    path: Path, parts: Iterable[tuple[Tokens, int]], end_id: int | None, dtype: str
) -> SplitMeta:
    """Write one .bin file atomically.

    parts: the ids of each document and its bytes of text. end_id is written between documents.
    """
    stored = np.dtype(dtype).newbyteorder("<")
    digest = hashlib.sha256()
    tokens = text_bytes = documents = 0
    with atomic_file(path) as file:
        for ids, size in parts:
            if documents and end_id is not None:
                ids = np.concatenate([np.array([end_id], ids.dtype), ids])
            if len(ids) and int(ids.max()) > np.iinfo(stored).max:
                raise DataError(f"id {int(ids.max())} does not fit into {dtype}")
            data = ids.astype(stored).tobytes()
            file.write(data)
            digest.update(data)
            tokens, text_bytes, documents = tokens + len(ids), text_bytes + size, documents + 1
    return SplitMeta(tokens, text_bytes, documents, digest.hexdigest())


def write_meta(folder: Path, meta: Meta) -> None:
    """Write meta.json; last, so that where it stands the .bin files are whole."""
    write_json(
        folder / "meta.json", {"format": FORMAT, "version": VERSION, **dataclasses.asdict(meta)}
    )


def read_meta(folder: Path) -> Meta:
    """Read meta.json. Raises DataError, which names the file and the fault."""
    path = folder / "meta.json"
    hint = "Encode the text anew: yocto encode, or yocto prepare-char."
    content = read_json(path, DataError, hint)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DataError(f"{path} is not the meta.json of yocto's token files", hint)
    if content.get("version") != VERSION:
        raise DataError(
            f"{path} has version {content.get('version')!r}; this yocto reads {VERSION}", hint
        )
    try:
        splits = {name: _split_meta(split) for name, split in content["splits"].items()}
        meta = Meta(
            content["dtype"], content["vocab_size"], content["tokenizer_sha256"], splits,
            list(content["sources"]), str(content["made_by"]),
        )  # fmt: skip
        sane = (
            meta.dtype in ("uint16", "uint32")
            and type(meta.vocab_size) is int
            and 0 < meta.vocab_size <= 1 << 24
            and isinstance(meta.tokenizer_sha256, str)
            and {"train", "val"} <= splits.keys()
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(f"{path} is damaged: {error!r}", hint) from error
    if not sane:
        raise DataError(f"{path} is damaged: a value is of the wrong type", hint)
    return meta


def _split_meta(value: Any) -> SplitMeta:
    split = SplitMeta(**value)
    counts = (split.tokens, split.bytes, split.documents)
    # The upper limit keeps them computable: float has no room for a number of 400 digits.
    if not all(type(count) is int and 0 <= count < 1 << 63 for count in counts):
        raise ValueError("a count is not a whole number, or out of range")
    if not isinstance(split.sha256, str):
        raise ValueError("sha256 is not a text")
    return split


def load_split(folder: Path, name: str, meta: Meta) -> Tokens:
    """The ids of a split as a read-only memory map. Raises DataError: missing or truncated."""
    path = folder / f"{name}.bin"
    dtype = np.dtype(meta.dtype).newbyteorder("<")
    expected = meta.splits[name].tokens * dtype.itemsize
    hint = "Encode the text anew: yocto encode, or yocto prepare-char."
    try:
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f"can't read {path}: {error.strerror or error}", hint) from error
    if size != expected:
        raise DataError(f"{path} has {size} bytes, but meta.json tells of {expected}", hint)
    if not size:
        return np.empty(0, dtype)
    tokens: Tokens = np.memmap(path, dtype, mode="r")
    if int(tokens.max()) >= meta.vocab_size:
        raise DataError(
            f"{path} is damaged: id {int(tokens.max())} is not below {meta.vocab_size}", hint
        )
    if size <= CHECKED and sha256_file(path) != meta.splits[name].sha256:
        raise DataError(f"{path} is altered: its checksum is not that in meta.json", hint)
    return tokens


def load_bin(path: str | Path) -> Tokens:
    """The ids in a .bin file as a read-only memory map, with the dtype that meta.json beside it
    names (uint16 where there is none)."""
    path = Path(path)
    if (path.parent / "meta.json").is_file():
        meta = read_meta(path.parent)
        if path.stem in meta.splits:
            return load_split(path.parent, path.stem, meta)
    if not path.is_file():
        raise DataError(f"there is no file {path}", "Make it with yocto encode.")
    if path.stat().st_size % 2:
        raise DataError(f"{path} has an odd number of bytes, so it is not uint16")
    return np.memmap(path, "<u2", mode="r") if path.stat().st_size else np.empty(0, "<u2")
