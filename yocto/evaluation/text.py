"""Texts to measure: read and encoded, or the validation split of token files; and their loss."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from yocto.config import TextConfig
from yocto.dataset.documents import open_texts
from yocto.dataset.tokens import Ids, Tokens, TokenShards, load_split, read_meta
from yocto.errors import DataError
from yocto.evaluation.extent import count_characters, extent_of
from yocto.evaluation.result import TextScore, perplexity_of
from yocto.evaluation.scoring import Scorer
from yocto.evaluation.windows import preceded, windows
from yocto.tokenizer.base import BaseTokenizer, id_dtype
from yocto.utils.progress import Progress

_BATCH = 1 << 21  # bytes of text that are encoded together


@dataclass(frozen=True)
class Text:
    """A text as tokens. bytes, characters: of the text that they were made of; characters: None
    where that is not known."""

    name: str
    tokens: Tokens
    bytes: int
    characters: int | None = None


def read_text(path: str, config: TextConfig, tokenizer: BaseTokenizer, progress: Progress) -> Text:
    """A file, a folder, a glob or a URL as one text, its documents encoded as `yocto encode` does:
    special tokens taken as plain text, and the end token between two documents.

    Raises DataError for what can't be read, and TokenizerError for what the tokenizer can't encode.
    """
    hint = "Check --text-path."
    texts = open_texts([path], config, tokenizer.separator, cuts=tokenizer.cuts, hint=hint)
    parts: list[bytes | None] = []
    made: list[Ids] = []
    size = total = characters = consumed = 0
    begun = False
    with progress.task(f"encoding {path}", texts.size or None, "byte") as task:
        tokenizer.expect(texts.size, progress.say)
        for piece in texts.pieces():
            if piece.starts and begun:
                parts.append(None)
            begun = True
            parts.append(piece.data)
            size += len(piece.data)
            total += len(piece.data)
            characters += count_characters(piece.data)
            if size >= _BATCH:
                made.append(tokenizer.encode_documents(parts))
                parts, size = [], 0
            task.advance(texts.consumed - consumed)
            consumed = texts.consumed
        if parts:
            made.append(tokenizer.encode_documents(parts))
    empty = np.empty(0, id_dtype(tokenizer.vocab_size))
    return Text(path, TokenShards(made or [empty]), total, characters)


def validation_text(folder: Path, tokenizer: BaseTokenizer) -> Text:
    """The validation split of a folder's token files. Raises DataError where it is damaged, empty
    or made with another tokenizer."""
    meta = read_meta(folder)
    if meta.tokenizer_sha256 != tokenizer.sha256:
        raise DataError(
            f"the token files in {folder} were made with another tokenizer than the model's",
            "Measure the text itself: --text-path FILE",
        )
    split = meta.splits["val"]
    if not split.tokens:
        raise DataError(
            f"the token files in {folder} have no validation split",
            "Measure a text: --text-path FILE; or encode with --val-ratio above 0.",
        )
    return Text(f"validation split of {folder}", load_split(folder, "val", meta), split.bytes)


def score_text(
    scorer: Scorer, tokenizer: BaseTokenizer, text: Text, progress: Progress,
    stride: int | None = None, start_ids: Sequence[int] = (), most: int | None = None,
) -> TextScore:  # fmt: skip
    """The loss of a text, each token but the first scored once: see windows.py.

    stride: None takes block_size. start_ids: what the model's texts begin with; then the text's
    first token is scored too. most: windows in a batch. Raises DataError for a text of which
    nothing is to be scored.
    """
    tokens = preceded(start_ids, text.tokens)
    first = max(1, len(start_ids))
    count = len(tokens) - first
    if count <= 0:
        has = "one token" if len(text.tokens) else "no token"
        raise DataError(
            f"{text.name} has {has}: nothing is left to predict", "Measure a longer text."
        )
    block_size = scorer.block_size
    stride = block_size if stride is None else stride
    most = most or max(1, scorer.batch_tokens // block_size)
    total, done, began = 0.0, 0, time.perf_counter()
    with progress.task(f"measuring {text.name}", count, "token") as task:
        for scores in scorer.stream(windows(tokens, block_size, stride, first), most):
            total -= sum(score.logprob for score in scores)
            batch = sum(score.tokens for score in scores)
            done += batch
            task.advance(batch)
            task.status(f"loss {total / done:.4f}")
    seconds = time.perf_counter() - began
    assert done == count, "each token is scored once"
    size, characters = _extent(tokenizer, text, first - len(start_ids), progress)
    return TextScore(
        name=text.name,
        loss=total / count,
        perplexity=perplexity_of(total / count),
        bits_per_byte=total / math.log(2) / size if size else None,
        bits_per_character=total / math.log(2) / characters if characters else None,
        tokens=count,
        bytes=size,
        characters=characters,
        stride=stride,
        block_size=block_size,
        seconds=round(seconds, 4),
        tokens_per_second=round(count / seconds, 1),
    )


def _extent(
    tokenizer: BaseTokenizer, text: Text, first: int, progress: Progress
) -> tuple[int, int]:
    """Bytes and characters of text that the tokens from the first scored one on stand for.

    Where a tokenizer changes or drops something, the shorter of what was read and what comes back
    counts, so that no figure gets better by it; that is told.
    """
    if tokenizer.kind == "ids":
        return 0, 0
    head, _ = extent_of(tokenizer, text.tokens, 0, first)
    size, characters = extent_of(tokenizer, text.tokens, first, len(text.tokens))
    if head + size != text.bytes:
        progress.notice(
            f"{text.name} has {text.bytes:,} bytes, and its tokens stand for {head + size:,}: the "
            f"tokenizer does not keep all of it; the smaller number counts for bits per byte"
        )
    if text.characters is not None:
        characters = min(characters, text.characters)
    return max(0, min(size, text.bytes - head)), characters
