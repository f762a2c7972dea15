"""Long texts by the kernels: the ids of the plain way, and the bytes back."""

import random
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pieces import BYTES, PARTS, TEXTS, hard_bytes, hard_texts

import yocto.tokenizer.bulk as bulk
import yocto.tokenizer.pay as pay
import yocto.tokenizer.windows as windows
from yocto.errors import TokenizerError
from yocto.tokenizer.bpe import BPETokenizer, byte_vocab, merge, merge_by_heap
from yocto.tokenizer.bpe_train import BPETrainer
from yocto.tokenizer.bulk import BulkDecoder, BulkEncoder
from yocto.tokenizer.patterns import NAMED_PATTERNS

TEXT = (Path(__file__).parents[2] / "data" / "philosophy.txt").read_text("utf-8")[:60_000]
CORPUS = TEXT[:20_000] + " l'été, naïve 🙂🙂 Füße 12345 WE'LL \r\n\t  日本語 日本\n\n" * 20
CORPUS += "aaaaaaaabababab " * 30 + "\n\n\n    " * 30
OWN = [r"\w+", r"[^|]+|\|", r"(?s:.+)"]
TOKENIZERS = {
    name: BPETrainer(vocab_size=700, pattern=name, special_tokens=("<|x|>", "<bos>")).train(CORPUS)
    for name in [*NAMED_PATTERNS, *OWN]
}
every_pattern = pytest.mark.parametrize("pattern", NAMED_PATTERNS)
any_pattern = pytest.mark.parametrize("pattern", [*NAMED_PATTERNS, *OWN])


def like(tokenizer: BPETokenizer, **fields: object) -> BPETokenizer:
    """A new tokenizer, with its tables as they are at first, that differs in some fields."""
    options = {"pattern": tokenizer.pattern, "special_tokens": tokenizer.special_tokens}
    return BPETokenizer(tokenizer.vocab, tokenizer.merges, **{**options, **fields})


@lru_cache(maxsize=32)
def encoder(tokenizer: BPETokenizer, bits: int) -> BulkEncoder:
    """What encodes long texts, with ids of 16 or 32 bits."""
    whole = tokenizer.vocab if tokenizer.ignore_merges else None
    return BulkEncoder(tokenizer._byte_ids, tokenizer._ranks, tokenizer.pattern, bits, whole)


def check(tokenizer: BPETokenizer, data: bytes) -> None:
    """The kernels' ids are those of the plain way: when words are merged, and when remembered."""
    expected = tokenizer._encode_runs(data)
    for bits in (16, 32) if tokenizer.vocab_size <= 65_536 else (32,):
        for _ in range(2):
            found = encoder(tokenizer, bits).encode(data)
            assert found.tolist() == expected
            assert found.itemsize == bits // 8


def words(rng: random.Random, letters: str, lengths: list[int]) -> list[str]:
    return ["".join(rng.choices(letters, k=n)) for n in lengths]


@pytest.fixture
def kernels_at_once(monkeypatch):
    """Even the shortest text is the kernels' work."""
    for module in ("split_gpt2", "split_scan", "encode", "encode_16", "encode_32", "decode"):
        import_module(f"yocto.kernels.{module}")
    monkeypatch.setattr(pay, "LOADED", 0)


@pytest.fixture
def small_windows(monkeypatch):
    monkeypatch.setattr(windows, "WINDOW", 500)


# ------------------------------------------------------------------------------------- the same ids


@any_pattern
@settings(deadline=None)
@given(data=BYTES)
def test_the_ids_of_any_bytes_are_those_of_the_plain_way(pattern, data):
    check(TOKENIZERS[pattern], data)


@any_pattern
def test_the_ids_of_bytes_drawn_at_random_are_those_of_the_plain_way(pattern):
    check(TOKENIZERS[pattern], b"".join(hard_bytes(0, 2000)))


@any_pattern
@pytest.mark.parametrize("form", ["nfc", "nfkc"])
def test_normalised_texts_have_the_ids_of_the_plain_way(pattern, form, kernels_at_once):
    tokenizer = like(TOKENIZERS[pattern], normalize=form)
    for text in [*hard_texts(1, 200), "ﬁne e\u0301 " * 100]:
        expected = tokenizer._encode_runs(text.encode())
        if pattern in NAMED_PATTERNS or form == "nfc":
            assert expected == tokenizer._encode_pieces(tokenizer._normalized(text))
        assert tokenizer.encode(text, "none") == expected
        assert tokenizer.encode_to_numpy(text).tolist() == expected
        assert tokenizer.encode_to_numpy(text.encode()).tolist() == expected
        assert tokenizer.encode_bytes(text.encode()) == expected


