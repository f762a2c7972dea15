"""Figures of tokenizers, against the slow and obvious way to count them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, ClassVar

import pytest
import tiktoken
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny import make_text

from yocto.dataset import text as text_module
from yocto.dataset.documents import open_texts
from yocto.evaluation import corpora
from yocto.evaluation import tokenizer_figures as figures_module
from yocto.evaluation.corpora import Corpus, count_corpus
from yocto.evaluation.tokenizer_figures import Candidate, TokenizerFigures, measure
from yocto.tokenizer.adapters import adapt_tokenizer
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.bpe_train import BPETrainer
from yocto.tokenizer.byte_level import ALPHABET
from yocto.tokenizer.char import CharTokenizer
from yocto.tokenizer.word import WordTokenizer
from yocto.utils.progress import SilentProgress

LEARNT = make_text(120)
OTHER = "The müde reason 漢字 asks: 🙂🙂 «why» <|endoftext|> or <unk>?\n\tTabs\r\n  and  spaces  "


@functools.cache
def kinds() -> dict[str, BaseTokenizer]:
    """One of each kind."""
    return {
        "byte-bpe": BPETrainer(vocab_size=400).train(LEARNT),
        "a regex": BPETrainer(vocab_size=400, pattern=r"\S+|\s+").train(LEARNT),
        "nfkc": BPETrainer(vocab_size=400, normalize="nfkc").train(LEARNT),
        "char-bpe": BPETrainer("char-bpe", vocab_size=300).train(LEARNT),
        "char-bpe, bytes": BPETrainer("char-bpe", vocab_size=500, byte_fallback=True).train(LEARNT),
        "word": WordTokenizer.train([LEARNT], vocab_size=40),
        "char": CharTokenizer.train([LEARNT]),
    }


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Speeds are not what most of these tests are about."""
    monkeypatch.setattr(figures_module, "_SHORTEST", 0.0)
    monkeypatch.setattr(figures_module, "_PASSES", 1)


def figures(
    text: str, folder: Path, candidates: dict[str, BaseTokenizer]
) -> list[TokenizerFigures]:
    """What is measured of a text without separators."""
    (folder / "text.txt").write_bytes(text.encode())
    corpus = Corpus("text.txt", open_texts([folder / "text.txt"]))
    counts = count_corpus(corpus, SilentProgress())
    made = [Candidate(name, tokenizer) for name, tokenizer in candidates.items()]
    return measure(made, corpus, counts, SilentProgress())


def is_fallback(tokenizer: BaseTokenizer, token_id: int) -> bool:
    """The same by a token's name."""
    names = {i: token for token, i in getattr(tokenizer, "vocab", {}).items()}
    name = names.get(token_id, "")
    if isinstance(name, bytes):
        return len(name) == 1 and name[0] > 127
    return name.startswith("<0x") or tokenizer.special_tokens.get("<unk>") == token_id


def obvious(text: str, tokenizer: BaseTokenizer) -> dict[str, Any]:
    """The same by encode, decode and str.split, character by character."""
    lost = 0
    if isinstance(tokenizer, CharTokenizer):
        lost = sum(c not in tokenizer.stoi for c in text)
        ids = tokenizer.encode("".join(c for c in text if c in tokenizer.stoi))
    else:
        ids = tokenizer.encode(text, allowed_special="none")
    fallbacks = lost + sum(is_fallback(tokenizer, i) for i in ids)
    tokens, words = len(ids) + lost, len(text.split())
    return {
        "tokens": tokens,
        "bytes_per_token": len(text.encode()) / tokens,
        "characters_per_token": len(text) / tokens,
        "tokens_per_word": tokens / words if words else None,
        "used": len(set(ids)),
        "used_share": len(set(ids)) / tokenizer.vocab_size,
        "fallbacks": fallbacks,
        "fallback_share": fallbacks / tokens,
        "exact": not lost and tokenizer.decode_bytes(ids) == text.encode(),
    }


def check(text: str, folder: Path, candidates: dict[str, BaseTokenizer]) -> None:
    for row, (name, tokenizer) in zip(
        figures(text, folder, candidates), candidates.items(), strict=True
    ):
        assert (row.name, row.kind, row.vocab_size) == (name, tokenizer.kind, tokenizer.vocab_size)
        expected = obvious(text, tokenizer)
        assert {key: getattr(row, key) for key in expected} == expected, name


@pytest.mark.parametrize("text", [LEARNT, OTHER, "x", "é", "  \n a"])
def test_all_kinds_have_the_figures_of_the_obvious_count(text: str, tmp_path: Path) -> None:
    check(text, tmp_path, kinds())


