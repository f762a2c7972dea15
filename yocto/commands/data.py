"""What encode, prepare-char and train share: texts to the token files of a folder."""

from __future__ import annotations

import shlex
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from yocto.config import EncodeConfig, TextConfig, TrainTokenizerConfig
from yocto.dataset.documents import Documents, Texts, open_texts
from yocto.dataset.encode import Target, TokenMaker, write_dataset
from yocto.dataset.sources import find_text
from yocto.dataset.streams import kept
from yocto.dataset.tokens import Meta
from yocto.errors import ConfigError, DataError, TokenizerError
from yocto.tokenizer import processes
from yocto.tokenizer.base import CORPUS_FILE, TOKENIZER_FILES, BaseTokenizer
from yocto.tokenizer.store import find_tokenizer, load_tokenizer
from yocto.utils.files import making, read_json, write_json
from yocto.utils.lock import Held, exclusive
from yocto.utils.progress import Progress

if TYPE_CHECKING:
    from yocto.utils.cluster import Cluster

OUTPUTS = ("train.bin", "val.bin", "meta.json", CORPUS_FILE, *TOKENIZER_FILES)


def data_dir_flag(folder: str, default: str) -> str:
    """What the next command needs to find a folder that is not the default one."""
    return "" if Path(folder) == Path(default) else f" --data-dir {shlex.quote(folder)}"


def check_outputs(folder: Path, texts: Texts | None, kind: str, progress: Progress) -> None:
    """Before a folder is written: raise a DataError where a text lies in the place of a file to
    come, and say which other kind of tokenizer makes room."""
    outputs = {(folder / name).resolve() for name in OUTPUTS}
    for source in texts.sources if texts else ():
        path = Path(source.path).resolve()
        is_bin = path.suffix == ".bin" and path.parent == folder.resolve()  # a shard, maybe
        if source.is_file and (is_bin or path in outputs):
            raise DataError(
                f"{source.path} would be overwritten", "Choose another folder: --out-dir"
            )
    try:
        found = find_tokenizer(folder)
        old = load_tokenizer(found).kind if found else kind
    except TokenizerError:  # what lies there is no tokenizer
        return
    if old != kind:
        progress.notice(f"the {old} tokenizer in {folder} makes room for the {kind} one")


@contextmanager
def cluster_of(
    config: EncodeConfig | TrainTokenizerConfig, progress: Progress
) -> Iterator[Cluster | None]:
    """The cluster that the user wants the work done on; None: this machine does it."""
    if config.engine == "local":
        yield None
        return
    from yocto.utils.cluster import connected

    with connected(config.address, config.workers, progress) as cluster:
        yield cluster


@contextmanager
def writing(folder: Path, progress: Progress) -> Iterator[None]:
    """One process at a time makes the token files of a folder; another one waits, and says so."""
    with ExitStack() as held:
        with making(folder):
            folder.mkdir(parents=True, exist_ok=True)
            try:
                held.enter_context(exclusive(folder / ".lock"))
            except Held as other:
                progress.notice(f"{other} is writing into {folder}: waiting until it is done")
                held.enter_context(exclusive(folder / ".lock", wait=True))
        yield


# ---------------------------------------------------------------------------------------- corpus


def record_corpus(folder: Path, config: TextConfig) -> None:
    """Note beside a tokenizer which text it learnt from, and how that is read: for train and
    encode, which take the same where no other is named."""
    paths = [path if _is_elsewhere(path) else str(find_text(path).absolute())
             for path in config.text_path]  # fmt: skip
    known = {f.name for f in fields(TextConfig)} - {"given", "text_path"}
    told = {name: getattr(config, name) for name in sorted(known & config.given)}
    write_json(folder / CORPUS_FILE, {"paths": paths, **told})


def _is_elsewhere(path: str) -> bool:
    return path == "-" or "://" in path


