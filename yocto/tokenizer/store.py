"""Opening a tokenizer, whatever it is kept in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from yocto.errors import TokenizerError, TokenizerFileError
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.char import FORMAT, CharTokenizer
from yocto.tokenizer.char_json import char_from_tokenizer_json
from yocto.tokenizer.huggingface import bpe_from_gpt2_files, tokenizer_from_json
from yocto.tokenizer.ids import IdsTokenizer
from yocto.tokenizer.tiktoken import bpe_from_tiktoken
from yocto.utils.files import read_json

if TYPE_CHECKING:
    from yocto.tokenizer.wrapped_object import Codec

_HINT = "Make one with yocto train-tokenizer or yocto prepare-char."
_FETCH = "Fetch the file again from where it came."


def find_tokenizer(path: str | Path) -> Path | None:
    """The main file of the tokenizer at this path (a file, or a folder that holds one), or None."""
    path = Path(path)
    if path.is_file():
        return path
    for name in ("tokenizer.json", "tokenizer.model", "vocab.json", "ids.json"):
        if (path / name).is_file():
            return path / name
    for ending in ("*.tiktoken", "*.model") if path.is_dir() else ():
        if found := sorted(path.glob(ending)):
            return found[0] if len(found) == 1 else None
    return None


def load_tokenizer(
    path: str | Path | BaseTokenizer | Codec, pattern: str | None = None
) -> BaseTokenizer:
    """Open a tokenizer: a folder, tokenizer.json, vocab.json (with merges.txt beside it, or of
    characters), *.tiktoken, or a sentencepiece *.model; or take an object of another library, as
    adapt_tokenizer does.

    pattern: the split pattern, for vocab.json + merges.txt and *.tiktoken, which don't name theirs;
    None takes gpt2, or what a file of OpenAI's is known to use by its name.
    Raises TokenizerFileError, which names the file and the fault. A tokenizer.json that yocto does
    not understand is opened with `tokenizers`, a *.model with `sentencepiece`, if installed.
    """
    if not isinstance(path, str | Path):
        from yocto.tokenizer.adapters import adapt_tokenizer

        return adapt_tokenizer(path)
    file = find_tokenizer(path)
    if file is None:
        what = "holds no tokenizer" if Path(path).is_dir() else "is not there"
        raise TokenizerFileError(f"{path} {what}", _HINT)
    if file.suffix == ".tiktoken":
        return bpe_from_tiktoken(_read(file), str(file), pattern or _pattern_of(file.stem))
    if file.suffix == ".model":
        return _from_model(_read(file), str(file), pattern)
    if file.name == "merges.txt":
        file = file.with_name("vocab.json")
    content = read_json(file, TokenizerFileError, _HINT)
    if isinstance(content, dict) and content.get("format") == FORMAT:
        return CharTokenizer.from_json(content, str(file))
    if file.name == "ids.json":
        return IdsTokenizer.from_json(content, str(file))
    merges = file.with_name("merges.txt")
    if file.name == "vocab.json" and merges.is_file():
        try:
            text = _read(merges).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise TokenizerFileError(f"{merges}: byte {error.start} is not UTF-8", _HINT) from error
        return bpe_from_gpt2_files(content, text, str(file), pattern or "gpt2")
    if found := char_from_tokenizer_json(content, str(file)):
        return found
    return _from_json(content, file)


def _from_json(content: Any, file: Path) -> BaseTokenizer:
    """One of yocto's kinds where it can be, else what Hugging Face's library makes of it."""
    try:
        return tokenizer_from_json(content, str(file))
    except TokenizerFileError as fault:
        from yocto.tokenizer.wrapped_tokenizers import open_with_tokenizers

        return open_with_tokenizers(_read(file), fault)


def _from_model(data: bytes, path: str, pattern: str | None) -> BaseTokenizer:
    """A sentencepiece model, or ranks: Llama 3's tokenizer.model is such a file."""
    if re.match(rb"[A-Za-z0-9+/]+=* [0-9]+\r?\n", data):
        return bpe_from_tiktoken(data, path, pattern or "llama3")
    from yocto.tokenizer.wrapped_sentencepiece import SentencePieceTokenizer

    try:
        return SentencePieceTokenizer(data)
    except ImportError as error:
        raise TokenizerFileError(
            f"{path} is a sentencepiece model, and sentencepiece is not installed",
            "Install it: pip install sentencepiece",
        ) from error
    except TokenizerError as error:
        raise TokenizerFileError(f"{path}: {error.message}", _FETCH) from error


def _pattern_of(name: str) -> str:
    """The split pattern behind the names of OpenAI's rank files."""
    return "gpt4" if "cl100k" in name else "gpt4o" if "o200k" in name else "gpt2"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TokenizerFileError(f"can't read {path}: {error.strerror or error}", _HINT) from error
