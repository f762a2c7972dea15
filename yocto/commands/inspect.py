"""yocto inspect: what token files, a tokenizer, a checkpoint or a text hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from yocto.commands.data import recorded_corpus
from yocto.commands.inspect_text import TextFile, inspect_text
from yocto.commands.inspect_tokens import TokenFiles, holds_tokens, inspect_tokens, is_token_file
from yocto.config import InspectConfig, TextConfig, nearest
from yocto.dataset.documents import open_texts
from yocto.dataset.sources import find_text
from yocto.dataset.tokens import META_FILE
from yocto.dataset.work import is_under_way
from yocto.errors import ConfigError, DataError
from yocto.tokenizer.base import CORPUS_FILE, TOKENIZER_FILES, BaseTokenizer
from yocto.tokenizer.char import FORMAT as CHAR_FORMAT
from yocto.tokenizer.facts import TokenizerFacts, tokenizer_facts
from yocto.tokenizer.store import find_tokenizer, load_tokenizer
from yocto.utils.checksums import hash_file, recorded_sha256
from yocto.utils.files import parse_json, sha256_file
from yocto.utils.progress import Progress

if TYPE_CHECKING:  # torch takes seconds to import, and only checkpoints need it
    from yocto.commands.inspect_checkpoint import CheckpointFacts, RunLine

TAKES = (
    "Name token files (their folder, or a .bin), a tokenizer, a run or a checkpoint, a folder of "
    "runs, or a text file."
)
_SAMPLE = 100_000  # characters of the corpus that bytes per token are measured on
_OF_STEP = ("config.json", "model.safetensors", "trainer.pt")


@dataclass(frozen=True)
class TokenizerFile:
    """A tokenizer and its main file.

    sha256: of the file. bytes_per_token: on the beginning of the text that it was trained on,
    `corpus`, where that is still there.
    """

    path: str
    facts: TokenizerFacts
    sha256: str
    corpus: list[str]
    bytes_per_token: float | None


@dataclass(frozen=True)
class Verification:
    """What --verify did: the files whose checksum was compared, and the SHA-256 of those for which
    none is recorded."""

    verified: list[str]
    unrecorded: dict[str, str]


@dataclass(frozen=True)
class Inspection:
    """What was found at a path; what it does not hold is None."""

    path: str
    tokenizer: TokenizerFile | None = None
    tokens: TokenFiles | None = None
    checkpoint: CheckpointFacts | None = None
    runs: list[RunLine] | None = None
    text: TextFile | None = None
    verification: Verification | None = None


def run(config: InspectConfig, progress: Progress) -> Inspection:
    """Tell what is there, by what it is. Raises a YoctoError for what is damaged, and DataError for
    what is none of it."""
    path = _find(config)
    if path.name in _OF_STEP and path.is_file() and _is_step(path.parent):
        path = path.parent
    if path.name == META_FILE and path.is_file() and holds_tokens(path.parent):
        path = path.parent
    found = _checkpoints(path, config, progress) if path.is_dir() else None
    if found is not None:
        _no_tokenizer_path(config, path)
        return found
    if is_token_file(path) or (path.is_dir() and (holds_tokens(path) or find_tokenizer(path))):
        return _tokens_and_tokenizer(path, config, progress)
    if path.is_dir():
        inside = sorted(file.name for file in path.glob("[!.]*"))[:8]
        listed = f"In it: {', '.join(inside)}. " if inside else ""
        raise DataError(f"{path} holds nothing that inspect knows", listed + TAKES)
    _no_tokenizer_path(config, path)
    if _is_tokenizer(path):
        return _tokenizer_alone(path, config)
    text = inspect_text(path, config, progress)
    verification = _verification([], [path], progress) if config.verify else None
    return Inspection(str(path), text=text, verification=verification)


def _find(config: InspectConfig) -> Path:
    """Where the path leads: a file or folder, or a run by its name."""
    path, ckpt_dir = Path(config.path), Path(config.ckpt_dir)
    for place in (path, find_text(path), ckpt_dir / path):
        if place.is_dir() or place.is_file():
            return place
        if place.exists():
            raise DataError(f"{place} is neither a file nor a folder", TAKES)
    if config.path in ("best", "latest"):
        from yocto.checkpoint import find_checkpoint

        return find_checkpoint(config.path, ckpt_dir)
    if path == Path(InspectConfig().path):
        raise DataError(f"there is no {path} yet", f"Make it: yocto train-tokenizer. Or: {TAKES}")
    runs = sorted({step.parent.name for step in ckpt_dir.glob("*/step-*")})
    near = nearest(path.name, [*runs, *(file.name for file in path.parent.glob("*"))])
    guess = f"Did you mean {near!r}? " if near else ""
    raise DataError(f"there is no file, folder or run {path}", guess + TAKES)


def _is_step(folder: Path) -> bool:
    from yocto.commands.inspect_checkpoint import is_step

    return is_step(folder)


def _checkpoints(path: Path, config: InspectConfig, progress: Progress) -> Inspection | None:
    """The step, run or runs in a folder, if it holds any."""
    is_run, has_runs = (any(path.glob(f"{where}step-*/config.json")) for where in ("", "*/"))
    if not (is_run or has_runs or (path / "config.json").is_file()):
        return None
    from yocto.commands.inspect_checkpoint import (
        inspect_run,
        inspect_step,
        is_step,
        list_runs,
        verify_steps,
    )

    checkpoint = runs = None
    if is_step(path):
        checkpoint = inspect_step(path)
    elif is_run:
        checkpoint = inspect_run(path)
    elif has_runs:
        runs = list_runs(path)
    else:
        return None
    verification = Verification(verify_steps(path, progress), {}) if config.verify else None
    return Inspection(str(path), checkpoint=checkpoint, runs=runs, verification=verification)


def _no_tokenizer_path(config: InspectConfig, path: Path) -> None:
    if config.tokenizer_path is not None:
        raise ConfigError(
            f"{path} is no token file, so tokenizer_path means nothing to it",
            "Leave --tokenizer-path out; it tells how to read token files.",
        )


def _tokens_and_tokenizer(path: Path, config: InspectConfig, progress: Progress) -> Inspection:
    """A folder of token files, a tokenizer or both; or one .bin file, with the tokenizer that reads
    it."""
    folder = path if path.is_dir() else path.parent
    place = config.tokenizer_path or folder
    file = find_tokenizer(place)
    tokenizer = load_tokenizer(place) if file or config.tokenizer_path else None
    told = _tokenizer_file(file, tokenizer, config) if file and tokenizer else None
    if path.is_dir() and not holds_tokens(path):
        _no_tokenizer_path(config, path)
        assert file is not None
        verification = _verification([], [file], progress) if config.verify else None
        return Inspection(str(path), tokenizer=told, verification=verification)
    if is_under_way(folder):
        progress.notice(
            f"an encoding into {folder} is under way, or was interrupted: these are the files that "
            f"are finished; yocto encode goes on with --resume"
        )
    tokens, digests, verified = inspect_tokens(path, tokenizer, config, progress)
    verification = None
    if config.verify:
        unrecorded = [Path(name) for name in digests if name not in verified]
        if file and tokens.tokenizer == "other":
            raise DataError(
                f"{file} is not the tokenizer that made the token files in {folder}",
                "Encode the text anew: yocto encode; or name theirs: --tokenizer-path",
            )
        if file and tokens.tokenizer == "same":
            verified = [*verified, str(file)]
        verification = _verification(verified, unrecorded, progress, digests)
    return Inspection(str(path), tokenizer=told, tokens=tokens, verification=verification)


def _tokenizer_alone(path: Path, config: InspectConfig) -> Inspection:
    told = _tokenizer_file(path, load_tokenizer(path), config)
    verification = None
    if config.verify:
        verification = _verification([], [path], None, {str(path): told.sha256})
    return Inspection(str(path), tokenizer=told, verification=verification)


def _is_tokenizer(path: Path) -> bool:
    """Whether a file is a tokenizer's, told by its name, or, of any other .json, by its content."""
    if path.name in TOKENIZER_FILES or path.suffix in (".tiktoken", ".model"):
        return path.name != "merges.txt" or path.with_name("vocab.json").is_file()
    if path.suffix != ".json":
        return False
    try:
        content = parse_json(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and (
        isinstance(content.get("model"), dict) or content.get("format") == CHAR_FORMAT
    )


def _tokenizer_file(file: Path, tokenizer: BaseTokenizer, config: InspectConfig) -> TokenizerFile:
    corpus = recorded_corpus(file.parent) if (file.parent / CORPUS_FILE).is_file() else None
    sample = _beginning(corpus, tokenizer.separator) if corpus else ""
    per_token = None
    if sample:
        ids = tokenizer.encode(sample, "none")
        per_token = round(len(sample.encode("utf-8")) / max(1, len(ids)), 4)
    facts = tokenizer_facts(tokenizer, config.top)
    paths = list(corpus.text_path) if corpus else []
    return TokenizerFile(str(file), facts, sha256_file(file), paths, per_token)


def _beginning(corpus: TextConfig, separator: str) -> str:
    """The beginning of a text; "" where it has gone, or is no text any more."""
    try:
        text = ""
        for part in open_texts(corpus.text_path, corpus, separator).parts():
            text += part
            if len(text) >= _SAMPLE:
                break
    except DataError:
        return ""
    return text[:_SAMPLE]


def _verification(
    verified: Sequence[str],
    others: Sequence[Path],
    progress: Progress | None,
    digests: dict[str, str] | None = None,
) -> Verification:
    """Compare what has its checksum in a NAME.sha256 beside it; of the rest, tell the SHA-256.

    verified: what was compared already. digests: what was computed already.
    """
    done, unrecorded = list(verified), {}
    for path in others:
        digest = (digests or {}).get(str(path)) or _hashed(path, progress)
        recorded = recorded_sha256(path)
        if recorded is None:
            unrecorded[str(path)] = digest
        elif recorded != digest:
            raise DataError(
                f"{path} is altered or incomplete: its checksum is not that in {path.name}.sha256",
                "Fetch the file again from where it came.",
            )
        else:
            done.append(str(path))
    return Verification(done, unrecorded)


def _hashed(path: Path, progress: Progress | None) -> str:
    if progress is None:
        return hash_file(path)
    with progress.task("verifying", path.stat().st_size, "byte") as task:
        return hash_file(path, task.advance)
