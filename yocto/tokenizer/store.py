"""Opening a tokenizer, whatever it is kept in."""

from __future__ import annotations

from pathlib import Path

from yocto.errors import TokenizerFileError
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.char import FORMAT, CharTokenizer
from yocto.tokenizer.huggingface import bpe_from_gpt2_files, tokenizer_from_json
from yocto.tokenizer.tiktoken import bpe_from_tiktoken
from yocto.utils.files import read_json

_HINT = "Make one with yocto train-tokenizer or yocto prepare-char."


def find_tokenizer(path: str | Path) -> Path | None:
    """The main file of the tokenizer at this path (a file, or a folder that holds one), or None."""
    path = Path(path)
    if path.is_file():
        return path
    for name in ("tokenizer.json", "vocab.json"):
        if (path / name).is_file():
            return path / name
    ranks = sorted(path.glob("*.tiktoken")) if path.is_dir() else []
    return ranks[0] if len(ranks) == 1 else None


def load_tokenizer(path: str | Path, pattern: str | None = None) -> BaseTokenizer:
    """Open a tokenizer: a folder, tokenizer.json, vocab.json (with merges.txt beside it, or of
    characters), or *.tiktoken.

    pattern: the split pattern, for vocab.json + merges.txt and *.tiktoken, which don't name theirs;
    None takes gpt2, or what a file of OpenAI's is known to use by its name.
    Raises TokenizerFileError, which names the file and the fault.
    """
    file = find_tokenizer(path)
    if file is None:
        what = "holds no tokenizer" if Path(path).is_dir() else "is not there"
        raise TokenizerFileError(f"{path} {what}", _HINT)
    if file.suffix == ".tiktoken":
        return bpe_from_tiktoken(_read(file), str(file), pattern or _pattern_of(file.stem))
    if file.name == "merges.txt":
        file = file.with_name("vocab.json")
    content = read_json(file, TokenizerFileError, _HINT)
    if isinstance(content, dict) and content.get("format") == FORMAT:
        return CharTokenizer.from_json(content, str(file))
    merges = file.with_name("merges.txt")
    if file.name == "vocab.json" and merges.is_file():
        try:
            text = _read(merges).decode("utf-8")
        except UnicodeDecodeError as error:
            raise TokenizerFileError(f"{merges}: byte {error.start} is not UTF-8", _HINT) from error
        return bpe_from_gpt2_files(content, text, str(file), pattern or "gpt2")
    return tokenizer_from_json(content, str(file))


def _pattern_of(name: str) -> str:
    """The split pattern behind the names of OpenAI's rank files."""
    return "gpt4" if "cl100k" in name else "gpt4o" if "o200k" in name else "gpt2"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TokenizerFileError(f"can't read {path}: {error.strerror or error}", _HINT) from error
