"""What a text file holds: its length, line breaks, documents and characters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from yocto.config import InspectConfig, TextConfig
from yocto.dataset.documents import Texts, open_texts
from yocto.dataset.text import read_blocks
from yocto.dataset.text_statistics import TextStatistics
from yocto.errors import DataError
from yocto.utils.progress import Progress
from yocto.utils.text import escaped


@dataclass(frozen=True)
class CharacterRow:
    """One character in a list: `escaped`, and how often it occurs."""

    text: str
    count: int
    share: float


@dataclass(frozen=True)
class TextFile:
    """What a text file holds.

    size: of the file, in bytes; a byte order mark is no character of the text. crlf, cr: line
    breaks that are \\r\\n, and lone \\r; the rest is \\n. different: characters.
    """

    size: int
    characters: int
    lines: int
    documents: int
    crlf: int
    cr: int
    different: int
    frequent: list[CharacterRow]
    excerpt: str


def inspect_text(path: Path, config: InspectConfig, progress: Progress) -> TextFile:
    """Read a text file once, block by block. Raises DataError where it is no UTF-8 text."""
    knobs = TextConfig(text_key=config.text_key, text_column=config.text_column)
    texts = open_texts([path], knobs, hint="Check the path.")
    source = texts.sources[0]
    if source.format == "json" and not _has_texts(texts):  # settings, say, not a corpus
        source = replace(source, format="text")
    if source.format == "text" and not source.compression:
        _check_is_no_binary(path)
    size = path.stat().st_size
    statistics = TextStatistics(kept=config.excerpt)
    documents = consumed = 0
    with progress.task("reading", size, "byte") as task:
        if source.format == "text":
            for block in read_blocks(source):
                statistics.add(block)
                task.advance(len(block))
        else:
            for piece in texts.pieces():
                statistics.add(str(piece.data, "utf-8"))
                documents += piece.starts
                task.advance(texts.consumed - consumed)
                consumed = texts.consumed
    statistics.finish()
    rows = [
        CharacterRow(escaped(character.encode("utf-8")), count, count / statistics.characters)
        for character, count in statistics.most_frequent(config.top)
    ]
    return TextFile(
        size=size,
        characters=statistics.characters,
        lines=statistics.lines,
        documents=documents or statistics.documents,
        crlf=statistics.crlf,
        cr=statistics.cr,
        different=statistics.different,
        frequent=rows,
        excerpt=statistics.beginning,
    )


def _has_texts(texts: Texts) -> bool:
    """Whether the first of its values has a text where it should be."""
    try:
        return next(texts.pieces(), None) is not None
    except DataError:
        return False


def _check_is_no_binary(path: Path) -> None:
    """Whatever is no text at all is told by what inspect takes, not as a text that is damaged."""
    try:
        with path.open("rb") as file:
            start = file.read(8192)
    except OSError as error:
        raise DataError(
            f"can't read {path}: {error.strerror or error}", "Check the path."
        ) from error
    if b"\0" in start and not start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(
            f"{path} is neither text nor anything else that inspect knows",
            "It takes token files (.bin), tokenizers, checkpoints and UTF-8 text.",
        )
