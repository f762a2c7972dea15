"""What train reads: token files and their tokenizer, made where they are missing."""

from __future__ import annotations

import shlex
from pathlib import Path

from yocto.checkpoint import Checkpoint
from yocto.commands.data import (
    encode_texts,
    open_corpus_text,
    recorded_corpus,
    sources_of,
    writing,
)
from yocto.config import EncodeConfig, TrainConfig
from yocto.dataset.encode import Target
from yocto.dataset.tokens import load_split, read_meta
from yocto.dataset.work import is_under_way
from yocto.errors import DataError, RunError
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.store import find_tokenizer, load_tokenizer
from yocto.training.corpus import Corpus
from yocto.utils.cores import available_cores
from yocto.utils.progress import Progress


def prepare_data(
    config: TrainConfig, checkpoint: Checkpoint | None, progress: Progress
) -> tuple[BaseTokenizer, Path]:
    """The tokenizer and the folder of token files that fit it, made where they are missing."""
    default_dir = config.data_dir or f"data/{config.mode}"
    if Path(default_dir).is_file():
        raise DataError(
            f"{default_dir} is a file, not a folder of token files",
            f"Make them first: yocto train-tokenizer --text-path {shlex.quote(default_dir)}",
        )
    place = config.tokenizer_path or default_dir
    file = find_tokenizer(place)
    if file is None and is_under_way(Path(place)):
        raise DataError(
            f"encoding into {place} was interrupted",
            "Go on with it: the same yocto encode with --resume",
        )
    if file is None:
        command = "yocto prepare-char" if config.mode == "char" else "yocto train-tokenizer"
        where = (
            f" --out-dir {shlex.quote(place)}" if config.data_dir or config.tokenizer_path else ""
        )
        raise DataError(f"there is no tokenizer in {place}", f"Make it first: {command}{where}")
    tokenizer = load_tokenizer(file)
    if (tokenizer.kind == "char") != (config.mode == "char"):
        other = "char" if tokenizer.kind == "char" else "token"
        raise DataError(
            f"{file} is a {tokenizer.kind} tokenizer, which --mode {config.mode} does not take",
            f"Use --mode {other}, or another --data-dir.",
        )
    if checkpoint is not None and checkpoint.load_tokenizer().sha256 != tokenizer.sha256:
        raise RunError(
            f"{checkpoint.path.parent.name} was trained with another tokenizer than {file}",
            f"Its own lies in {checkpoint.path}: give it, and data encoded by it.",
        )
    data_dir = Path(config.data_dir) if config.data_dir else file.parent
    _freshen(data_dir, file, tokenizer, config, progress)
    return tokenizer, data_dir


def prepared_data(config: TrainConfig) -> tuple[BaseTokenizer, Path]:
    """The same where they are there; nothing is made. Raises RunError where they can't be seen."""
    place = config.tokenizer_path or config.data_dir or f"data/{config.mode}"
    file = find_tokenizer(place)
    data_dir = Path(config.data_dir or (file.parent if file else place))
    if file is None or not (data_dir / "meta.json").is_file():
        raise RunError(
            f"there are no token files in {data_dir.absolute()} on this machine",
            "Let all machines see the same files, in a folder that they share.",
        )
    return load_tokenizer(file), data_dir


def _freshen(
    data_dir: Path, file: Path, tokenizer: BaseTokenizer, config: TrainConfig, progress: Progress
) -> None:
    """Encode where no token files are; make stale ones anew that train made, refuse others."""
    if _missing(data_dir, file, tokenizer, config) is None:
        return
    with writing(data_dir, progress):
        # Another training may have made them while this one waited.
        if reason := _missing(data_dir, file, tokenizer, config):
            corpus = recorded_corpus(file.parent)
            stale = (data_dir / "meta.json").is_file()
            tell = progress.notice if stale else progress.say
            tell(f"{reason}: encoding {', '.join(corpus.text_path)}")
            hint = f"Say where it is now: {_encode_command(file, data_dir)} --text-path FILE"
            texts = open_corpus_text(corpus, tokenizer, hint)
            target = Target(
                data_dir, EncodeConfig().val_ratio, sources_of(corpus), "train",
                workers=available_cores(),
            )  # fmt: skip
            encode_texts(texts, tokenizer, target, progress)


def _missing(
    data_dir: Path, file: Path, tokenizer: BaseTokenizer, config: TrainConfig
) -> str | None:
    """Why token files have to be made; None when they are there and fit. Raises DataError where
    the user has to make them."""
    is_char = config.mode == "char"
    command = "yocto prepare-char" if is_char else _encode_command(file, data_dir)
    if not (data_dir / "meta.json").is_file():
        if is_under_way(data_dir) and not is_char:
            raise DataError(
                f"encoding into {data_dir} was interrupted",
                "Go on with it: the same yocto encode as before, with --resume.",
            )
        if config.mode == "char" or any(data_dir.glob("*.bin")):
            raise DataError(f"{data_dir} has no meta.json", f"Encode the text: {command}")
        recorded_corpus(file.parent)
        return f"no token files in {data_dir} yet"
    meta = read_meta(data_dir)
    if meta.tokenizer_sha256 == tokenizer.sha256:
        return None
    if meta.made_by != "train":
        raise DataError(
            f"the token files in {data_dir} were made with another tokenizer than {file}",
            f"Encode the text anew: {command}",
        )
    return f"the tokenizer has changed since the token files in {data_dir} were made"


def _encode_command(file: Path, data_dir: Path) -> str:
    tokenizer, folder = shlex.quote(str(file)), shlex.quote(str(data_dir))
    return f"yocto encode --tokenizer-path {tokenizer} --out-dir {folder}"


def open_corpus(data_dir: Path, tokenizer: BaseTokenizer) -> Corpus:
    """Both splits, with what a run has to know of them."""
    meta = read_meta(data_dir)
    if meta.vocab_size != tokenizer.vocab_size:
        raise DataError(
            f"{data_dir}/meta.json tells of {meta.vocab_size} tokens, the tokenizer has "
            f"{tokenizer.vocab_size}",
            "Encode the text anew.",
        )
    train, val = load_split(data_dir, "train", meta), load_split(data_dir, "val", meta)
    splits = meta.splits
    digests = splits["train"].sha256 + splits["val"].sha256
    return Corpus(train, val, splits["val"].bytes, splits["train"].documents, digests, meta.end_id)