@pytest.mark.parametrize("letters", ["a", "ab", "abcdefghijklmnopqrstuvwxyz", "éЖ中"])
@pytest.mark.parametrize("pattern", ["gpt2", "gpt4o", r"[^|]+|\|"])
def test_pieces_of_all_lengths_have_the_ids_of_the_plain_way(pattern, letters):
    tokenizer = like(TOKENIZERS[pattern])
    rng = random.Random(0)
    lengths = list(range(1, 400))
    for separator in ("|", " ", "\n"):
        text = separator.join(words(rng, letters, lengths))
        check(tokenizer, text.encode())
    shuffled = words(rng, letters, 20 * [1, 2, 7, 8, 9, 14, 15, 16, 17, 23, 24, 31, 32, 33, 63, 64,
                                         65, 255, 256, 257])  # fmt: skip
    rng.shuffle(shuffled)
    check(tokenizer, "|".join(shuffled).encode())


@pytest.mark.parametrize("length", [1, 7, 8, 9, 14, 15, 16, 17, 24, 25, 64, 65, 255, 256, 257])
def test_words_that_differ_in_one_byte_are_told_apart(length):
    tokenizer = like(TOKENIZERS[r"[^|]+|\|"])
    alike = []
    for i in range(length):
        alike += ["a" * i + b + "a" * (length - i - 1) for b in "ab"]
    alike += ["a" * n for n in range(max(1, length - 9), length + 9)]
    alike += ["\0" * n for n in range(1, length + 2)]
    check(tokenizer, "|".join(alike).encode())


def test_more_pieces_than_are_worked_on_together():
    for count in (510, 511, 512, 513, 1023, 1024, 1025, 5000):
        check(like(TOKENIZERS["gpt2"]), b" a b\n" * count + b"tail")
        check(like(TOKENIZERS["qwen2"]), b"1" * count)


def test_words_of_many_ids_each():
    tokenizer = BPETokenizer(byte_vocab(), [])
    text = " ".join(words(random.Random(0), "abcdef", [n for n in range(1, 80) for _ in range(5)]))
    check(tokenizer, text.encode())


@settings(deadline=None)
@given(
    corpus=st.text("ab ", max_size=60),
    data=st.one_of(st.text("ab ", max_size=300).map(str.encode), BYTES),
    pattern=st.sampled_from([*NAMED_PATTERNS, *OWN]),
    ignore_merges=st.booleans(),
)
def test_every_vocabulary_gives_the_ids_of_the_plain_way(corpus, data, pattern, ignore_merges):
    trained = BPETrainer(num_merges=30, pattern=pattern).train([corpus])
    check(like(trained, ignore_merges=ignore_merges), data + corpus.encode())


@st.composite
def merge_problems(draw):
    """Ranks in which each pair makes a new or an old id, and bytes that become such ids."""
    pairs = draw(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), unique=True))
    data = draw(st.lists(st.integers(0, 3), min_size=1, max_size=200))
    return bytes(data), {pair: (rank, 4 + rank % 6) for rank, pair in enumerate(pairs)}


@settings(deadline=None)
@given(merge_problems())
def test_the_scan_and_the_heap_of_the_kernel_merge_as_the_plain_ones(problem):
    data, ranks = problem
    for bits in (16, 32):
        encoder = BulkEncoder(list(range(256)), ranks, "gpt2", bits)
        for piece in (data, data[:64], data[:65], data * 3):
            expected = merge(list(piece), ranks)
            assert encoder.encode_piece(piece).tolist() == expected
            assert encoder.encode_piece(piece).tolist() == expected


@pytest.mark.parametrize("top", [65_535, 65_536, (1 << 24) - 1])
def test_ids_may_be_as_large_as_three_bytes_hold(top):
    byte_ids = list(range(top, top - 256, -1))
    a, b, merged = byte_ids[97], byte_ids[98], top - 256
    ranks = {(a, b): (0, merged), (merged, merged): (1, top - 257)}
    words = ["a", "c", "ab", "abc", "abcab", "cacac", "cacacaca", "c" * 8, "c" * 20, "c" * 70]
    words += ["c" * n + "ab" * m for n in range(7) for m in range(5)]
    expected = [i for w in words for i in merge([byte_ids[c] for c in b" " + w.encode()], ranks)]
    for bits in (16, 32) if top < 65_536 else (32,):
        encoder = BulkEncoder(byte_ids, ranks, "gpt2", bits)
        for _ in range(2):
            assert encoder.encode("".join(f" {w}" for w in words).encode()).tolist() == expected


