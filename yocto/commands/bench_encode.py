"""yocto bench encode: a text file to a .bin file, against others, in one run."""

from __future__ import annotations

from pathlib import Path

from yocto.bench.files import FileBench, bench_files
from yocto.config import BenchEncodeConfig
from yocto.dataset.sources import find_sources
from yocto.errors import DataError
from yocto.utils.progress import Progress


def run(config: BenchEncodeConfig, progress: Progress) -> FileBench:
    """Measure one file of plain text."""
    return bench_files(config, plain_file(config.text_path), progress)


def plain_file(text_path: str) -> Path:
    """The one file of plain text that is meant. Raises DataError where it is none."""
    sources = find_sources([text_path], "auto")
    plain = len(sources) == 1 and sources[0].is_file and sources[0].format == "text"
    if not plain or sources[0].compression:
        raise DataError(
            f"{text_path} is not one file of plain text, which is what all engines read",
            "Name one: --text-path FILE.txt",
        )
    path = Path(sources[0].path)
    if not path.is_file():
        raise DataError(f"there is no text file {path}", "Check --text-path.")
    return path
