"""Counting pieces: the kernels count what plain Python does."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pieces import TEXTS, hard_texts

from yocto.errors import TokenizerError
from yocto.tokenizer import piece_counts
from yocto.tokenizer.normalize import make_normalizer
from yocto.tokenizer.patterns import NAMED_PATTERNS, make_splitter
from yocto.tokenizer.piece_counts import (
    PieceCounts,
    PieceTable,
    count_in_python,
    count_with_kernels,
    encoded,
    plain_parts,
)
from yocto.utils.progress import SilentProgress, SilentTask

PHILOSOPHY = Path(__file__).parents[2] / "data" / "philosophy.txt"
OWN = r"\w+|\s|[^\w\s]{2}"  # leaves gaps, which are pieces too
WHOLE = r"(?s:.+)"
PATTERNS = pytest.mark.parametrize("pattern", [*NAMED_PATTERNS, OWN])
LENGTHS = (1, 2, 7, 8, 9, 14, 15, 16, 17, 23, 24, 25, 31, 32, 33, 300, 1000)


def plain(texts: list[str], pattern: str) -> Counter[bytes]:
    split = make_splitter(pattern)
    return encoded(Counter(piece for text in texts for piece in split(text)))


def counted(
    texts: list[str], pattern: str, workers: int = 1, so_far: Counter[str] | None = None
) -> Counter[bytes]:
    """The pieces of count_with_kernels, each of which is there once."""
    found = count_with_kernels(texts, pattern, workers, so_far or Counter())
    assert len(found.data) == found.lengths.sum()
    counter = found.counter()
    assert len(counter) == len(found.lengths) == len(found.counts)
    assert [a.dtype for a in found] == [np.uint8, np.int64, np.int64]
    return counter


@PATTERNS
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_real_text_is_counted_as_in_plain_python(monkeypatch, pattern, workers):
    monkeypatch.setattr(piece_counts, "_BATCH", 50_000)
    text = PHILOSOPHY.read_text("utf-8")[200_000:600_000]
    texts = [text[i : i + 30_000] for i in range(0, len(text), 30_000)]
    assert counted(texts, pattern, workers) == plain(texts, pattern)


@PATTERNS
def test_hard_texts_are_counted_as_in_plain_python_however_they_are_batched(monkeypatch, pattern):
    texts = hard_texts(seed=7, count=1500)
    wanted = plain(texts, pattern)
    for batch, workers in [(1 << 22, 1), (200, 3), (1, 2)]:
        monkeypatch.setattr(piece_counts, "_BATCH", batch)
        assert counted(texts, pattern, workers) == wanted


@settings(deadline=None)
@given(
    texts=st.lists(TEXTS, max_size=8),
    pattern=st.sampled_from([*NAMED_PATTERNS, OWN, WHOLE]),
    workers=st.integers(1, 3),
)
def test_any_texts_are_counted_as_in_plain_python(texts, pattern, workers):
    assert counted(texts, pattern, workers) == plain(texts, pattern)


def test_a_text_ends_where_the_next_one_begins_in_the_same_batch():
    # What a piece is may depend on what follows: two spaces at the end are one piece.
    texts = ["a  ", "b", "'s", "s'", "ll \n", "\n", "\r", "\n ", "x", "1", "234", "\u0301"]
    for pattern in [*NAMED_PATTERNS, OWN, WHOLE]:
        assert counted(texts, pattern) == plain(texts, pattern)


@pytest.mark.parametrize("texts", [[], [""], ["", "", ""], iter(())])
def test_no_text_has_no_pieces(texts):
    found = count_with_kernels(texts, "gpt2", 2, Counter())
    assert found.counter() == Counter()
    assert found.texts() == Counter()
    assert [len(a) for a in found] == [0, 0, 0]


def test_empty_texts_among_others_are_nothing():
    assert counted(["", "a", "", "", "b", ""], "gpt2") == {b"a": 1, b"b": 1}


def test_many_tiny_texts_are_counted_each_by_itself():
    texts = random.Random(0).choices(["a", "ab", " a", " ", "é", "🙂", "'s"], k=30_000)
    assert counted(texts, "gpt2", 2) == encoded(Counter(texts))


def test_nul_bytes_are_text():
    texts = ["\0", "\0\0", "a\0b", "\0" * 15, "\0" * 16, "\0" * 17, "\0" * 300, "a" + "\0" * 14]
    for pattern in [*NAMED_PATTERNS, WHOLE]:
        assert counted(texts * 3, pattern) == plain(texts * 3, pattern)
    # Pieces that differ in nothing but the number of NULs at their ends.
    pieces = ["a" + "\0" * n for n in range(40)]
    assert counted(pieces, WHOLE) == encoded(Counter(pieces))


@pytest.mark.parametrize("length", LENGTHS)
def test_pieces_of_each_length_are_told_apart_by_each_of_their_bytes(length):
    base = bytearray(random.Random(length).choices(b"abcdefgh", k=length))
    pieces = [bytes(base)]
    for i in range(length):
        pieces.append(bytes([*base[:i], base[i] ^ 0x10, *base[i + 1 :]]))
    texts = [piece.decode() for piece in pieces]
    assert counted(texts + texts[:5], WHOLE) == encoded(Counter(texts + texts[:5]))


def test_long_pieces_with_the_same_hash_are_told_apart():
    from yocto.kernels import words

    k1, k2, ones = int(words._K1), int(words._K2), (1 << 64) - 1

    def mixed(low: int, high: int) -> int:
        h = (low * k1 ^ high * k2) & ones
        h = (h ^ h >> 32) * int(words._MIX) & ones
        return h ^ h >> 32

    # After eight bytes the hash is one or another; the next eight bring both to the same.
    start = 24 * k2 & ones
    first, second, third = 0x6161616161616161, 0x6262626262626262, 0x6363636363636363
    pieces = []
    h = mixed(first ^ start, start)
    wanted = ((second ^ h) * k1 ^ h * k2) & ones
    for word in range(first, first + 50):
        h = mixed(word ^ start, start)
        second = (wanted ^ h * k2) * pow(k1, -1, 1 << 64) & ones ^ h
        pieces.append(b"".join(w.to_bytes(8, "little") for w in (word, second, third)))
    counter = Counter({piece: n for n, piece in enumerate(pieces, 1)})
    table = PieceTable("gpt2")
    table.add(PieceCounts.of(counter))
    table.add(PieceCounts.of(counter))
    rows = table._long.reshape(-1, 4)
    assert len(set(rows[rows[:, 0] != 0, 0].tolist())) == 1
    assert table.result().counter() == counter + counter


def test_the_tables_grow_with_short_pieces_long_ones_and_their_bytes():
    texts = {
        "short": [str(n) for n in range(30_000)],
        "long": [f"{n:020}" for n in range(6_000)],
        "bytes": [f"{n}" * 700 for n in range(900)],
    }
    begun = PieceTable(WHOLE)
    sizes = [len(a) for a in (begun._short, begun._long, begun._keys)]
    for i, name in enumerate(texts):
        table = PieceTable(WHOLE)
        for _ in range(2):
            for text in texts[name]:
                table.count(text.encode())
        assert table.result().texts() == Counter(dict.fromkeys(texts[name], 2))
        grown = [len(a) for a in (table._short, table._long, table._keys)]
        assert grown[i] > 2 * sizes[i], name
        assert grown[0] == sizes[0] or i == 0
    everything = [text for some in texts.values() for text in some]
    random.Random(0).shuffle(everything)
    for workers in (1, 3):
        assert counted(everything, WHOLE, workers) == encoded(Counter(everything))


def test_one_piece_longer_than_all_room_for_keys_is_counted():
    text = "ab" * 400_000
    assert counted([text, "x", text], WHOLE) == {text.encode(): 2, b"x": 1}
    assert counted([text, "x", text], "gpt2", 2) == {text.encode(): 2, b"x": 1}


def test_counts_that_were_begun_in_plain_python_go_on():
    texts = ["the cat", " the dog", "internationalisation of internationalisation " * 3]
    so_far = Counter({"the": 5, " dog": 1 << 40, " internationalisation": 7, "new": 1, "é" * 9: 2})
    for workers in (1, 2):
        found = counted(texts, "gpt2", workers, so_far)
        assert found == plain(texts, "gpt2") + encoded(so_far)
    assert counted([], "gpt2", 1, so_far) == encoded(so_far)


def test_tables_are_added_in_parts_that_fit_into_32_bits(monkeypatch):
    rng = random.Random(3)
    counter = Counter({
        "".join(rng.choices("abc", k=rng.choice(LENGTHS))).encode(): rng.randint(1, 1 << 50)
        for _ in range(3000)
    })  # fmt: skip
    for most in (1, 15, 1000, 1001, 1 << 28):
        monkeypatch.setattr(piece_counts, "_MOST", most)
        table = PieceTable("gpt2")
        parts = []
        add = table._add

        def watched(pieces, amounts, parts=parts, add=add):
            parts.append(int(pieces.starts[pieces.number]))
            assert len(amounts) == pieces.number
            add(pieces, amounts)

        table._add = watched
        table.add(PieceCounts.of(counter))
        table.add(PieceCounts.of(counter))
        assert table.result().counter() == counter + counter
        assert max(parts) <= max(most, 1000)  # a longer piece is a part of its own
        assert sum(parts) == 2 * sum(map(len, counter))
        assert (len(parts) > 2) == (most < 1 << 28)


def test_an_error_in_the_texts_comes_through_whatever_the_threads_do(monkeypatch):
    monkeypatch.setattr(piece_counts, "_BATCH", 100)

    def texts():
        yield from ["the cat " * 20] * 9
        raise ValueError("the file ends here")

    for workers in (1, 3):
        with pytest.raises(ValueError, match="the file ends here"):
            count_with_kernels(texts(), "gpt2", workers, Counter())
        with pytest.raises(TokenizerError, match="lone surrogate"):
            count_with_kernels(["a" * 200, "\ud800"], "gpt2", workers, Counter())


@pytest.mark.parametrize("pattern", ["gpt4", OWN])
def test_an_error_in_a_thread_comes_through(monkeypatch, pattern):
    monkeypatch.setattr(piece_counts, "_BATCH", 1000)

    def fail(self, data):
        raise MemoryError("no more")

    monkeypatch.setattr(PieceTable, "count", fail)
    for workers in (1, 3):
        for batches in (1, 9):
            with pytest.raises(MemoryError, match="no more"):
                count_with_kernels(["the cat " * 900] * batches, pattern, workers, Counter())


# ---------------------------------------------------------------------------------- piece counts


@settings(deadline=None)
@given(st.dictionaries(st.text(min_size=1, max_size=20), st.integers(1, 1 << 60), max_size=20))
def test_a_counter_comes_back(counts):
    counter = Counter(counts)
    pieces = PieceCounts.of(encoded(counter))
    assert pieces.counter() == encoded(counter)
    assert list(pieces.counter()) == list(encoded(counter))
    assert pieces.texts() == counter


@pytest.mark.parametrize("byte", [b"\xff", b"a"])
def test_a_piece_of_one_byte_is_left_out_and_no_other(byte):
    counter = Counter({b"\xff": 1, b"\xff\xff": 2, b"a": 3, b"aa": 4, b"b\xff": 5, b"ba": 6})
    wanted = Counter({piece: n for piece, n in counter.items() if piece != byte})
    assert PieceCounts.of(counter).without(byte).counter() == wanted
    assert PieceCounts.of(wanted).without(byte).counter() == wanted


# ------------------------------------------------------------------------------------- plain parts


class Reading(SilentProgress):
    """Remembers the one task and what it was told."""

    def __init__(self) -> None:
        self.tasks: list[tuple[str, int, str]] = []
        self.done: list[int] = []

    @contextmanager
    def task(self, description, total, unit, done=0):
        self.tasks.append((description, total, unit))
        told = SilentTask()
        told.advance = self.done.append
        yield told


def parts_of(texts, special, normal="none", progress=None, size=None):
    return list(
        plain_parts(texts, special, make_normalizer(normal), progress or SilentProgress(), size)
    )


def test_special_tokens_are_left_out_and_end_the_text_before_them():
    assert parts_of("a<x>b<x><x>c<y>", ["<x>", "<y>"]) == ["a", "b", "c"]
    assert parts_of(["<x>", "a<x", ">b", ""], ["<x>"]) == ["a<x", ">b"]
    assert parts_of("a<x>b", []) == ["a<x>b"]
    assert parts_of("ab", ["a", "ab"]) == []  # the longer one counts
    assert parts_of("a.b", ["."]) == ["a", "b"]


def test_the_text_is_normalised_and_the_special_tokens_are_not():
    assert parts_of("e\u0301ﬁ<ﬁ>ﬁ", ["<ﬁ>"], "nfkc") == ["éfi", "fi"]
    # The text is cut first: what a normal form makes a special token of is text.
    assert parts_of("＜x＞", ["<x>"], "nfkc") == ["<x>"]


def test_the_bar_counts_the_bytes_of_the_texts_and_is_there_if_their_size_is_known():
    progress = Reading()
    texts = ["é<x>a", "", "🙂"]
    parts_of(texts, ["<x>"], progress=progress, size=10)
    assert progress.tasks == [("reading", 10, "byte")]
    assert progress.done == [6, 0, 4]
    silent = Reading()
    parts_of(texts, ["<x>"], progress=silent)
    assert silent.tasks == []


def test_texts_are_read_one_at_a_time():
    read = []

    def texts():
        for text in ["a<x>b", "c"]:
            read.append(text)
            yield text

    parts = plain_parts(texts(), ["<x>"], str, SilentProgress(), None)
    assert read == []
    assert next(parts) == "a"
    assert read == ["a<x>b"]
    assert list(parts) == ["b", "c"]


# --------------------------------------------------------------------------- begun in plain Python


@pytest.mark.parametrize(
    ("most", "counts", "left"),
    [
        (None, {"a": 2, "b": 2, "c": 1}, None),
        (5, {"a": 2, "b": 2, "c": 1}, None),
        (4, {"a": 2, "b": 2}, ["c"]),
        (3, {"a": 1, "b": 1}, ["ab", "c"]),
        (1, {}, ["ab", "ab", "c"]),
        (0, {}, ["ab", "ab", "c"]),
    ],
)
def test_plain_python_counts_so_many_characters_and_leaves_the_rest(most, counts, left):
    found, rest = count_in_python(["ab", "ab", "c"], list, most)
    assert found == counts
    assert (None if rest is None else list(rest)) == left


@pytest.mark.parametrize("pattern", NAMED_PATTERNS)
@pytest.mark.parametrize("normal", ["none", "nfkc"])
def test_a_long_text_worked_on_in_parts_has_the_pieces_of_the_whole(monkeypatch, pattern, normal):
    monkeypatch.setattr(piece_counts, "_PART", 40)
    text = "It's 3 ﬁne <x> words, and 中文。 x² don't\n\n  a<x>b " * 20 + "a" * 200 + " end"
    arguments = ["<x>"], make_normalizer(normal), SilentProgress(), None
    whole, _ = count_in_python(plain_parts(text, *arguments), make_splitter(pattern))
    parts = list(plain_parts(text, *arguments, may_cut=True))
    assert len(parts) > 50
    counts, _ = count_in_python(parts, make_splitter(pattern))
    assert counts == whole


def test_a_lone_surrogate_far_into_a_long_text_is_told_by_its_place(monkeypatch):
    monkeypatch.setattr(piece_counts, "_PART", 10)
    text = "words " * 10 + "\udc80"
    with pytest.raises(TokenizerError, match="character 60 is a lone surrogate"):
        list(plain_parts(text, [], str, SilentProgress(), None, may_cut=True))