def test_two_bytes_that_are_no_utf_8_may_be_a_token():
    vocab = {**byte_vocab(), b"\xff\xff": 256, b"\xff\xff\xff\xff": 257}
    merges = [(b"\xff", b"\xff"), (b"\xff\xff", b"\xff\xff")]
    tokenizer = BPETokenizer(vocab, merges)
    for n in range(10):
        check(tokenizer, b"a" + b"\xff" * n + b" b")
    texts = ["", "one", "", "", "two three", "é" * 30, ""] * 30
    expected = [tokenizer._encode_runs(text.encode()) for text in texts]
    assert [ids.tolist() for ids in tokenizer._bulk_each([t.encode() for t in texts], 1)] == (
        expected
    )


# -------------------------------------------------------------------------------- ignore_merges


@pytest.mark.parametrize(("pattern", "between"), [("gpt2", "|"), (OWN[1], "|"), ("gpt4o", "\n")])
def test_pieces_that_are_tokens_as_a_whole_are_taken_as_they_are(pattern, between):
    rng = random.Random(0)
    lengths = [2, 3, 4, 8, 9, 14, 15, 16, 17, 63, 64, 65, 255, 256, 257, 300, 400, 600]
    vocab, merges = dict(TOKENIZERS[pattern].vocab), TOKENIZERS[pattern].merges
    added = [w for n in lengths for w in {*words(rng, "ab", [n] * 8)}]
    for word in [*added, "é" * 9, "|", "\u3000", "the quick", "1234"]:
        vocab.setdefault(word.encode(), len(vocab))
    vocab.setdefault(b"\xff\xfe\xfd", len(vocab))
    tokenizer = BPETokenizer(vocab, merges, pattern, ignore_merges=True)
    pieces = [
        *added,
        *(w[:-1] for w in added),
        *(w + "a" for w in added),
        *words(rng, "ab", lengths),
    ]
    rng.shuffle(pieces)
    data = between.join(pieces).encode() + "\n é 1234".encode() + b"\xff\xfe\xfd" + TEXT.encode()
    assert set(tokenizer._encode_runs(data)) >= {vocab[w.encode()] for w in added}
    check(tokenizer, data)
    plain = like(tokenizer)
    check(plain, data)
    assert plain._encode_runs(data) != tokenizer._encode_runs(data)


def test_a_vocabulary_with_an_empty_token_changes_nothing():
    vocab = {**TOKENIZERS["gpt2"].vocab, b"": 5000}
    check(BPETokenizer(vocab, TOKENIZERS["gpt2"].merges, ignore_merges=True), TEXT.encode())
    # Bytes after which a key of no length would look like that of "a".
    vocab = {b"": 300, b"a\0\0\0\0\0\0\1": 301, **byte_vocab()}
    check(BPETokenizer(vocab, [], ignore_merges=True), b"a b a")


def test_a_large_vocabulary_is_remembered_from_the_start():
    vocab = dict(byte_vocab())
    for n in range(40_000):
        vocab[b"word%d" % n] = len(vocab)
        vocab[b"a somewhat longer word %d" % n] = len(vocab)
    tokenizer = BPETokenizer(vocab, [], r"[^|]+", ignore_merges=True)
    data = b"|".join(token for token in vocab if token != b"|")
    check(tokenizer, data)
    ids = tokenizer._bulk_encode(data)
    assert ids.dtype == np.uint32 and ids.max() > 65_536
    assert tokenizer._bulk_decode(ids) == data


# --------------------------------------------------------------------------------------- the tables


@pytest.fixture(scope="module")
def many_words():
    rng = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    tiny, short = words(rng, letters, [6] * 20_000), words(rng, letters, [11] * 20_000)
    long = words(rng, letters, [30] * 14_000)
    mixed = [word for three in zip(tiny, short, long, strict=False) for word in three]
    sorts = {"tiny": tiny, "short": short, "long": long, "mixed": mixed}
    return {sort: " ".join(found).encode() for sort, found in sorts.items()}


