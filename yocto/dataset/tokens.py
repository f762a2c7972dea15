"""The .bin format: token ids as raw little-endian numbers, and meta.json that tells about them.

train.bin and val.bin hold uint16 (uint32 when vocab_size is above 65536) and no header, so that
nanoGPT and np.memmap read them. A long split may lie in several files, train_000000.bin and so on,
which follow one another as one sequence. meta.json holds the format's version, the dtype, the
vocabulary's size, the tokenizer's SHA-256 and, for each split, its files with their checksums,
tokens, bytes of text and documents.
"""

from __future__ import annotations

import dataclasses
import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from yocto.errors import DataError
from yocto.utils.files import read_json, write_json

FORMAT = "yocto-tokens"
VERSION = 1
META_FILE = "meta.json"

CHECKED = 1 << 30  # bytes of a split whose checksums take about a second; longer ones go unchecked
_BLOCK = 1 << 20  # bytes read at once
_HINT = "Encode the text anew: yocto encode, or yocto prepare-char."

Ids = NDArray[Any]  # 1-D, uint16 or uint32


class Tokens(Protocol):
    """A sequence of ids: an array, a memory map, or several of them as one."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint16 or uint32."""

    def __len__(self) -> int: ...

    def __getitem__(self, places: slice, /) -> Ids: ...


@dataclass(frozen=True)
class FileMeta:
    """One .bin file."""

    name: str
    tokens: int
    sha256: str


@dataclass(frozen=True)
class SplitMeta:
    """What the files of a split hold, in their order."""

    tokens: int
    bytes: int  # of UTF-8 text, end tokens not counted
    documents: int
    files: list[FileMeta]
    sha256: str = ""  # of its file; where there are several, of their checksums in order
    bytes_per_token: float = 0.0

    def __post_init__(self) -> None:
        digests = [file.sha256 for file in self.files]
        joined = hashlib.sha256("".join(digests).encode()).hexdigest()
        object.__setattr__(self, "sha256", digests[0] if len(digests) == 1 else joined)
        object.__setattr__(self, "bytes_per_token", round(self.bytes / max(1, self.tokens), 4))


@dataclass(frozen=True)
class Meta:
    """What meta.json holds.

    end_id: the id between two documents. made_by: the command that wrote the files; what `train`
    made by itself it may make anew. settings: how the text was read and split, for who makes them
    again.
    """

    dtype: str
    vocab_size: int
    end_id: int | None
    tokenizer_sha256: str
    splits: dict[str, SplitMeta]
    sources: list[str]
    made_by: str
    settings: dict[str, Any] = field(default_factory=dict)


def bin_dtype(vocab_size: int) -> str:
    """The dtype of ids below vocab_size."""
    return "uint16" if vocab_size <= 1 << 16 else "uint32"


def bin_itemsize(vocab_size: int) -> int:
    """Bytes of an id below vocab_size."""
    return np.dtype(bin_dtype(vocab_size)).itemsize


# ------------------------------------------------------------------------------------- meta.json


def write_meta(folder: Path, meta: Meta) -> None:
    """Write meta.json; last, so that where it stands the .bin files are whole."""
    write_json(
        folder / META_FILE, {"format": FORMAT, "version": VERSION, **dataclasses.asdict(meta)}
    )


