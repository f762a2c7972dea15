"""Learning merges: the same as the slow reference's and as Hugging Face's BpeTrainer's."""

from pathlib import Path

import pytest
import reference_bpe
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from yocto.errors import TokenizerError
from yocto.tokenizer.bpe_train import BPETrainer
from yocto.tokenizer.byte_level import ALPHABET, to_visible
from yocto.tokenizer.patterns import NAMED_PATTERNS
from yocto.utils.progress import SilentProgress, SilentTask

PHILOSOPHY = Path(__file__).parents[2] / "data" / "philosophy.txt"
TEXTS = st.one_of(
    st.text("ab ", max_size=60),
    st.text("aAb1 .'\n\u00e9🙂", max_size=60),
    st.text(st.characters(exclude_categories=["Cs", "Cn", "Co"]), max_size=40),
)


@settings(deadline=None)
@given(
    texts=st.lists(TEXTS, max_size=4),
    num_merges=st.integers(0, 40),
    pattern=st.sampled_from([*NAMED_PATTERNS, r"\w+", r"(?s:.+)"]),
)
# (ab)c and a(bc) make the same token, which keeps its first id.
@example(texts=["abc abc abc ab ab bc xbc xbc xbc"], num_merges=40, pattern=r"\w+")
@example(texts=["aaaaaaa aaaa aa"], num_merges=40, pattern=r"(?s:.+)")
def test_merges_and_ids_equal_the_references(texts, num_merges, pattern):
    tokens, merges = reference_bpe.train(texts, NAMED_PATTERNS.get(pattern, pattern), num_merges)
    trained = BPETrainer(num_merges=num_merges, pattern=pattern, special_tokens=()).train(texts)
    assert trained.merges == [(tokens[left], tokens[right]) for left, right, _ in merges]
    assert trained.vocab == {token: i for i, token in enumerate(tokens)}


def huggingface_merges(texts: list[str], vocab_size: int) -> tuple[dict[str, int], list[str]]:
    import json

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [tuple(merge) for merge in model["merges"]]


@pytest.mark.parametrize("start", [0, 400_000, 1_500_000])
def test_merges_equal_hugging_faces_on_real_text_down_to_the_ties(start):
    text = PHILOSOPHY.read_bytes()[start : start + 60_000].decode("utf-8", "ignore")
    vocab, merges = huggingface_merges([text], 2500)
    trained = BPETrainer(vocab_size=2500, special_tokens=()).train(text)
    assert [(to_visible(a), to_visible(b)) for a, b in trained.merges] == merges
    assert {to_visible(token): i for token, i in trained.vocab.items()} == vocab
    # Many pairs of a small text occur equally often, so ties were broken the same way.
    assert len(merges) == 2500 - 256


@settings(deadline=None, max_examples=60)
@given(texts=st.lists(TEXTS, min_size=1, max_size=4), vocab_size=st.integers(256, 300))
def test_merges_equal_hugging_faces_on_any_text(texts, vocab_size):
    vocab, merges = huggingface_merges(texts, vocab_size)
    trained = BPETrainer(vocab_size=vocab_size, special_tokens=()).train(texts)
    assert [(to_visible(a), to_visible(b)) for a, b in trained.merges] == merges
    assert {to_visible(token): i for token, i in trained.vocab.items()} == vocab


def test_ids_are_bytes_then_merges_then_special_tokens():
    trained = BPETrainer(vocab_size=260, special_tokens=("<a>", "<b>")).train("abab abab")
    assert list(trained.vocab)[:256] == ALPHABET
    assert trained.vocab[b"ab"] == 256
    assert trained.vocab[b"abab"] == 257
    assert trained.special_tokens == {"<a>": 258, "<b>": 259}
    assert trained.vocab_size == 260


def test_vocab_size_counts_bytes_and_special_tokens():
    text = PHILOSOPHY.read_text("utf-8")[:20_000]
    for special in ((), ("<a>",), ("<a>", "<b>")):
        trained = BPETrainer(vocab_size=400, special_tokens=special).train(text)
        assert trained.vocab_size == 400
        assert len(trained.merges) == 400 - 256 - len(special)


def test_num_merges_counts_merges_whatever_the_vocabulary():
    text = PHILOSOPHY.read_text("utf-8")[:20_000]
    trained = BPETrainer(num_merges=100, vocab_size=256).train(text)
    assert len(trained.merges) == 100
    assert trained.vocab_size == 256 + 100 + 1


@pytest.mark.parametrize("texts", ["", [], ["", ""], "a", "a b c"])
def test_a_text_that_cannot_fill_the_vocabulary_stops_early(texts):
    trained = BPETrainer(vocab_size=8000).train(texts)
    assert trained.vocab_size < 8000
    assert trained.decode(trained.encode("anything")) == "anything"


def test_min_frequency_stops_at_rare_pairs():
    text = "abab abab xyz"
    assert BPETrainer(min_frequency=2).train(text).merges == [
        (b"a", b"b"),
        (b"ab", b"ab"),
    ]
    assert len(BPETrainer(min_frequency=1).train(text).merges) > 2


def test_the_text_of_special_tokens_is_neither_merged_nor_split():
    text = "ab<|endoftext|>" * 50 + "cd"
    trained = BPETrainer(vocab_size=300).train(text)
    assert set(trained.merges) == {(b"a", b"b"), (b"c", b"d")}


def test_many_texts_count_together_but_pieces_do_not_reach_over_their_ends():
    assert BPETrainer(special_tokens=()).train(["a", "b"] * 9).merges == []
    joined = BPETrainer(special_tokens=()).train("ab cd ab")
    assert BPETrainer(special_tokens=()).train(["ab", " cd", " ab"]).merges == joined.merges


def test_a_generator_of_texts_is_read_once():
    texts = (line for line in ["the theme", " of the thesis"])
    assert BPETrainer().train(texts).merges == BPETrainer().train("the theme of the thesis").merges


def test_progress_is_told_of_every_merge():
    class Counting(SilentProgress):
        def __init__(self):
            self.total, self.done = None, 0

        def task(self, description, total, unit, done=0):
            self.total = total
            return _Opened(self)

    class _Opened(SilentTask):
        def __init__(self, progress):
            self.progress = progress

        def __enter__(self):
            return self

        def __exit__(self, *exception):
            return None

        def advance(self, amount=1):
            self.progress.done += amount

    progress = Counting()
    trained = BPETrainer(vocab_size=260).train("the theme of the thesis", progress)
    assert progress.total == progress.done == len(trained.merges) == 260 - 257


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"vocab_size": 256}, "256 tokens is too small"),
        ({"vocab_size": 258, "special_tokens": ("a", "b", "c")}, "258 tokens is too small"),
        ({"kind": "word"}, "'word'"),
        ({"pattern": "("}, "no valid regex"),
        ({"special_tokens": ("<a>", "<a>")}, "twice"),
        ({"special_tokens": ("",)}, "empty"),
    ],
)
def test_options_that_cannot_be_are_refused(options, fault):
    with pytest.raises(TokenizerError, match=fault):
        BPETrainer(**options)


def test_the_smallest_vocabulary_is_the_bytes_and_the_special_tokens():
    assert BPETrainer(vocab_size=257).train("abab").merges == []


def test_a_lone_surrogate_in_the_corpus_is_refused():
    with pytest.raises(TokenizerError, match="lone surrogate"):
        BPETrainer().train(["fine", "bad\udc00"])