def tables(encoder: BulkEncoder) -> dict[str, int]:
    """The names of its only worker's tables, and how large each one is."""
    (worker,) = encoder._idle
    sizes = {name: getattr(value, "nbytes", 0) for name, value in vars(worker).items()}
    return {name: size for name, size in sizes.items() if size > 10_000}


@pytest.mark.parametrize("sort", ["tiny", "short", "long", "mixed"])
@pytest.mark.parametrize("ignore_merges", [False, True])
def test_tables_grow_with_the_words_of_a_text_and_change_no_id(
    sort, ignore_merges, many_words, monkeypatch
):
    monkeypatch.setattr(windows, "WINDOW", 20_000)
    tokenizer = like(TOKENIZERS["gpt2"], ignore_merges=ignore_merges)
    before = []
    for bits in (16, 32):
        encoder(tokenizer, bits).encode(b"a")
        before.append(tables(encoder(tokenizer, bits)))
    check(tokenizer, many_words[sort])
    for bits, sizes in zip((16, 32), before, strict=True):
        grown = {name for name, n in tables(encoder(tokenizer, bits)).items() if n > sizes[name]}
        assert grown >= {"mixed": {"_short", "_long", "_keys"}, "long": {"_long", "_keys"}}.get(
            sort, {"_short"}
        )
        assert "_ids" in grown or sort == "tiny"


@pytest.mark.parametrize("sort", ["tiny", "short", "long", "mixed"])
def test_words_that_fit_into_no_table_have_the_same_ids(sort, many_words, monkeypatch):
    monkeypatch.setattr(windows, "WINDOW", 1 << 24)  # tables grow between windows only
    check(like(TOKENIZERS["gpt2"]), many_words[sort])
    check(like(TOKENIZERS["gpt2"], ignore_merges=True), many_words[sort])


