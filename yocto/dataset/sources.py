"""Which files a text lies in: folders, globs, URLs and names become a list of files to read."""

from __future__ import annotations

import glob
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from yocto.config import DEFAULT_TEXT
from yocto.errors import DataError
from yocto.utils.files import shipped_file

STDIN = "-"
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.:_-]*://")
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
    """Whether fsspec opens it: https://…, s3://…, simplecache::https://… and so on."""
    return _URL.match(path) is not None


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
        place = str(find_text(path))
        # Path's own methods raise errors where these say no: of a name that is too long, say.
        if os.path.isdir(place):  # noqa: PTH112
            files = _texts_in(place, text_format)
        elif not os.path.exists(place) and glob.has_magic(path):  # noqa: PTH110
            files = [file for file in glob.glob(path, recursive=True) if os.path.isfile(file)]  # noqa: PTH113, PTH207
            if not files:
                raise DataError(f"no file matches {path}", hint)
        else:
            files = [place]
        found += [_source(file, text_format) for file in sorted(files)]
    if sum(source.path == STDIN for source in found) > 1:
        raise DataError("standard input can be read only once", "Name - once: --text-path -")
    return found


def _texts_in(folder: str, text_format: str) -> list[str]:
    """The texts in a folder and in those in it; hidden ones are left out, and yocto's own files,
    which are never alone."""
    # A .json file may well hold JSON lines, and the other way round.
    json = ("json", "jsonl")
    formats = json if text_format in json else (text_format,)
    endings = [name for name, form in FORMATS.items() if text_format == "auto" or form in formats]
    found = []
    try:
        seen: set[str] = set()
        for parent, folders, names in os.walk(folder, onerror=_raise, followlinks=True):
            real = os.path.realpath(parent)
            folders[:] = [n for n in folders if not n.startswith(".") and real not in seen]
            own = OWN_FILES if len(OWN_FILES.intersection(names)) > 1 else set()
            for name in names if real not in seen else ():
                is_own = name.startswith(".") or name in own
                if not is_own and _endings(name)[0] in endings:
                    found.append(os.path.join(parent, name))  # noqa: PTH118
            seen.add(real)  # a link may lead back
    except OSError as error:
        raise DataError(
            f"can't read the folder {error.filename}: {error.strerror}",
            "Make it readable, or name the files that are to be read.",
        ) from error
    if not found:
        raise DataError(
            f"there is no text in the folder {folder}",
            f"Texts end in {', '.join(endings)}, and may be compressed "
            f"({', '.join(COMPRESSIONS)}).",
        )
    return found


def _raise(error: OSError) -> None:
    raise error


def _source(path: str, text_format: str) -> Source:
    ending, compression = _endings(path.partition("?")[0] if is_url(path) else path)
    by_name = FORMATS.get(ending, "text")
    return Source(path, by_name if text_format == "auto" else text_format, compression)


def _endings(name: str) -> tuple[str, str]:
    """What a name ends in, as ".txt", without the compression's ending; and the compression."""
    path = Path(name)
    compression = COMPRESSIONS.get(path.suffix.lower(), "")
    return (Path(path.stem) if compression else path).suffix.lower(), compression


def described(sources: Sequence[Source]) -> str:
    """Some of the files, for a message."""
    names = [shlex.quote(source.path) for source in sources[:5]]
    more = f" and {len(sources) - 5} more" if len(sources) > 5 else ""
    return (", ".join(names) or "no file") + more
