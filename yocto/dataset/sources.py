"""Which files a text lies in: folders, globs, URLs and names become a list of files to read."""

from __future__ import annotations

import glob
import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from yocto.config import DEFAULT_TEXT
from yocto.errors import DataError
from yocto.utils.files import shipped_file

STDIN = "-"
FORMATS = {
    ".txt": "text", ".md": "text", ".text": "text", ".markdown": "text", ".jsonl": "jsonl",
    ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".parquet": "parquet",
}  # fmt: skip
COMPRESSIONS = {".gz": "gz", ".zst": "zst", ".xz": "xz", ".bz2": "bz2"}
# What yocto itself writes beside token files: no text, though its names may look like it.
OWN_FILES = {
    "meta.json", "corpus.json", "tokenizer.json", "vocab.json", "merges.txt",
    "tokenizer_config.json", "special_tokens_map.json",
}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """One file.

    path: as it is opened: a file's, a URL, or - for standard input. format: text, jsonl, json, csv
    or parquet. compression: gz, zst, xz, bz2 or "". copy: what standard input held.
    """

    path: str
    format: str
    compression: str
    copy: IO[bytes] | None = field(default=None, compare=False, repr=False)

    @property
    def is_remote(self) -> bool:
        """Whether it is a URL."""
        return is_url(self.path)

    @property
    def is_file(self) -> bool:
        """Whether it is a file here."""
        return self.path != STDIN and not self.is_remote


def is_url(path: str) -> bool:
    """Whether fsspec opens it: https://…, s3://… and so on."""
    scheme, colon, _ = path.partition("://")
    return bool(colon) and scheme.replace("+", "").isalnum()


def find_text(path: str | Path) -> Path:
    """The text file at this path; the corpus that ships is found from any folder."""
    found = Path(path)
    if found == Path(DEFAULT_TEXT) and not found.exists():
        return shipped_file(found.name) or found
    return found


def find_sources(
    paths: Sequence[str | Path], text_format: str = "auto", hint: str = "Check --text-path."
) -> list[Source]:
    """All files that paths name, in order: those of folders and globs sorted by their paths.

    text_format: what they hold; "auto" goes by the names. hint: what to do where one can't be read.
    Raises DataError for what is not there, and for a folder or a glob without a text.
    """
    found = []
    for path in map(str, paths):
        if path == STDIN or is_url(path):
            found.append(_source(path, text_format))
            continue
        place = find_text(path)
        if place.is_dir():
            files = sorted(_texts_in(place, text_format))
            if not files:
                raise DataError(
                    f"there is no text in the folder {path}",
                    f"Texts end in {', '.join(FORMATS)}, and may be compressed "
                    f"({', '.join(COMPRESSIONS)}).",
                )
            found += [_source(file, text_format) for file in files]
        elif not place.exists() and glob.has_magic(path):
            files = sorted(file for file in glob.glob(path, recursive=True) if Path(file).is_file())  # noqa: PTH207
            if not files:
                raise DataError(f"no file matches {path}", hint)
            found += [_source(file, text_format) for file in files]
        else:
            found.append(_source(str(place), text_format))
    if sum(source.path == STDIN for source in found) > 1:
        raise DataError("standard input can be read only once", "Name - once: --text-path -")
    return found


def _texts_in(folder: Path, text_format: str) -> Iterator[str]:
    """The texts in a folder and in those in it; hidden ones and yocto's own files are left out."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            file = _source(name, "auto")
            known = _suffix(name, file.compression) in FORMATS
            wanted = known and text_format in ("auto", file.format)
            if wanted and not name.startswith(".") and name not in OWN_FILES:
                yield str(Path(parent) / name)


def _source(path: str, text_format: str) -> Source:
    name = path.partition("?")[0] if is_url(path) else path
    compression = COMPRESSIONS.get(Path(name).suffix.lower(), "")
    by_name = FORMATS.get(_suffix(name, compression), "text")
    return Source(path, by_name if text_format == "auto" else text_format, compression)


def _suffix(name: str, compression: str) -> str:
    path = Path(name)
    return (Path(path.stem) if compression else path).suffix.lower()


def described(sources: Sequence[Source]) -> str:
    """Some of the files, for a message."""
    names = [shlex.quote(source.path) for source in sources[:5]]
    more = f" and {len(sources) - 5} more" if len(sources) > 5 else ""
    return (", ".join(names) or "no file") + more