def recorded_corpus(folder: Path) -> TextConfig:
    """The text that the tokenizer in this folder was trained on, and how to read it."""
    hint = "Name the text: yocto encode --text-path FILE"
    file = folder / CORPUS_FILE
    if not file.is_file():
        raise DataError(f"{folder} does not tell which text to encode", hint)
    content = read_json(file, DataError, hint)
    paths = content.pop("paths", None) if isinstance(content, dict) else None
    if not isinstance(paths, list) or not paths or not all(map(_can_be_text, paths)):
        raise DataError(f"{file} is damaged", hint)
    if "-" in paths:
        raise DataError(f"the tokenizer in {folder} learnt from standard input", hint)
    try:
        return TextConfig.from_dict({"text_path": paths, **content}, str(file))
    except ConfigError as error:
        raise DataError(f"{file} is damaged: {error.message}", hint) from error


def _can_be_text(path: Any) -> bool:
    """Whether a text may lie there; a device or a pipe might never end."""
    if not isinstance(path, str):
        return False
    try:
        mode = Path(path).stat().st_mode
    except ValueError:  # no file can have that name
        return False
    except OSError:  # who reads it tells what is wrong
        return True
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def text_config(config: TextConfig, tokenizer_folder: Path) -> TextConfig:
    """What encode reads: the text that is named, or the tokenizer's own, as it was read then."""
    names = {f.name for f in fields(TextConfig)} - {"given"}
    named = {name: getattr(config, name) for name in names & config.given}
    if not config.text_path:
        found = recorded_corpus(tokenizer_folder)
        named = {name: getattr(found, name) for name in found.given} | named
    return TextConfig.from_dict(named)


# ---------------------------------------------------------------------------------------- encode


def open_corpus_text(
    config: TextConfig, tokenizer: BaseTokenizer, hint: str = "Check --text-path."
) -> Texts:
    """The documents of a text, as a tokenizer takes them."""
    return open_texts(config.text_path, config, tokenizer.separator, cuts=tokenizer.cuts, hint=hint)


def encode_texts(
    texts: Texts,
    tokenizer: BaseTokenizer,
    target: Target,
    progress: Progress,
    cluster: Cluster | None = None,
) -> Meta:
    """Write the token files of texts. cluster: encodes them, if there is one."""
    c = texts.config
    read = {name: getattr(c, name) for name in ("text_format", "text_key", "text_column", "errors")}
    with read_twice(texts):
        settings = {
            **read, "document_separator": texts.separator, "val_ratio": target.val_ratio,
            "shard_tokens": target.shard_tokens, "files": len(texts.sources),
            "file_bytes": texts.size,
        }  # fmt: skip
        target = replace(target, settings=settings, inputs=texts.identity())
        return encode_documents(texts, tokenizer, target, progress, cluster)


@contextmanager
def read_twice(texts: Texts) -> Iterator[None]:
    """Keep what standard input holds for as long as texts are read, if it is one of them."""
    before = texts.sources
    texts.sources = [source if source.copy else kept(source) for source in before]
    try:
        yield
    finally:
        for old, new in zip(before, texts.sources, strict=True):
            if new.copy is not None and new.copy is not old.copy:
                new.copy.close()
        texts.sources = before


def encode_documents(
    documents: Documents,
    tokenizer: BaseTokenizer,
    target: Target,
    progress: Progress,
    cluster: Cluster | None = None,
) -> Meta:
    """Write the token files of documents; the tokenizer's encode goes to the dataset's writer."""
    maker = TokenMaker(
        tokenizer.encode_documents, tokenizer.vocab_size, tokenizer.end_id, tokenizer.sha256,
        tokenizer.unk_id,
    )  # fmt: skip
    if cluster is not None:
        from yocto.tokenizer.remote import encoding_cluster

        pool = partial(encoding_cluster, tokenizer, cluster, documents.size, progress)
        return write_dataset(documents, replace(maker, pool=pool), target, progress)
    tokenizer.expect(documents.size, progress.say)
    in_processes = tokenizer.parallel == "processes" and documents.size >= processes.WORTH
    if in_processes and target.workers > 1:
        maker = replace(maker, pool=partial(processes.encoding_processes, tokenizer))
    elif tokenizer.parallel != "threads":
        target = replace(target, workers=1)
    return write_dataset(documents, maker, target, progress)


def sources_of(config: TextConfig) -> list[str]:
    """The paths of a text as they are told in meta.json."""
    return [path if _is_elsewhere(path) else str(find_text(path)) for path in config.text_path]