@pytest.mark.parametrize("rows", [1, 1 << 15])
@pytest.mark.parametrize("most", [1, 1 << 17])
@pytest.mark.parametrize("ignore_merges", [False, True])
def test_tables_at_their_limit_start_anew_and_change_no_id(
    rows, most, ignore_merges, many_words, monkeypatch
):
    monkeypatch.setattr(windows, "WINDOW", 20_000)
    monkeypatch.setattr(bulk, "_MOST_ROWS", rows)
    monkeypatch.setattr(bulk, "_MOST_BYTES", most)
    starts, start_anew = [], bulk._Worker._start_anew
    monkeypatch.setattr(bulk._Worker, "_start_anew", lambda w: (starts.append(w), start_anew(w)))
    tokenizer = like(TOKENIZERS["gpt2"], ignore_merges=ignore_merges)
    check(tokenizer, many_words["mixed"])
    assert len(starts) > 2  # once for each of the two encoders, and again
    for bits in (16, 32):
        sizes = tables(encoder(tokenizer, bits))
        assert max(sizes["_short"], sizes["_long"]) <= 32 * max(rows, 1 << 14)
        assert max(sizes["_keys"], sizes["_ids"] * 8 // bits) <= 2 * max(most, 1 << 16)


# ------------------------------------------------------------------------------- several at once


@any_pattern
@pytest.mark.parametrize("workers", [2, 3])
def test_the_ids_do_not_depend_on_the_number_of_workers(
    pattern, workers, small_windows, monkeypatch
):
    monkeypatch.setattr(bulk, "_SPAN", 1000)
    tokenizer = like(TOKENIZERS[pattern])
    for data in (b"".join(hard_bytes(3, 400)), TEXT.encode(), b"a" * 9000, b" a" * 900, b""):
        expected = tokenizer._encode_runs(data)
        assert tokenizer._bulk_encode(data, workers).tolist() == expected
        assert tokenizer._bulk_encode(data, workers).dtype == np.uint16


@any_pattern
def test_several_threads_may_use_one_tokenizer_at_once(pattern, kernels_at_once, small_windows):
    tokenizer = like(TOKENIZERS[pattern])
    texts = [TEXT[i * 700 : i * 700 + 3000 + 100 * i] for i in range(40)]
    expected = [tokenizer._encode_runs(text.encode()) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            assert list(pool.map(tokenizer.encode, texts)) == expected
            assert [a.tolist() for a in pool.map(tokenizer.encode_to_numpy, texts)] == expected
            back = pool.map(tokenizer.decode, map(np.array, expected))
            assert list(back) == texts


def test_an_error_in_one_text_leaves_the_encoder_usable(monkeypatch):
    tokenizer = like(TOKENIZERS["gpt2"])
    expected = tokenizer._encode_runs(TEXT.encode())
    monkeypatch.setattr(windows, "WINDOW", 1000)
    with monkeypatch.context() as patch:
        patch.setattr(bulk._Worker, "_grow", lambda worker: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            tokenizer._bulk_encode(TEXT.encode())
    assert tokenizer._bulk_encode(TEXT.encode()).tolist() == expected


def test_ids_that_were_given_are_not_overwritten_by_the_next_text():
    tokenizer = like(TOKENIZERS["gpt2"])
    first = tokenizer._bulk_encode(TEXT[:5000].encode())
    kept = first.tolist()
    tokenizer._bulk_encode(TEXT[5000:].encode())
    assert first.tolist() == kept
    piece = tokenizer._encoder().encode_piece(b"a" * 500)
    kept = piece.tolist()
    tokenizer._encoder().encode_piece(b"b" * 500)
    assert piece.tolist() == kept


# ----------------------------------------------------------------------------------------- batches


@any_pattern
@pytest.mark.parametrize("workers", [1, 3])
def test_a_batch_has_the_ids_of_its_texts(
    pattern, workers, kernels_at_once, small_windows, monkeypatch
):
    monkeypatch.setattr(bulk, "_SPAN", 1000)
    tokenizer = like(TOKENIZERS[pattern])
    texts = ["", *hard_texts(4, 200), "", "", TEXT[:5000], ""]
    expected = [tokenizer._encode_runs(text.encode()) for text in texts]
    assert tokenizer.encode_batch(texts, workers=workers) == expected
    arrays = tokenizer.encode_batch_to_numpy(texts, workers)
    assert [ids.tolist() for ids in arrays] == expected
    assert {ids.dtype for ids in arrays} == {np.dtype(np.uint16)}
    for few in ([], [""], ["", ""], ["a"], ["", "a", ""]):
        expected = [tokenizer._encode_runs(text.encode()) for text in few]
        assert tokenizer.encode_batch(few, workers=workers) == expected
        assert [a.tolist() for a in tokenizer.encode_batch_to_numpy(few, workers)] == expected


@pytest.mark.parametrize("form", ["nfc", "nfkc"])
def test_a_batch_is_normalised_text_by_text(form, kernels_at_once):
    tokenizer = like(TOKENIZERS["gpt4o"], normalize=form)
    texts = ["e", "\u0301 ﬁ", "", *hard_texts(5, 200)]
    expected = [tokenizer._encode_runs(text.encode()) for text in texts]
    assert tokenizer.encode_batch(texts) == expected
    assert [ids.tolist() for ids in tokenizer.encode_batch_to_numpy(texts)] == expected


@pytest.mark.parametrize("allowed", ["none", "all", {"<|x|>"}, set()])
@pytest.mark.parametrize("frame", [False, True])
@pytest.mark.parametrize("least", [0, 1 << 60])
def test_a_batch_treats_special_tokens_as_encode_does(allowed, frame, least, monkeypatch):
    tokenizer = like(TOKENIZERS["gpt2"])
    texts = ["", "one <|x|> two", "<|x|>", "three", "<bos> and <|x|><|x|>", "", "<|x", TEXT[:3000]]
    expected = [tokenizer.encode(text, allowed, frame) for text in texts]
    x = tokenizer.special_tokens["<|x|>"]
    assert sum(x in ids for ids in expected) == (3 if allowed in ("all", {"<|x|>"}) else 0)
    monkeypatch.setattr(pay, "LOADED", least)
    assert tokenizer.encode_batch(texts, allowed, frame) == expected
    assert tokenizer.encode_batch(texts[3:4], allowed, frame) == expected[3:4]
    assert tokenizer.encode_batch(texts, allowed, frame, workers=3) == expected
    # As arrays they are text.
    plain = [tokenizer.encode(text, "none") for text in texts]
    assert [ids.tolist() for ids in tokenizer.encode_batch_to_numpy(texts)] == plain


def test_a_batch_refuses_special_tokens_as_encode_does(kernels_at_once):
    tokenizer = TOKENIZERS["gpt2"]
    with pytest.raises(TokenizerError, match=r"'<\|x\|>' at character 4"):
        tokenizer.encode_batch(["one", "two <|x|>"])
    with pytest.raises(TokenizerError, match="'<y>' is no special token"):
        tokenizer.encode_batch(["one"], allowed_special={"<y>"})
    with pytest.raises(TokenizerError, match="allowed_special is 'some'"):
        tokenizer.encode_batch(["one"], allowed_special="some")


@pytest.mark.parametrize("least", [0, 1 << 60])
@pytest.mark.parametrize("form", ["none", "nfc"])
@pytest.mark.parametrize("surrogate", ["\ud800", "\udfff", "\udcff", "\udc80"])
def test_a_lone_surrogate_is_an_error_in_each_way_in(surrogate, form, least, monkeypatch):
    monkeypatch.setattr(pay, "LOADED", least)
    tokenizer = like(TOKENIZERS["gpt2"], normalize=form)
    text = "one " * 20 + surrogate + " two"
    for encode in (tokenizer.encode, tokenizer.encode_to_numpy):
        with pytest.raises(TokenizerError, match="character 80 is a lone surrogate, U\\+D"):
            encode(text)
    for encode in (tokenizer.encode_batch, tokenizer.encode_batch_to_numpy):
        with pytest.raises(TokenizerError, match="character 80 is a lone surrogate, U\\+D"):
            encode(["fine", text, "fine"])


@pytest.mark.parametrize(("size", "dtype"), [(65_536, np.uint16), (65_537, np.uint32)])
def test_arrays_have_the_type_of_the_vocabularys_size(size, dtype, kernels_at_once):
    tokenizer = BPETokenizer(byte_vocab(), [], special_tokens={"<x>": size - 1})
    assert tokenizer.vocab_size == size
    for text in ("", "one two", TEXT):
        assert tokenizer.encode_to_numpy(text).dtype == dtype
        assert tokenizer.encode_to_numpy(text.encode()).dtype == dtype
        assert tokenizer.encode_to_numpy(text, 3).dtype == dtype
        assert tokenizer.encode_batch_to_numpy([text, "a"])[0].dtype == dtype


# ------------------------------------------------------------------------------------------ decode


@any_pattern
@settings(deadline=None)
@given(data=BYTES)
def test_the_bytes_come_back(pattern, data):
    tokenizer = TOKENIZERS[pattern]
    ids = tokenizer._bulk_encode(data)
    assert tokenizer._bulk_decode(ids) == data
    assert tokenizer.decode_bytes(ids) == data


@any_pattern
@settings(deadline=None)
@given(text=TEXTS)
def test_the_text_comes_back(pattern, text):
    tokenizer = TOKENIZERS[pattern]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pay, "LOADED", 0)
        assert tokenizer.decode(tokenizer.encode_to_numpy(text)) == text
        assert tokenizer.decode_bytes(tokenizer.encode_bytes(text.encode())) == text.encode()


@pytest.mark.parametrize(
    "dtype", ["u2", "u4", "u8", "i2", "i4", "i8", ">u2", ">u4", ">i8", "u1", "object"]
)
def test_arrays_of_any_type_are_decoded(dtype, kernels_at_once):
    tokenizer = TOKENIZERS["gpt2"]
    ids = tokenizer.encode(TEXT, "none")
    if dtype == "u1":
        ids = [i for i in ids if i < 256]
    expected = b"".join(map(tokenizer.token_bytes, ids))
    array = np.array(ids, dtype)
    assert tokenizer.decode_bytes(array) == expected
    assert tokenizer.decode_bytes(array[:0]) == b""
    backwards = b"".join(map(tokenizer.token_bytes, reversed(ids)))
    assert tokenizer.decode_bytes(array[::-1]) == backwards
    assert tokenizer.decode_bytes(np.repeat(array, 3)[1::3]) == expected
    array.flags.writeable = False
    assert tokenizer.decode_bytes(array) == expected


def test_arrays_that_lie_in_files_are_decoded(kernels_at_once, tmp_path):
    tokenizer = TOKENIZERS["gpt2"]
    ids = tokenizer.encode_to_numpy(TEXT)
    for dtype in (np.uint16, np.uint32):
        ids.astype(dtype).tofile(tmp_path / "ids.bin")
        for mode in ("r", "r+"):
            found = np.memmap(tmp_path / "ids.bin", dtype, mode)
            assert tokenizer.decode(found) == TEXT


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64, np.uint32, np.uint64])
@pytest.mark.parametrize("place", [0, 500, 1999])
def test_an_id_that_no_token_has_is_named(dtype, place, kernels_at_once):
    tokenizer = BPETokenizer(byte_vocab(), [], special_tokens={"<x>": 999})
    limits = np.iinfo(dtype)
    for wrong in (256, 998, 1000, 70_000, (1 << 32) + 5, -1, -256, limits.min, limits.max):
        if not limits.min <= wrong <= limits.max or 0 <= wrong < 256:
            continue
        ids = np.full(2000, 65, dtype)
        ids[place] = wrong
        with pytest.raises(TokenizerError, match=f"id {wrong} is not in the vocabulary of 1000"):
            tokenizer.decode_bytes(ids)


