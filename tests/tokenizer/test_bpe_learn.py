"""Learning merges with the kernels: those of plain Python, and of Hugging Face's BpeTrainer."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from yocto.kernels import learn
from yocto.tokenizer import bpe_learn, bpe_train
from yocto.tokenizer.bpe import byte_vocab
from yocto.tokenizer.bpe_learn import learn_byte_merges
from yocto.tokenizer.bpe_train import BPETrainer, learn_merges
from yocto.tokenizer.byte_level import ALPHABET, to_visible
from yocto.tokenizer.patterns import NAMED_PATTERNS, make_splitter
from yocto.tokenizer.piece_counts import PieceCounts
from yocto.tokenizer.special import split_special
from yocto.utils.progress import SilentTask

PHILOSOPHY = Path(__file__).parents[2] / "data" / "philosophy.txt"
ENDLESS = 1 << 30
ALPHABETS = ["a", "ab", "abc", "éè", "中文字", "aé中🙂", "abcdefghij"]
REASONS = dict(enumerate(["finished", "slice", "lower", "scan", "room"]))

Merge = tuple[bytes, bytes]


class Told(SilentTask):
    """A task that adds up what it is told."""

    def __init__(self) -> None:
        self.done = 0

    def advance(self, amount: int = 1) -> None:
        self.done += amount


def in_python(
    counts: Counter[bytes], target: int, limit: int, least: int, forbidden: tuple[bytes, ...]
) -> tuple[list[Merge], list[bytes]]:
    """The merges of plain Python, and the tokens in their order."""
    vocab = byte_vocab()
    words = [[vocab[bytes([b])] for b in piece] for piece in counts]
    merges = learn_merges(
        words, list(counts.values()), vocab, target, limit, least,
        lambda left, right: left + right in forbidden, SilentTask(),
    )  # fmt: skip
    return merges, list(vocab)


def with_kernels(
    counts: Counter[bytes], target: int, limit: int, least: int, forbidden: tuple[bytes, ...]
) -> tuple[list[Merge], list[bytes]]:
    """The same from the kernels."""
    task = Told()
    made = learn_byte_merges(PieceCounts.of(counts), target, limit, least, forbidden, task)
    assert task.done == len(made)
    tokens, merges = list(ALPHABET), []
    for left, right, token in made:
        merges.append((tokens[left], tokens[right]))
        if token == len(tokens):
            tokens.append(tokens[left] + tokens[right])
        assert tokens[token] == tokens[left] + tokens[right]
    return merges, tokens


def check(
    counts: Counter[bytes],
    target: int = ENDLESS,
    limit: int = ENDLESS,
    least: int = 1,
    forbidden: tuple[bytes, ...] = (),
) -> list[Merge]:
    """That both are the same, whatever the room to begin with; returns the merges."""
    wanted = in_python(counts, target, limit, least, forbidden)
    assert with_kernels(counts, target, limit, least, forbidden) == wanted
    with cramped():
        assert with_kernels(counts, target, limit, least, forbidden) == wanted
    return wanted[0]


@contextmanager
def cramped(**values: int) -> Iterator[Counter[str]]:
    """Slices, tables and contents as small as can be, and rare pairs left out at first. Gives how
    often the kernel came back for which reason."""
    tiny = {"_SLICE": 3, "_MANY": 0, "_ROWS": 1, "_CONTENTS": 1, "_SKETCH": 8, **values}
    seen: Counter[str] = Counter()
    real = learn.learn

    def watched(*arguments):
        reason = real(*arguments)
        seen[REASONS[reason]] += 1
        return reason

    with pytest.MonkeyPatch.context() as patch:
        for name, value in tiny.items():
            patch.setattr(bpe_learn, name, value)
        patch.setattr(learn, "learn", watched)
        yield seen


@st.composite
def corpora(draw: st.DrawFn) -> Counter[bytes]:
    alphabet = draw(st.sampled_from(ALPHABETS))
    counts = st.one_of(st.just(1), st.integers(1, 5), st.integers(1, 1 << 40))
    pieces = st.dictionaries(st.text(alphabet, min_size=1, max_size=30), counts, max_size=12)
    return Counter({piece.encode(): n for piece, n in draw(pieces).items()})


@settings(deadline=None, max_examples=300)
@given(
    counts=corpora(),
    target=st.one_of(st.integers(0, 300), st.just(ENDLESS)),
    limit=st.one_of(st.integers(-1, 40), st.just(ENDLESS)),
    least=st.one_of(st.integers(1, 6), st.just(1 << 39)),
    forbidden=st.lists(st.text("abcé中", min_size=2, max_size=4), max_size=3, unique=True),
)
# (ab)c and a(bc) make the same token, which keeps its first id.
@example(
    counts=Counter({b"abc": 3, b"ab": 2, b"bc": 1, b"xbc": 3}),
    target=ENDLESS, limit=ENDLESS, least=1, forbidden=[],
)  # fmt: skip
@example(
    counts=Counter({b"aaaaaaa": 1, b"aaaa": 1, b"aa": 1}),
    target=ENDLESS, limit=ENDLESS, least=1, forbidden=["aaaa"],
)  # fmt: skip
def test_merges_and_ids_equal_plain_pythons_on_any_pieces(counts, target, limit, least, forbidden):
    check(counts, target, limit, least, tuple(token.encode() for token in forbidden))


def random_corpus(seed: int) -> Counter[bytes]:
    """Pieces of a few letters, some of them of a few words; short and long ones."""
    rng = random.Random(seed)
    letters = rng.choice(ALPHABETS)
    words = ["".join(rng.choices(letters, k=rng.randint(1, 6))) for _ in range(rng.randint(1, 8))]
    counts: Counter[bytes] = Counter()
    for _ in range(rng.randint(1, 60)):
        source = rng.choice([letters, words])
        piece = "".join(rng.choices(source, k=rng.randint(1, rng.choice([3, 12, 80]))))
        counts[piece.encode()] += rng.choice([1, 1, rng.randint(1, 9), rng.randint(1, 10**6)])
    return counts


@pytest.mark.parametrize("seed", range(40))
def test_merges_equal_plain_pythons_on_corpora_of_few_letters(seed):
    rng = random.Random(-seed)
    counts = random_corpus(seed)
    merges = check(counts, least=rng.choice([1, 1, 2, 50]))
    if merges:  # some of the tokens are forbidden now: others are made in their stead
        tokens = [left + right for left, right in merges]
        forbidden = tuple(dict.fromkeys(rng.choices(tokens, k=3)))
        check(counts, 256 + rng.randint(0, len(merges)), ENDLESS, 1, forbidden)
        check(counts, ENDLESS, rng.randint(0, len(merges)), 1, forbidden)


def test_the_floor_is_lowered_and_the_symbols_are_scanned_anew_and_more_room_is_made():
    counts: Counter[bytes] = Counter()
    for seed in range(30):
        counts.update(random_corpus(seed))
    wanted = in_python(counts, ENDLESS, ENDLESS, 1, ())
    with cramped() as seen:
        assert with_kernels(counts, ENDLESS, ENDLESS, 1, ()) == wanted
    assert seen["slice"] > 100
    assert seen["lower"] >= 6  # by 4 each time, from a 4096th of the most frequent to 1
    assert seen["room"] > 5
    with cramped(_SLICE=1 << 40, _MANY=1 << 40, _ROWS=1 << 16, _CONTENTS=1 << 20) as seen:
        assert with_kernels(counts, ENDLESS, ENDLESS, 1, ()) == wanted
    assert seen.keys() <= {"room", "lower"}
    assert seen["lower"] == 1  # at the end: no pair is left


@pytest.mark.parametrize("room", [{}, {"_SLICE": 1 << 40, "_MANY": 1 << 40}])
def test_a_merge_that_makes_a_token_that_is_there_takes_its_id_and_a_scan_follows(room):
    # From bytes alone that can't come about: where a token begins and ends, the same bytes are
    # always cut the same way. So a token is put among the known ones by hand.
    counts = Counter({b"abcd": 9, b"xabcy": 7, b"ab": 5, b"abcabc": 3, b"zz": 1})
    vocab = {**byte_vocab(), b"abc": 256}
    words = [[vocab[bytes([b])] for b in piece] for piece in counts]
    wanted = learn_merges(
        words, list(counts.values()), vocab, ENDLESS, ENDLESS, 1, lambda *pair: False, SilentTask()
    )
    with cramped(**room) as seen:
        learner = bpe_learn._Learner(PieceCounts.of(counts), ENDLESS, 20, 1, (b"abc",))
        known, learner._first_forbidden = learner._first_forbidden, ENDLESS
        while learner.work():
            pass
    tokens = dict(enumerate(ALPHABET)) | {known: b"abc"}
    merges = []
    for left, right, token in learner.merges.reshape(-1, 3).tolist():
        merges.append((tokens[left], tokens[right]))
        assert tokens.setdefault(token, tokens[left] + tokens[right]) == b"".join(merges[-1])
    assert merges == wanted
    assert merges[:3] == [(b"a", b"b"), (b"ab", b"c"), (b"abc", b"d")]
    assert seen["scan"] == 1


@pytest.mark.parametrize("least", [1, 2, 7, 1000])
def test_the_floor_never_falls_below_the_least_frequency(least):
    text = PHILOSOPHY.read_text("utf-8")[:30_000]
    counts = Counter(piece.encode() for piece in make_splitter("gpt2")(text))
    with cramped() as seen:
        merges, _ = with_kernels(counts, ENDLESS, ENDLESS, least, ())
    assert merges == in_python(counts, ENDLESS, ENDLESS, least, ())[0]
    assert not seen["finished"]  # but it stopped where nothing frequent enough was left
    assert seen["lower"]


@pytest.mark.parametrize("n", [2, 3, 4, 5, 7, 8, 15, 16, 31, 255, 1000])
@pytest.mark.parametrize("unit", ["a", "ab", "aab", "é", "中"])
def test_a_piece_that_repeats_itself_is_merged_from_the_left(n, unit):
    check(Counter({(unit * n).encode(): 3}))
    check(Counter({(unit * n).encode(): 3, (unit * (n // 2 + 1)).encode(): 2, b"xa": 7}))


@pytest.mark.parametrize("alphabet", ["a", "ab", "abcdefghijklmnopqrstuvwxyz"])
def test_pieces_longer_than_65536_bytes_are_merged_too(alphabet):
    rng = random.Random(0)
    piece = "".join(rng.choices(alphabet, k=70_001)).encode()
    merges = check(Counter({piece: 1, piece[::-1]: 2}), limit=25)
    assert len(merges) == (16 if alphabet == "a" else 25) + (alphabet == "a") * 6


def test_tokens_longer_than_the_room_for_all_contents_are_made():
    merges = check(Counter({b"a" * (1 << 18): 1}))
    assert len(merges[-1][0] + merges[-1][1]) == 1 << 18


def test_the_table_grows_with_the_pairs_and_not_with_the_places_of_one_pair():
    counts = Counter({b"ab" * 200_000: 1})
    learner = bpe_learn._Learner(PieceCounts.of(counts), ENDLESS, ENDLESS, 1, ())
    while learner.work():
        assert learner._rows <= bpe_learn._ROWS * 4
    assert learner.merges_made == in_python_count(400_000)


def in_python_count(n: int) -> int:
    """How many merges make one token of n letters "ababab…": ab, then each pair of equals, and what
    is left over at the end."""
    return len(in_python(Counter({b"ab" * (n // 2): 1}), ENDLESS, ENDLESS, 1, ())[0])


def test_ties_are_broken_by_the_smaller_left_id_and_then_the_smaller_right_one():
    merges = check(Counter({b"zy": 2, b"ab": 2, b"ac": 2, b"ba": 2, b"xx": 3}))
    assert merges[:5] == [(b"x", b"x"), (b"a", b"b"), (b"a", b"c"), (b"b", b"a"), (b"z", b"y")]


def test_ids_are_in_the_order_of_the_visible_alphabet_and_not_of_the_bytes():
    # Byte 0 is the 189th of the alphabet, so the pair of "!" comes first.
    merges = check(Counter({b"\0\0": 2, b"!!": 2}))
    assert merges == [(b"!", b"!"), (b"\0", b"\0")]


@pytest.mark.parametrize("counts", [{}, {b"a": 5}, {b"a": 5, b"b": 1}, {b"ab": 1}])
def test_too_little_to_merge_is_no_error(counts):
    assert len(check(Counter(counts))) == (b"ab" in counts)


# ----------------------------------------------------------------------------- the whole training


@pytest.fixture
def sides(monkeypatch):
    """`sides(kernels=True)`: from now on all training is the kernels' work, or plain Python's."""

    def choose(kernels: bool) -> None:
        enough = 0 if kernels else ENDLESS
        monkeypatch.setattr(bpe_train, "enough_for", lambda *modules, size: enough)
        monkeypatch.setattr(bpe_train, "learning_pays", lambda symbols: kernels)

    return choose


@pytest.mark.parametrize("pattern", NAMED_PATTERNS)
def test_both_ways_train_the_same_tokenizer(sides, pattern):
    text = PHILOSOPHY.read_text("utf-8")[300_000:400_000] + "naïve 中文 🙂 <a> <a>!\r\n\n" * 40
    # Ġthe is how tokenizer.json writes the token of " the", so that may not be one of text.
    options = {"vocab_size": 900, "pattern": pattern, "special_tokens": ("<a>", "Ġthe")}
    trained = []
    for kernels in (True, False):
        sides(kernels)
        trained.append(BPETrainer(**options).train([text, text[:999]]))
    assert trained[0].merges == trained[1].merges
    assert trained[0].vocab == trained[1].vocab
    assert list(trained[0].vocab) == list(trained[1].vocab)
    assert b" the" not in trained[0].vocab
    assert b"<a>" not in trained[0].vocab


@pytest.mark.parametrize("num_merges", [0, 1, 300, 50_000])
def test_both_ways_take_a_number_of_merges(sides, num_merges):
    text = PHILOSOPHY.read_text("utf-8")[:20_000]
    trained = []
    for kernels in (True, False):
        sides(kernels)
        trained.append(BPETrainer(num_merges=num_merges, special_tokens=()).train(text).merges)
    assert trained[0] == trained[1]
    assert len(trained[0]) == num_merges or num_merges == 50_000


def test_char_bpe_learns_the_same_from_pieces_that_the_kernels_counted(sides):
    text = PHILOSOPHY.read_text("utf-8")[:50_000] + "naïve 中文 🙂" * 40
    trained = []
    for kernels in (True, False):
        sides(kernels)
        trained.append(BPETrainer("char-bpe", vocab_size=500).train([text, "x" + text]))
    assert trained[0].merges == trained[1].merges
    assert trained[0].vocab == trained[1].vocab


@pytest.mark.parametrize(
    "options",
    [
        {"vocab_size": 12_000, "special_tokens": ()},
        {"vocab_size": 60_000, "special_tokens": (), "min_frequency": 3},
        {"vocab_size": 8_000, "special_tokens": ("User:", "<|endoftext|>", " the")},
    ],
    ids=["vocab_size", "min_frequency", "special tokens"],
)
def test_merges_equal_hugging_faces_on_megabytes_of_text(sides, options):
    tokenizers = pytest.importorskip("tokenizers")
    text = PHILOSOPHY.read_text("utf-8")
    special = options["special_tokens"]
    sides(kernels=True)
    trained = BPETrainer(workers=2, **options).train(text)

    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    level = tokenizers.pre_tokenizers.ByteLevel
    tokenizer.pre_tokenizer = level(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=options["vocab_size"] - len(special),
        min_frequency=options.get("min_frequency", 0),
        initial_alphabet=level.alphabet(),
        show_progress=False,
    )
    plain = [part for part in split_special(text, special) if part not in special]
    tokenizer.train_from_iterator(plain, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    assert [[to_visible(a), to_visible(b)] for a, b in trained.merges] == model["merges"]
    assert {to_visible(token): i for token, i in trained.vocab.items()} == model["vocab"]
    assert len(trained.merges) > 7_000
    if "min_frequency" in options:
        assert trained.vocab_size < options["vocab_size"]  # it stopped at the rare pairs
