"""train-tokenizer: text to a tokenizer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from yocto.commands import train_tokenizer
from yocto.config import TrainTokenizerConfig
from yocto.errors import TokenizerError, YoctoError
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


# ----------------------------------------------------------------------------- characters and words

OTHER_KINDS = pytest.mark.parametrize("kind", ["char-bpe", "word"])


@OTHER_KINDS
def test_the_other_kinds_write_one_file_and_take_away_those_of_byte_bpe(
    tmp_path: Path, small_text: Path, kind: str
) -> None:
    learn(tmp_path, small_text, vocab_size=300)
    assert (tmp_path / "merges.txt").exists()
    result = learn(tmp_path, small_text, kind=kind, vocab_size=120)
    assert {f.name for f in tmp_path.iterdir()} == {"tokenizer.json", "corpus.json"}
    tokenizer = load_tokenizer(tmp_path)
    assert (tokenizer.kind, result.kind) == (kind, kind)
    assert tokenizer.vocab_size == result.vocab_size <= 120
    text = small_text.read_text(encoding="utf-8")
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert result.bytes_per_token == pytest.approx(len(text.encode()) / len(tokenizer.encode(text)))
    assert result.summary()[-1] == f"next: yocto train --mode token --data-dir {tmp_path}"


def test_byte_bpe_brings_its_files_back(tmp_path: Path, small_text: Path) -> None:
    learn(tmp_path, small_text, kind="word")
    learn(tmp_path, small_text, vocab_size=300)
    assert {f.name for f in tmp_path.iterdir()} == {
        "tokenizer.json", "vocab.json", "merges.txt", "corpus.json",
    }  # fmt: skip
    assert load_tokenizer(tmp_path).kind == "byte-bpe"


def test_words_that_the_text_does_not_have_are_noted(tmp_path: Path, small_text: Path) -> None:
    result = learn(tmp_path, small_text, kind="word")
    assert result.merges is None
    (note,) = [line for line in result.summary() if line.startswith("note:")]
    assert f"no more words, so training stopped at {result.vocab_size:,} of 8,000" in note


def test_the_knobs_of_char_bpe_reach_the_tokenizer(tmp_path: Path, small_text: Path) -> None:
    learn(
        tmp_path, small_text, kind="char-bpe", num_merges=7, pattern="llama3", normalize="nfc",
        byte_fallback=True, special_token=("<x>",),
    )  # fmt: skip
    tokenizer = load_tokenizer(tmp_path)
    assert (len(tokenizer.merges), tokenizer.pattern) == (7, "llama3")
    assert (tokenizer.normalize, tokenizer.byte_fallback) == ("nfc", True)
    assert list(tokenizer.special_tokens) == ["<unk>", "<pad>", "<bos>", "<eos>", "<x>"]
    assert tokenizer.decode(tokenizer.encode("⚙ ж")) == "⚙ ж"


def test_the_knobs_of_word_reach_the_tokenizer(tmp_path: Path, small_text: Path) -> None:
    learn(
        tmp_path, small_text, kind="word", vocab_size=20, normalize="nfkc", special_token=("<x>",)
    )
    tokenizer = load_tokenizer(tmp_path)
    assert (tokenizer.vocab_size, tokenizer.normalize) == (20, "nfkc")
    assert list(tokenizer.special_tokens) == ["<unk>", "<pad>", "<bos>", "<eos>", "<x>"]


@OTHER_KINDS
def test_the_line_that_ends_a_document_is_endoftext_and_no_text(
    tmp_path: Path, many_documents: Path, kind: str
) -> None:
    learn(tmp_path, many_documents, kind=kind, vocab_size=1000)
    vocab = "".join(load_tokenizer(tmp_path).vocab)
    assert "|" not in vocab
    assert "endoftext" not in vocab


@OTHER_KINDS
def test_too_small_a_vocabulary_is_refused_and_leaves_the_folder_alone(
    tmp_path: Path, small_text: Path, kind: str
) -> None:
    with pytest.raises(TokenizerError, match="too small"):
        learn(tmp_path, small_text, kind=kind, vocab_size=5, special_token=("<x>",))
    assert list(tmp_path.iterdir()) == []
