"""What encode, prepare-char and train share: how the work is shared out."""

from __future__ import annotations

from pathlib import Path

import pytest

from yocto.commands import data, encode
from yocto.config import EncodeConfig
from yocto.dataset.encode import TokenMaker
from yocto.tokenizer import processes
from yocto.tokenizer.bpe_train import BPETrainer
from yocto.tokenizer.char import CharTokenizer
from yocto.tokenizer.word import WordTokenizer
from yocto.utils.progress import SilentProgress


@pytest.fixture
def makers(monkeypatch: pytest.MonkeyPatch) -> list[tuple[TokenMaker, int]]:
    """What write_dataset was called with: the maker, and how many workers."""
    seen = []
    real = data.write_dataset

    def watched(documents, maker, target, progress):
        seen.append((maker, target.workers))
        return real(documents, maker, target, progress)

    monkeypatch.setattr(data, "write_dataset", watched)
    return seen


def encoded(folder: Path, text: Path, tokenizer, workers: int) -> list[bytes]:
    tokenizer.save(folder / "tokenizer")
    out = folder / str(workers)
    config = EncodeConfig(
        text_path=(str(text),), tokenizer_path=str(folder / "tokenizer"), out_dir=str(out),
        workers=workers,
    )  # fmt: skip
    encode.run(config, SilentProgress())
    return [(out / name).read_bytes() for name in ("train.bin", "val.bin", "meta.json")]


@pytest.mark.parametrize("kind", ["word", "char", "byte-bpe", "a regex"])
def test_the_files_do_not_depend_on_what_shares_the_work(
    tmp_path: Path, many_documents: Path, makers, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    text = many_documents.read_text("utf-8")
    tokenizer = {
        "word": lambda: WordTokenizer.train([text]),
        "char": lambda: CharTokenizer.train([text], special_tokens=["<|endoftext|>"]),
        "byte-bpe": lambda: BPETrainer(vocab_size=300).train(text),
        "a regex": lambda: BPETrainer(vocab_size=300, pattern=r"\w+|\W").train(text),
    }[kind]()
    monkeypatch.setattr(processes, "WORTH", 0)
    assert encoded(tmp_path, many_documents, tokenizer, 1) == encoded(
        tmp_path, many_documents, tokenizer, 2
    )
    maker, workers = makers[-1]
    shared = {"word": ("processes", 2), "char": ("no", 1), "byte-bpe": ("threads", 2)}
    expected = shared.get(kind, ("processes", 2))
    assert (tokenizer.parallel, workers) == expected
    assert (maker.pool is not None) == (expected[0] == "processes")


def test_a_short_text_starts_no_process(tmp_path: Path, many_documents: Path, makers) -> None:
    encoded(tmp_path, many_documents, WordTokenizer.train(["the river"]), 2)
    assert [(maker.pool, workers) for maker, workers in makers] == [(None, 1)]
