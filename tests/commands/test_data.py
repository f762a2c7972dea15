"""What encode, prepare-char and train share: how the work is shared out."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from yocto.commands import data, encode, prepare_char
from yocto.commands.corpus import prepare_data
from yocto.config import EncodeConfig, PrepareCharConfig, TrainConfig, TrainTokenizerConfig
from yocto.dataset.encode import TokenMaker
from yocto.errors import DataError
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


# ----------------------------------------------------------------- what the user may not expect


class Told(SilentProgress):
    def __init__(self) -> None:
        self.notices: list[str] = []

    def notice(self, text: str) -> None:
        self.notices.append(text)


def run_encode(tokenizer, folder: Path, **knobs) -> list[str]:
    tokenizer.save(folder / "t")
    told = Told()
    config = EncodeConfig(tokenizer_path=str(folder / "t"), out_dir=str(folder / "o"), **knobs)
    encode.run(config, told)
    return told.notices


def test_documents_that_nothing_marks_are_told(tmp_path: Path, many_documents: Path) -> None:
    text = many_documents.read_text("utf-8")
    without = BPETrainer(vocab_size=300, special_tokens=()).train(text)
    (notice,) = run_encode(without, tmp_path, text_path=(str(many_documents),))
    assert "no end token" in notice and "40 documents" in notice
    other = BPETrainer(vocab_size=280).train(text)
    notices = run_encode(other, tmp_path / "anew", from_bin=str(tmp_path / "o"))
    assert any("marks where documents end" in notice for notice in notices)


def test_what_unknown_tokens_stood_for_is_told_to_be_lost(
    tmp_path: Path, many_documents: Path
) -> None:
    text = many_documents.read_text("utf-8")
    words = WordTokenizer.train([text[: len(text) // 4]], vocab_size=20)
    run_encode(words, tmp_path, text_path=(str(many_documents),))
    ids = np.concatenate(
        [np.fromfile(tmp_path / "o" / f"{n}.bin", "<u2") for n in ("train", "val")]
    )
    unknown = int((ids == words.unk_id).sum())
    other = BPETrainer(vocab_size=280).train(text)
    notices = run_encode(other, tmp_path / "anew", from_bin=str(tmp_path / "o"))
    assert unknown > 0
    assert any(notice.startswith(f"{unknown:,} tokens of") for notice in notices)


def test_who_waits_for_another_says_so(tmp_path: Path) -> None:
    told = Told()
    entered = threading.Event()
    with data.writing(tmp_path, told):
        waiting = threading.Thread(target=lambda: enter(tmp_path, told, entered))
        waiting.start()
        deadline = time.monotonic() + 10
        while not told.notices and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not entered.is_set()
    waiting.join(10)
    assert entered.is_set()
    assert told.notices == [f"process {os.getpid()} is writing into {tmp_path}: waiting until it "
                            "is done"]  # fmt: skip


def enter(folder: Path, told: Told, entered: threading.Event) -> None:
    with data.writing(folder, told):
        entered.set()


def test_prepare_char_notes_its_own_text(tmp_path: Path, many_documents: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("some other text " * 9)
    data.record_corpus(tmp_path, TrainTokenizerConfig(text_path=(str(other),)))
    prepare_char.run(
        PrepareCharConfig(text_path=(str(many_documents),), out_dir=str(tmp_path), lowercase=True),
        SilentProgress(),
    )
    assert data.recorded_corpus(tmp_path).text_path == (str(many_documents),)


def test_train_says_how_an_interrupted_encoding_goes_on(tmp_path: Path) -> None:
    (tmp_path / ".encoding.json").write_text("{}")
    with pytest.raises(DataError, match="was interrupted") as caught:
        prepare_data(TrainConfig(data_dir=str(tmp_path)), None, SilentProgress())
    assert "--resume" in caught.value.hint