def test_numbers_with_a_fraction_are_no_ids(kernels_at_once):
    tokenizer = TOKENIZERS["gpt2"]
    for wrong in (1.5, float("nan"), float("inf")):
        with pytest.raises(TokenizerError, match=f"id {wrong} is not in the vocabulary"):
            tokenizer.decode_bytes(np.array([1.0, wrong] * 1000))


def test_tokens_of_all_lengths_are_decoded():
    tokens = {i: bytes([i % 256]) * i for i in range(1, 300)} | {0: b"", 300: b"end"}
    decoder = BulkDecoder(tokens, 301)
    rng = random.Random(0)
    for n in (0, 1, 2, 500):
        ids = rng.choices(range(301), k=n)
        expected = b"".join(tokens[i] for i in ids)
        assert decoder.decode(np.array(ids, np.uint32)) == expected
    for i in (*range(301), 300):
        assert decoder.decode(np.array([i], np.uint16)) == tokens[i]


# ------------------------------------------------------------------------------------ long and odd


@every_pattern
@pytest.mark.parametrize("letter", ["a", " ", "\n", "\u3000", "é", ".", "\r\n"])
def test_a_megabyte_of_one_character_is_encoded(pattern, letter):
    tokenizer = TOKENIZERS[pattern]
    check(tokenizer, (letter * 20_000).encode()[:20_000])
    data = (letter * 1_000_000).encode()
    assert tokenizer.decode_bytes(tokenizer._bulk_encode(data)) == data


