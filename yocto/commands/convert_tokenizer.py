"""yocto convert-tokenizer: a tokenizer from one file format to another, with the same ids."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from yocto.config import ConvertTokenizerConfig
from yocto.errors import ConfigError, DataError
from yocto.tokenizer.base import TOKENIZER_FILES
from yocto.tokenizer.patterns import pattern_name
from yocto.tokenizer.store import find_tokenizer, load_tokenizer
from yocto.tokenizer.tiktoken import rank_file
from yocto.utils.files import making
from yocto.utils.progress import Progress

_HINT = "Choose another place: --out-path"


@dataclass(frozen=True)
class ConvertedTokenizer:
    """What convert-tokenizer wrote.

    left_out: what the format can't hold, and whoever loads the file has to know.
    """

    out_path: str
    kind: str
    vocab_size: int
    files: list[str]
    left_out: dict[str, str]

    def summary(self) -> list[str]:
        """The result in words."""
        lines = [f"{self.kind}, {self.vocab_size:,} tokens -> {', '.join(self.files)}"]
        if self.left_out:
            told = "; ".join(f"{name}: {value}" for name, value in self.left_out.items())
            return [*lines, f"note: this format can't hold what is to be known besides: {told}"]
        path = shlex.quote(self.out_path)
        return [*lines, f"next: yocto encode --tokenizer-path {path} --text-path FILE"]


def run(config: ConvertTokenizerConfig, progress: Progress) -> ConvertedTokenizer:
    """Write a folder or a rank file; what is there already stays as it is."""
    tokenizer = load_tokenizer(config.tokenizer_path, config.pattern)
    own = getattr(tokenizer, "pattern", None)
    if config.pattern is not None and own != pattern_name(config.pattern):
        raise ConfigError(
            f"{config.tokenizer_path} tells by itself how text is split",
            "Leave --pattern out; it is for vocab.json + merges.txt and for *.tiktoken.",
        )
    out = Path(config.out_path)
    left_out = {}
    contents: Mapping[Path, str | bytes]
    if out.suffix == ".tiktoken":
        contents = {out: rank_file(tokenizer)}
        left_out["pattern"] = str(own)
        if tokenizer.special_tokens:
            ids = (f"{text} = {i}" for text, i in tokenizer.special_tokens.items())
            left_out["special tokens"] = ", ".join(ids)
    else:
        contents = {out / name: content for name, content in tokenizer.files().items()}
        for name in TOKENIZER_FILES:
            if out / name not in contents and (out / name).exists():
                raise DataError(f"{out} holds another tokenizer, in {name}", _HINT)
    _check_free(contents, config.tokenizer_path)
    tokenizer.save(out)
    return ConvertedTokenizer(
        str(out), tokenizer.kind, tokenizer.vocab_size, list(map(str, contents)), left_out
    )


def _check_free(contents: Mapping[Path, str | bytes], source: str) -> None:
    """Raise a DataError where something else lies in the place of a file to come."""
    found = find_tokenizer(source)
    assert found is not None
    inputs = {found.resolve(), found.with_name("merges.txt").resolve()}
    for path, content in contents.items():
        if not path.exists():
            continue
        data = content.encode("utf-8") if isinstance(content, str) else content
        with making(path):
            same = path.is_file() and path.read_bytes() == data
        if not same:
            what = "would be overwritten" if path.resolve() in inputs else "is there already"
            raise DataError(f"{path} {what}", _HINT)
