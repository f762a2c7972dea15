"""Encoding and decoding with byte-level BPE."""

from pathlib import Path

import pytest
import reference_bpe
from hypothesis import given, settings
from hypothesis import strategies as st

import yocto.tokenizer.bpe as bpe
from yocto.errors import TokenizerError
from yocto.tokenizer.bpe import BPETokenizer, byte_vocab, merge_by_heap, merge_by_scan
from yocto.tokenizer.bpe_train import BPETrainer
from yocto.tokenizer.byte_level import ALPHABET
from yocto.tokenizer.patterns import NAMED_PATTERNS

TEXT = (Path(__file__).parents[2] / "data" / "philosophy.txt").read_text("utf-8")[:30_000]
TEXT += " l'été, naïve 🙂🙂 Füße 12345 don't WE'LL \r\n\t  日本語 日本\n\n" * 20
TOKENIZERS = {name: BPETrainer(vocab_size=700, pattern=name).train(TEXT) for name in NAMED_PATTERNS}
ANY_TEXT = st.one_of(
    st.text("ab ", max_size=80),
    st.text("ehtn ist\n", max_size=120),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
)
every_pattern = pytest.mark.parametrize("pattern", NAMED_PATTERNS)


@every_pattern
@settings(deadline=None)
@given(text=ANY_TEXT)
def test_decode_gives_back_every_text(pattern, text):
    tokenizer = TOKENIZERS[pattern]
    assert tokenizer.decode(tokenizer.encode(text, "none")) == text


@every_pattern
@settings(deadline=None)
@given(data=st.one_of(st.binary(max_size=80), ANY_TEXT.map(str.encode)))
def test_decode_bytes_gives_back_all_bytes(pattern, data):
    tokenizer = TOKENIZERS[pattern]
    assert tokenizer.decode_bytes(tokenizer.encode_bytes(data)) == data


@settings(deadline=None)
@given(ANY_TEXT)
def test_encode_bytes_of_a_text_gives_the_ids_of_the_text(text):
    tokenizer = TOKENIZERS["gpt2"]
    assert tokenizer.encode_bytes(text.encode()) == tokenizer.encode(text, "none")


def test_bytes_that_are_no_utf_8_are_pieces_of_their_own():
    tokenizer = TOKENIZERS["gpt2"]
    bad = tokenizer.vocab[b"\xff"]
    expected = [*tokenizer.encode("the them"), bad, *tokenizer.encode("e")]
    assert tokenizer.encode_bytes(b"the them\xffe") == expected


@settings(deadline=None)
@given(
    corpus=st.text("ab ", max_size=60),
    text=st.one_of(
        st.text("ab ", max_size=60),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    ),
    pattern=st.sampled_from([*NAMED_PATTERNS, r"\w+", r"(?s:.+)"]),
)
def test_ids_equal_the_references(corpus, text, pattern):
    expression = NAMED_PATTERNS.get(pattern, pattern)
    _, merges = reference_bpe.train([corpus, text], expression, 30)
    trained = BPETrainer(num_merges=30, pattern=pattern).train([corpus, text])
    for sample in (text, corpus, text + corpus):
        assert trained.encode(sample, "none") == reference_bpe.encode(sample, expression, merges)


def test_ids_equal_the_references_on_real_text():
    tokenizer = TOKENIZERS["gpt2"]
    merges = [(*(tokenizer.vocab[t] for t in m), tokenizer.vocab[b"".join(m)]) for m in
              tokenizer.merges]  # fmt: skip
    sample = TEXT[-3000:]
    assert tokenizer.encode(sample) == reference_bpe.encode(sample, NAMED_PATTERNS["gpt2"], merges)


@st.composite
def merge_problems(draw):
    """Ids, and ranks in which each pair makes a new or an old id, as real merges do."""
    ids = draw(st.lists(st.integers(0, 3), max_size=70))
    pairs = draw(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), unique=True))
    return ids, {pair: (rank, 4 + rank % 6) for rank, pair in enumerate(pairs)}


@given(merge_problems())
def test_the_heap_and_the_scan_merge_alike(problem):
    ids, ranks = problem
    assert merge_by_heap(list(ids), ranks) == merge_by_scan(list(ids), ranks)


@pytest.mark.parametrize("merge", [merge_by_scan, merge_by_heap])
def test_merging_takes_the_lowest_rank_first_and_the_leftmost_of_equals(merge):
    ranks = {(1, 1): (0, 2), (0, 1): (1, 3)}
    assert merge([0, 1, 1, 1, 0, 1], ranks) == [0, 2, 1, 3]
    assert merge([], ranks) == []
    assert merge([1], ranks) == [1]