@settings(
    max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.text(alphabet=st.sampled_from("the rive.é漢🙂\n<|>'1_"), min_size=1, max_size=80))
def test_any_text_has_the_figures_of_the_obvious_count(tmp_path: Path, text: str) -> None:
    if text.strip():
        check(text, tmp_path, kinds())


def test_a_long_text_in_many_parts_and_batches_has_the_same_figures(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(text_module, "PART", 200)
    monkeypatch.setattr(corpora, "_BATCH", 1000)
    check(make_text(300, 5) + OTHER, tmp_path, kinds())


def test_documents_are_encoded_apart_and_what_parts_them_is_no_text(tmp_path) -> None:
    documents = ["the river\n", "<|endoftext|> in a line\n", "a road"]
    text = "<|endoftext|>\n".join(documents)
    for row, tokenizer in zip(figures(text, tmp_path, kinds()), kinds().values(), strict=True):
        alone = [obvious(document, tokenizer) for document in documents]
        assert row.tokens == sum(one["tokens"] for one in alone)
        assert row.bytes_per_token == sum(map(len, documents)) / row.tokens
        assert row.exact == all(one["exact"] for one in alone)


def test_tiktoken_counts_as_many_tokens_and_uses_as_many(tmp_path) -> None:
    ranks = {t: i for i, t in enumerate([*ALPHABET, b"th", b"the", b" the", b"er", b" r", b"ea"])}
    encoding = tiktoken.Encoding(
        "small", pat_str=r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
        mergeable_ranks=ranks, special_tokens={"<|endoftext|>": len(ranks)},
    )  # fmt: skip
    text = LEARNT + OTHER
    (row,) = figures(text, tmp_path, {"small": adapt_tokenizer(encoding)})
    ids = encoding.encode(text, disallowed_special=())
    assert row.tokens == len(ids)
    assert row.used == len(set(ids))
    assert row.vocab_size == encoding.n_vocab
    single = [encoding.decode_single_token_bytes(i) for i in ids]
    assert row.fallbacks == sum(len(b) == 1 and b[0] > 127 for b in single)
    assert row.fallbacks > 10
    assert row.exact


def test_a_capital_letter_that_becomes_a_small_one_is_known_but_does_not_come_back(
    tmp_path,
) -> None:
    tokenizer = CharTokenizer.train([LEARNT], lowercase=True)
    (row,) = figures("The River", tmp_path, {"char": tokenizer})
    assert (row.tokens, row.fallbacks, row.exact) == (9, 0, False)


def test_speed_is_the_median_of_warm_passes_over_the_beginning_of_the_text(
    tmp_path, monkeypatch
) -> None:
    class Slow(BaseTokenizer):
        """Encoding takes as long as this says, and nothing else takes any time."""

        kind = "slow"
        special_tokens: ClassVar[dict[str, int]] = {}
        vocab_size = 256
        cuts = "any"
        clock = 0.0
        costs = iter([9.0, 50.0, 1.0, 2.0, 4.0, 3.0, 100.0])  # counting, cold, five warm passes

        train = token_bytes = files = None  # type: ignore[assignment]

        def encode_batch_to_numpy(self, texts, workers=1):
            Slow.clock += next(self.costs)
            return super().encode_batch_to_numpy(texts, workers)

        def _encode_plain(self, text):
            return list(text.encode())

        def decode_bytes(self, ids):
            return bytes(list(ids))

        def is_fallback(self, token_id):
            return False

    Slow.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]
    monkeypatch.setattr(figures_module, "_PASSES", 5)
    monkeypatch.setattr(figures_module, "_SLOW", 1e9)
    monkeypatch.setattr(figures_module, "_SAMPLE", 1000)
    monkeypatch.setattr(figures_module.time, "process_time", lambda: Slow.clock)
    (row,) = figures("x" * 4000, tmp_path, {"slow": Slow()})
    assert row.mb_per_second == pytest.approx(1000 / 1e6 / 3.0)
    assert (row.tokens, row.exact) == (4000, True)


def test_a_tokenizer_that_takes_long_has_fewer_passes(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(figures_module, "_PASSES", 50)
    monkeypatch.setattr(figures_module, "_SLOW", 0.0)
    calls = []
    real = figures_module._seconds
    monkeypatch.setattr(figures_module, "_seconds", lambda *rest: calls.append(1) or real(*rest))
    figures(LEARNT, tmp_path, {"byte-bpe": kinds()["byte-bpe"]})
    assert len(calls) == 1 + figures_module._LEAST
