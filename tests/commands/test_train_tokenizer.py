"""train-tokenizer: text to a tokenizer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from yocto.commands import train_tokenizer
from yocto.config import TrainTokenizerConfig
from yocto.errors import YoctoError
from yocto.tokenizer.store import load_tokenizer
from yocto.utils.progress import SilentProgress


def learn(out_dir: Path, *paths: Path, **knobs) -> train_tokenizer.TrainedTokenizer:
    config = TrainTokenizerConfig(text_path=tuple(map(str, paths)), out_dir=str(out_dir), **knobs)
    return train_tokenizer.run(config, SilentProgress())


def test_the_tokenizer_and_gpt2s_files_and_the_corpus_are_written(
    tmp_path: Path, small_text: Path
) -> None:
    result = learn(tmp_path, small_text, vocab_size=300)
    assert {f.name for f in tmp_path.iterdir()} == {
        "tokenizer.json", "vocab.json", "merges.txt", "corpus.json",
    }  # fmt: skip
    assert result.vocab_size == load_tokenizer(tmp_path).vocab_size == 300
    assert result.merges == 300 - 256 - 1
    corpus = json.loads((tmp_path / "corpus.json").read_text())
    assert corpus == {"paths": [str(small_text)]}


def test_the_corpus_is_recorded_as_a_whole_path(
    tmp_path: Path, small_text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(small_text.parent)
    learn(tmp_path, Path(small_text.name), vocab_size=300)
    assert json.loads((tmp_path / "corpus.json").read_text()) == {"paths": [str(small_text)]}


def test_bytes_per_token_is_measured_on_the_text(tmp_path: Path, small_text: Path) -> None:
    result = learn(tmp_path, small_text, vocab_size=300)
    text = small_text.read_text(encoding="utf-8")
    tokens = load_tokenizer(tmp_path).encode(text)
    assert result.bytes_per_token == pytest.approx(len(text.encode()) / len(tokens))
    assert f"{result.bytes_per_token:.2f} bytes" in result.summary()[0]


def test_a_number_of_merges_takes_the_place_of_a_size(tmp_path: Path, small_text: Path) -> None:
    result = learn(tmp_path, small_text, num_merges=10)
    assert (result.merges, result.vocab_size) == (10, 267)
    assert not any("note" in line for line in result.summary())


def test_a_vocabulary_that_the_text_can_not_fill_is_noted(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("abab abab")
    result = learn(tmp_path / "out", text, vocab_size=8000)
    assert result.vocab_size < 300
    (note,) = [line for line in result.summary() if line.startswith("note:")]
    assert f"{result.vocab_size:,} of 8,000 tokens" in note


def test_special_tokens_of_ones_own_have_ids(tmp_path: Path, small_text: Path) -> None:
    learn(tmp_path, small_text, vocab_size=300, special_token=("<stop>", "<go>"))
    tokenizer = load_tokenizer(tmp_path)
    assert set(tokenizer.special_tokens) == {"<stop>", "<go>"}
    assert tokenizer.end_token == "<stop>"


def test_a_pattern_that_is_no_regex_is_an_error(tmp_path: Path, small_text: Path) -> None:
    with pytest.raises(YoctoError, match="pattern"):
        learn(tmp_path, small_text, pattern="(")