def test_a_long_piece_is_merged_as_by_the_plain_heap():
    tokenizer = TOKENIZERS["gpt2"]
    rng = random.Random(0)
    for data in (b"a" * 20_000, rng.randbytes(20_000), bytes(rng.choices(b"ab", k=20_000))):
        ids = [tokenizer._byte_ids[b] for b in data]
        found = tokenizer._encoder().encode_piece(data).tolist()
        assert found == merge_by_heap(ids, tokenizer._ranks)


@any_pattern
def test_a_megabyte_of_random_bytes_comes_back(pattern):
    tokenizer = TOKENIZERS[pattern]
    data = random.Random(0).randbytes(1_000_000)
    assert tokenizer.decode_bytes(tokenizer._bulk_encode(data)) == data
    check(tokenizer, data[:30_000])


def test_what_is_hard_to_cut_comes_a_megabyte_at_a_time():
    data = "".join(random.Random(0).choices(PARTS, k=150_000)).encode()
    for pattern in NAMED_PATTERNS:
        check(TOKENIZERS[pattern], data)


@any_pattern
@pytest.mark.parametrize("end_id", [None, 5])
def test_documents_are_encoded_together_as_one_by_one(pattern, end_id, monkeypatch):
    monkeypatch.setattr(bulk, "_LONG", 30)
    monkeypatch.setattr(bulk, "WINDOW", 100)
    tokenizer = TOKENIZERS[pattern]
    for seed, text in enumerate(hard_texts(7, 60)):
        rng = random.Random(seed)
        documents = [text[: rng.randrange(1 + len(text))] for _ in range(rng.randrange(1, 12))]
        parts: list[bytes | None] = []
        expected: list[int] = []
        for number, document in enumerate(documents):
            parts += [None] * (number > 0) + [document.encode()]
            expected += [end_id] * (number > 0 and end_id is not None)
            expected += tokenizer._encode_runs(document.encode())
        for bits in (16, 32):
            found = encoder(tokenizer, bits).encode_parts(parts, end_id)
            assert found.tolist() == expected
            assert found.itemsize == bits // 8


def test_no_document_is_no_id():
    assert encoder(TOKENIZERS["gpt2"], 16).encode_parts([], 5).tolist() == []
    assert encoder(TOKENIZERS["gpt2"], 16).encode_parts([b"", None, None, b""], 5).tolist() == [
        5,
        5,
    ]