def read_meta(folder: Path) -> Meta:
    """Read meta.json. Raises DataError, which names the file and the fault."""
    path = folder / META_FILE
    content = read_json(path, DataError, _HINT)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DataError(f"{path} is not the meta.json of yocto's token files", _HINT)
    if content.get("version") != VERSION:
        raise DataError(
            f"{path} has version {content.get('version')!r}; this yocto reads {VERSION}", _HINT
        )
    try:
        splits = {name: split_meta(split) for name, split in content["splits"].items()}
        meta = Meta(
            content["dtype"], content["vocab_size"], content["end_id"],
            content["tokenizer_sha256"], splits, list(content["sources"]),
            str(content["made_by"]), dict(content["settings"]),
        )  # fmt: skip
        sane = (
            meta.dtype in ("uint16", "uint32")
            and type(meta.vocab_size) is int
            and 0 < meta.vocab_size <= 1 << 24
            and (meta.end_id is None or type(meta.end_id) is int)
            and isinstance(meta.tokenizer_sha256, str)
            and all(isinstance(source, str) for source in meta.sources)
            and {"train", "val"} <= splits.keys()
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(f"{path} is damaged: {error!r}", _HINT) from error
    if not sane:
        raise DataError(f"{path} is damaged: a value is of the wrong type", _HINT)
    return meta


def split_meta(value: Any) -> SplitMeta:
    """A split as JSON tells of it. Raises ValueError, KeyError or TypeError for a wrong one."""
    files = [file_meta(file) for file in value["files"]]
    counts = (value["tokens"], value["bytes"], value["documents"])
    _check_counts(*counts)
    split = SplitMeta(*counts, files)
    if split.tokens != sum(file.tokens for file in files):
        raise ValueError("the files of a split hold other tokens than the split")
    if split.sha256 != value["sha256"]:
        raise ValueError("the checksum of a split is not that of its files")
    return split


def file_meta(value: Any) -> FileMeta:
    """The same for one file of a split."""
    file = FileMeta(**value)
    _check_counts(file.tokens)
    if not isinstance(file.sha256, str) or not isinstance(file.name, str):
        raise ValueError("a name or a checksum is not a text")
    if Path(file.name).name != file.name or not file.name.endswith(".bin"):
        raise ValueError(f"{file.name!r} is no name of a token file")
    return file


def _check_counts(*counts: Any) -> None:
    # The upper limit keeps them computable: float has no room for a number of 400 digits.
    if not all(type(count) is int and 0 <= count < 1 << 63 for count in counts):
        raise ValueError("a count is not a whole number, or out of range")


# ------------------------------------------------------------------------------------ .bin files


class TokenShards:
    """Several arrays as one sequence, read only where a slice lies."""

    def __init__(self, parts: Sequence[Ids]) -> None:
        self.parts = list(parts)
        self.starts = [0, *accumulate(map(len, self.parts))]  # of each part, and the end of all

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint16 or uint32."""
        return self.parts[0].dtype

    def __len__(self) -> int:
        return self.starts[-1]

    def __getitem__(self, places: slice, /) -> Ids:
        start, stop, step = places.indices(len(self))
        assert step == 1, "a slice of tokens has no step"
        first = bisect_right(self.starts, start) - 1
        found = []
        while start < stop and first < len(self.parts):
            begin, end = self.starts[first], self.starts[first + 1]
            found.append(self.parts[first][start - begin : min(stop, end) - begin])
            start, first = max(start, end), first + 1
        if len(found) == 1:
            return found[0]
        return np.concatenate(found) if found else np.empty(0, self.dtype)


def load_split(folder: Path, name: str, meta: Meta) -> Tokens:
    """The ids of a split as read-only memory maps, one sequence. Raises DataError: missing,
    truncated or, of a split that is not too long to look through, altered."""
    split = meta.splits[name]
    parts = [map_file(folder / file.name, file.tokens, meta) for file in split.files]
    if sum(part.nbytes for part in parts) <= CHECKED:
        for file in split.files:
            check_file(folder / file.name, file, meta)
    if len(parts) > 1:
        return TokenShards(parts)
    return parts[0] if parts else np.empty(0, meta.dtype)


def check_file(path: Path, file: FileMeta, meta: Meta) -> None:
    """Raise a DataError for ids that are out of range or not those that were written."""
    highest, digest = look_through(path, meta.dtype)
    if highest >= meta.vocab_size:
        raise DataError(f"{path} is damaged: id {highest} is not below {meta.vocab_size}", _HINT)
    if digest != file.sha256:
        raise DataError(f"{path} is altered: its checksum is not that in meta.json", _HINT)


def look_through(path: Path, dtype: str) -> tuple[int, str]:
    """The highest id in a file, -1 where there is none, and the SHA-256 of its bytes. Read and not
    mapped, as all pages of a map would count as memory in use."""
    highest, digest = -1, hashlib.sha256()
    little = np.dtype(dtype).newbyteorder("<")
    try:
        with path.open("rb") as file:
            while data := file.read(_BLOCK):
                digest.update(data)
                ids = np.frombuffer(data, little, len(data) // little.itemsize)
                highest = max(highest, int(ids.max(initial=0)))
    except OSError as error:
        raise DataError(f"can't read {path}: {error.strerror or error}", _HINT) from error
    return highest, digest.hexdigest()


def map_file(path: Path, tokens: int, meta: Meta) -> Ids:
    """The ids of one file as a read-only memory map, its checksum not looked at. Raises DataError:
    missing, or not of the size that meta.json tells of."""
    dtype = np.dtype(meta.dtype).newbyteorder("<")
    expected = tokens * dtype.itemsize
    try:
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f"can't read {path}: {error.strerror or error}", _HINT) from error
    if size != expected:
        raise DataError(f"{path} has {size} bytes, but meta.json tells of {expected}", _HINT)
    return np.memmap(path, dtype, mode="r") if size else np.empty(0, dtype)


def load_bin(path: str | Path) -> Ids:
    """The ids in a .bin file as a read-only memory map, with the dtype that meta.json beside it
    names (uint16 where there is none)."""
    path = Path(path)
    if (path.parent / META_FILE).is_file():
        meta = read_meta(path.parent)
        for split in meta.splits.values():
            for file in split.files:
                if file.name == path.name:
                    ids = map_file(path, file.tokens, meta)
                    if ids.nbytes <= CHECKED:
                        check_file(path, file, meta)
                    return ids
    if not path.is_file():
        raise DataError(f"there is no file {path}", "Make it with yocto encode.")
    if path.stat().st_size % 2:
        raise DataError(f"{path} has an odd number of bytes, so it is not uint16")
    return np.memmap(path, "<u2", mode="r") if path.stat().st_size else np.empty(0, "<u2")
