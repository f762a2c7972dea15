"""What encode, prepare-char and train share: texts to the token files of a folder."""

from __future__ import annotations

import shlex
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from yocto.dataset.encode import TokenMaker, write_dataset
from yocto.dataset.text import find_text, read_documents
from yocto.dataset.tokens import Ids, Meta
from yocto.errors import DataError, TokenizerError
from yocto.tokenizer.base import CORPUS_FILE, TOKENIZER_FILES, BaseTokenizer
from yocto.tokenizer.store import find_tokenizer, load_tokenizer
from yocto.utils.cores import available_cores
from yocto.utils.files import making, read_json
from yocto.utils.lock import exclusive
from yocto.utils.progress import Progress

OUTPUTS = ("train.bin", "val.bin", "meta.json", CORPUS_FILE, *TOKENIZER_FILES)


def data_dir_flag(folder: str, default: str) -> str:
    """What the next command needs to find a folder that is not the default one."""
    return "" if Path(folder) == Path(default) else f" --data-dir {shlex.quote(folder)}"


def check_outputs(folder: Path, texts: Sequence[str], kind: str, progress: Progress) -> None:
    """Before a folder is written: raise a DataError where a text lies in the place of a file to
    come, and say which other kind of tokenizer makes room."""
    outputs = {(folder / name).resolve() for name in OUTPUTS}
    for text in texts:
        if find_text(text).resolve() in outputs:
            raise DataError(f"{text} would be overwritten", "Choose another folder: --out-dir")
    try:
        found = find_tokenizer(folder)
        old = load_tokenizer(found).kind if found else kind
    except TokenizerError:  # what lies there is no tokenizer
        return
    if old != kind:
        progress.notice(f"the {old} tokenizer in {folder} makes room for the {kind} one")


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """One process at a time makes the token files of a folder; another one waits."""
    with ExitStack() as held:
        with making(folder):
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(exclusive(folder / ".lock", wait=True))
        yield


def recorded_corpus(folder: Path) -> tuple[str, ...]:
    """The text files that the tokenizer in this folder was trained on."""
    hint = "Name the text: yocto encode --text-path FILE"
    file = folder / CORPUS_FILE
    if not file.is_file():
        raise DataError(f"{folder} does not tell which text to encode", hint)
    content = read_json(file, DataError, hint)
    paths = content.get("paths") if isinstance(content, dict) else None
    if not isinstance(paths, list) or not paths or not all(map(_can_be_text, paths)):
        raise DataError(f"{file} is damaged", hint)
    return tuple(paths)


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


def encode_files(
    paths: Sequence[str],
    tokenizer: BaseTokenizer,
    out_dir: Path,
    val_ratio: float,
    made_by: str,
    progress: Progress,
    hint: str = "Check --text-path.",
) -> Meta:
    """Read text files and write their token files. hint: what to do where one can't be read."""
    documents = list(read_documents(paths, tokenizer.separator, hint))
    return encode_documents(documents, tokenizer, out_dir, val_ratio, paths, made_by, progress)


def encode_documents(
    documents: Sequence[str],
    tokenizer: BaseTokenizer,
    out_dir: Path,
    val_ratio: float,
    paths: Sequence[str],
    made_by: str,
    progress: Progress,
) -> Meta:
    """Write the token files of documents; the tokenizer's encode goes to the dataset's writer."""
    unknown = total = 0

    def encode(texts: Sequence[str]) -> list[Ids]:
        nonlocal unknown, total
        made = tokenizer.encode_batch_to_numpy(texts, available_cores())
        if tokenizer.unk_id is not None:
            unknown += sum(int((ids == tokenizer.unk_id).sum()) for ids in made)
            total += sum(map(len, made))
        return made

    tokenizer.expect(sum(map(len, documents)), progress.say)
    maker = TokenMaker(encode, tokenizer.vocab_size, tokenizer.end_id, tokenizer.sha256)
    meta = write_dataset(
        documents,
        maker,
        out_dir,
        val_ratio=val_ratio,
        sources=[str(find_text(path)) for path in paths],
        made_by=made_by,
        progress=progress,
    )
    if unknown:
        share = max(0.0001, unknown / total)
        progress.notice(
            f"{share:.2%} of the tokens are <unk>: this tokenizer does not know them, "
            f"and bits per byte leave out what they hide. A larger --vocab-size helps; byte-bpe "
            f"knows any text"
        )
    return meta