def test_long_pieces_are_merged_like_short_ones(monkeypatch):
    tokenizer = BPETrainer(num_merges=50, pattern=r"(?s:.+)").train("abab aba bab " * 20)
    sample = "abab aba bab baa " * 40
    by_heap = tokenizer.encode(sample)
    monkeypatch.setattr(bpe, "_SHORT", 1 << 30)
    monkeypatch.setattr(bpe, "merge_by_heap", None)
    assert BPETokenizer(tokenizer.vocab, tokenizer.merges, r"(?s:.+)").encode(sample) == by_heap


def test_a_megabyte_without_a_single_split_is_encoded():
    tokenizer = TOKENIZERS["gpt2"]
    text = "a" * 300_000 + "the" * 100_000
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_the_cache_of_pieces_stays_bounded_and_changes_no_id(monkeypatch):
    words = [f"word{i}" for i in range(50)]
    fresh = BPETokenizer(TOKENIZERS["gpt2"].vocab, TOKENIZERS["gpt2"].merges)
    monkeypatch.setattr(bpe, "_CACHE_SIZE", 7)
    for _ in range(2):
        for word in words:
            assert fresh.encode(word) == TOKENIZERS["gpt2"].encode(word)
            assert len(fresh._cache) <= 7


def test_changing_the_ids_that_encode_gave_changes_no_later_encode():
    tokenizer = TOKENIZERS["gpt2"]
    first = tokenizer.encode("theme")
    expected = list(first)
    first.clear()
    assert tokenizer.encode("theme") == expected


# ------------------------------------------------------------------------------- normalisation


@pytest.mark.parametrize(
    ("form", "expected"), [("none", "ﬁne e\u0301"), ("nfc", "ﬁne é"), ("nfkc", "fine é")]
)
def test_text_is_normalised_before_it_is_encoded(form, expected):
    tokenizer = BPETokenizer(byte_vocab(), [], normalize=form)
    assert tokenizer.decode(tokenizer.encode("ﬁne e\u0301")) == expected


def test_ignore_merges_takes_a_piece_that_is_a_token_as_it_is():
    vocab = {**byte_vocab(), b"ab": 256, b"bc": 257, b"abc": 258}
    merges = [(b"a", b"b"), (b"b", b"c")]
    a, c = vocab[b"a"], vocab[b"c"]
    assert BPETokenizer(vocab, merges).encode("abc") == [256, c]
    assert BPETokenizer(vocab, merges, ignore_merges=True).encode("abc") == [258]
    assert BPETokenizer(vocab, merges, ignore_merges=True).encode("abca") == [256, c, a]


# ----------------------------------------------------------------------------------- vocabulary


def without(token: bytes) -> dict[bytes, int]:
    return {t: i for t, i in byte_vocab().items() if t != token}


@pytest.mark.parametrize(
    ("vocab", "merges", "special", "fault"),
    [
        (without(b"q"), [], {}, "lacks the single byte b'q'"),
        ({**byte_vocab(), b"ab": 5}, [], {}, "same id"),
        ({**byte_vocab(), b"ab": -1}, [], {}, "negative id"),
        (byte_vocab(), [(b"a", b"b")], {}, "merge 0 needs b'ab'"),
        ({**byte_vocab(), b"ab": 256}, [(b"a", b"b"), (b"ab", b"cd")], {}, "merge 1 needs b'cd'"),
        (byte_vocab(), [], {"<a>": 7}, "id 7 stands for '<a>' and another token"),
        (byte_vocab(), [], {"<a>": 256, "<b>": 256}, "id 256 stands for '<b>' and another"),
        (byte_vocab(), [], {"": 256}, "empty"),
    ],
)
def test_a_vocabulary_that_cannot_work_is_refused(vocab, merges, special, fault):
    with pytest.raises(TokenizerError, match=fault):
        BPETokenizer(vocab, merges, special_tokens=special)


def test_vocab_size_is_one_more_than_the_largest_id():
    tokenizer = BPETokenizer(byte_vocab(), [], special_tokens={"<a>": 999})
    assert tokenizer.vocab_size == 1000
    with pytest.raises(TokenizerError, match="id 500 is not in the vocabulary of 1000"):
        tokenizer.token_bytes(500)


def test_the_first_256_ids_are_the_bytes_in_the_order_of_gpt_2s_characters():
    assert list(byte_vocab()) == ALPHABET
    assert list(byte_vocab().values()) == list(range(256))


def test_train_takes_the_trainers_options():
    trained = BPETokenizer.train([TEXT], vocab_size=300, pattern="qwen2", special_tokens=("<x>",))
    assert (trained.vocab_size, trained.pattern) == (300, "qwen2")
    assert trained.special_tokens == {"<x>": 299}
