"""Which tokenizer the user means: a file, a folder, a run, or one of OpenAI's by name."""

from __future__ import annotations

from pathlib import Path

from yocto.checkpoint import Checkpoint, find_checkpoint, find_runs
from yocto.config import nearest
from yocto.errors import CheckpointError, TokenizerFileError
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.named import NAMES, load_named
from yocto.tokenizer.store import find_tokenizer, load_tokenizer


def open_tokenizer(spec: str, ckpt_dir: Path) -> BaseTokenizer:
    """The tokenizer that is meant: what lies at a path counts first, then a run under ckpt_dir or a
    checkpoint's folder, then OpenAI's names.

    Raises TokenizerFileError, which lists what there is, and CheckpointError for a damaged run.
    """
    if find_tokenizer(spec) is not None:
        return load_tokenizer(spec)
    try:
        step = find_checkpoint(spec, ckpt_dir)
    except CheckpointError:
        step = None
    if step is not None:
        return Checkpoint.read(step).load_tokenizer()
    if spec in NAMES:
        return load_named(spec)
    if Path(spec).exists():
        return load_tokenizer(spec)  # which tells what is wrong with it
    runs = [run.name for run in find_runs(ckpt_dir)]
    near = nearest(spec, [*NAMES, *runs])
    guess = f"Did you mean {near}? " if near else ""
    some = f", a run ({', '.join(runs[:5])})" if runs else ""
    raise TokenizerFileError(
        f"there is no tokenizer {spec!r}",
        f"{guess}It takes a tokenizer's file or folder{some}, or a name: {', '.join(NAMES)}.",
    )
