"""train-tokenizer: text to a tokenizer."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from yocto.commands import train_tokenizer
from yocto.config import TrainTokenizerConfig
from yocto.dataset import text as text_module
from yocto.dataset.documents import Texts, read_documents
from yocto.errors import TokenizerError, YoctoError
from yocto.tokenizer import bpe_train, piece_counts, trainers
from yocto.tokenizer.store import load_tokenizer
from yocto.utils.cores import available_cores
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


# ------------------------------------------------------------------------ long texts, and in parts


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """All training is the kernels' work, as that of a long text is."""
    monkeypatch.setattr(bpe_train, "enough_for", lambda *modules, size: 0)
    monkeypatch.setattr(bpe_train, "learning_pays", lambda symbols: True)


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Text comes in parts of some dozen characters. A list of those that each reading gave."""
    read = []

    real = Texts.parts

    def watched(texts: Texts) -> Iterator[str]:
        read.append([])
        for part in real(texts):
            read[-1].append(part)
            yield part

    monkeypatch.setattr(text_module, "BLOCK", 40)
    monkeypatch.setattr(text_module, "PART", 40)
    monkeypatch.setattr(Texts, "parts", watched)
    return read


def written(folder: Path) -> str:
    return (folder / "tokenizer.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["byte-bpe", "char-bpe"])
def test_the_merges_do_not_depend_on_workers_or_kernels(
    tmp_path: Path, small_text: Path, kind: str, request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    learn(tmp_path / "plain", small_text, kind=kind, vocab_size=400)
    request.getfixturevalue("kernels")
    monkeypatch.setattr(piece_counts, "_BATCH", 1000)
    monkeypatch.setattr(text_module, "BLOCK", 500)
    monkeypatch.setattr(text_module, "PART", 500)
    used = []
    count = piece_counts.count_with_kernels

    def watched(texts: Iterable[str], pattern: str, workers: int, so_far: Any) -> Any:
        used.append(workers)
        return count(texts, pattern, workers, so_far)

    monkeypatch.setattr(bpe_train, "count_with_kernels", watched)
    monkeypatch.setattr(trainers, "available_cores", lambda: 5)
    for workers in (1, 2, 3, None):
        learn(tmp_path / "kernels", small_text, kind=kind, vocab_size=400, workers=workers)
        assert written(tmp_path / "kernels") == written(tmp_path / "plain")
    assert used == [1, 2, 3, 5]


@pytest.mark.parametrize("kind", ["byte-bpe", "char-bpe"])
def test_pairs_that_are_too_rare_are_not_merged(tmp_path: Path, kind: str, kernels: None) -> None:
    text = tmp_path / "text.txt"
    text.write_text("abab " * 5 + "xyz " * 4)
    often = learn(tmp_path / "a", text, kind=kind, vocab_size=1000, min_frequency=5)
    seldom = learn(tmp_path / "b", text, kind=kind, vocab_size=1000, min_frequency=4)
    never = learn(tmp_path / "c", text, kind=kind, vocab_size=1000, min_frequency=50)
    assert 0 == never.merges < often.merges < seldom.merges
    tokens = load_tokenizer(tmp_path / "a").vocab
    assert not any("x" in str(token) and "y" in str(token) for token in tokens)


PARTS = pytest.mark.parametrize(
    ("knobs", "in_parts"),
    [
        ({}, True),
        ({"pattern": "gpt4"}, True),
        ({"pattern": "gpt4o", "normalize": "nfkc"}, True),
        ({"pattern": "llama3", "normalize": "nfc"}, True),
        ({"pattern": "qwen2", "special_token": ("<|endoftext|>", "<a>")}, True),
        ({"kind": "char-bpe", "special_token": ("<|endoftext|>", "<a>")}, True),
        ({"special_token": ("<|endoftext|>", "<a b>")}, False),
        ({"special_token": ("<|endoftext|>", "is\u00a0a")}, False),
        ({"pattern": r"\w+ \w+|\s\S+|."}, False),
        ({"kind": "char-bpe", "pattern": r"\w+ \w+|\s\S+|."}, False),
        ({"kind": "word"}, False),
        ({"kind": "word", "special_token": ("<|endoftext|>", "<a>")}, False),
    ],
)


@PARTS
@pytest.mark.parametrize("takes_kernels", [False, True])
def test_merges_are_the_same_whether_a_file_comes_in_parts_or_whole(
    tmp_path: Path, parts: list[list[str]], monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest, knobs: dict[str, Any], in_parts: bool, takes_kernels: bool,
) -> None:  # fmt: skip
    if takes_kernels:
        request.getfixturevalue("kernels")
    text = tmp_path / "text.txt"
    lines = [
        "This is <a b> a line, it isn't long <a> and <|endoftext|> it ends.\n",
        "Ünïcödé №5 x² क़. ﬁne don’t is\u00a0a 中文字。 e\u0301 a ½ cup of 12 345 \n\n",
        "<|endoftext|>\r\n",
        "if x == y:\r\n\tfoo_bar = 'they''re'  \r\n  \n",
    ]
    rng = random.Random(0)
    text.write_bytes("".join(rng.choices(lines, weights=[9, 9, 1, 9], k=60)).encode())
    learn(tmp_path / "parts", text, vocab_size=600, **knobs)
    documents = list(read_documents([text]))
    assert (len(parts[0]) > 3 * len(documents)) == in_parts
    assert in_parts or parts[0] == documents
    monkeypatch.setattr(text_module, "BLOCK", 1 << 20)
    monkeypatch.setattr(text_module, "PART", 1 << 20)
    learn(tmp_path / "whole", text, vocab_size=600, **knobs)
    assert parts[1] == documents
    assert written(tmp_path / "parts") == written(tmp_path / "whole")


def test_the_flags_reach_the_trainer(
    tmp_path: Path, small_text: Path, yocto: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    make = train_tokenizer.make_trainer
    monkeypatch.setattr(
        train_tokenizer, "make_trainer", lambda config: made.append(make(config)) or made[-1]
    )
    options = ["--text-path", small_text, "--out-dir", tmp_path, "--vocab-size", "280"]
    result = yocto("train-tokenizer", *options, "--workers", "3", "--min-frequency", "7")
    assert result.exit_code == 0, result.stderr
    assert (made[0].workers, made[0].min_frequency) == (3, 7)
    assert yocto("train-tokenizer", *options).exit_code == 0
    assert (made[1].workers, made[1].min_frequency) == (available_cores(), 1)


@pytest.mark.parametrize("flag", ["workers", "min-frequency"])
def test_a_word_tokenizer_has_no_use_for_them(
    tmp_path: Path, small_text: Path, yocto: Any, flag: str
) -> None:
    result = yocto(
        "train-tokenizer", "--kind", "word", "--text-path", small_text, "--out-dir", tmp_path,
        f"--{flag}", "2",
    )  # fmt: skip
    assert result.exit_code == 2
    assert "merges nothing" in result.stderr
    assert list(tmp_path.iterdir()) == []
