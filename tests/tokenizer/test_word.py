"""Whole words as tokens."""

import copy
import hashlib
import json
import sys
from pathlib import Path

import pytest
import tokenizers
from hypothesis import example, given, settings
from hypothesis import strategies as st

from yocto.errors import TokenizerError, TokenizerFileError
from yocto.tokenizer.special import STANDARD
from yocto.tokenizer.store import load_tokenizer
from yocto.tokenizer.word import WordTokenizer, WordTrainer, split_words
from yocto.utils.progress import SilentProgress

CORPUS = (Path(__file__).parents[2] / "data" / "philosophy.txt").read_text("utf-8")
TEXT = (
    CORPUS[:40_000]
    + " l'été, naïve 🙂🙂 Füße 12345 don't it’s x_1 \r\n\t  日本語 日本 हिन्दी\n\n" * 3
)
TOKENIZER = WordTokenizer.train([TEXT], vocab_size=500)

# Characters newer than Python's tables are letters to one engine and unassigned to another.
KNOWN = st.characters(exclude_categories=["Cs", "Cn", "Co"])
PARTS = ["the", "don't", "it’s", "'s", " ", "  ", "\n", "x_1", "4", "日", "🙂"]
TEXTS = st.one_of(
    st.text(KNOWN),
    st.text("aB1_'’ .,\n\t\u00a0\u0301\u3000-<>", max_size=40),
    st.lists(st.sampled_from(PARTS)).map("".join),
)
# Hypothesis draws strings from the code too, and the text of a special token is no word.
NO_SPECIAL = TEXTS.filter(lambda text: not any(token in text for token in STANDARD))
EXTREME = [
    "", " ", "     ", "\n", "\r\n\r\n\n", "\t \t", "a  b", " a b ", "a \n b", "a\u00a0b",
    "a\u2009b", "🙂 🙂🙂", "👩‍🚀 👩‍🚀", "e\u0301 e\u0301", "\u0301 \u0301", "a\u200db",
    "'", "''", "' '", "'a'", "a' b", "a 'b", "a'b", "a''b", "a'1", "a'b1", "a'b_c d",
    "日本語 日", "。 。", "한국어 말", "1 2 3", "1.5 %", "_ _", "x_1 y", "\x00", "\ufeffa",
    "\u2028", "İ ı", "ﬁ", "<unk", "rock 'n' roll",
]  # fmt: skip


def knowing(text: str, **options) -> WordTokenizer:
    """A tokenizer that knows every word of a text."""
    return WordTokenizer.train([text], vocab_size=100_000, **options)


def stream(tokenizer: WordTokenizer, ids: list[int], after: int | None = None) -> str:
    decoder = tokenizer.stream_decoder(after=after)
    return "".join([*map(decoder.push, ids), decoder.finish()])


def in_hugging_face(tokenizer: WordTokenizer) -> tokenizers.Tokenizer:
    return tokenizers.Tokenizer.from_str(tokenizer.files()["tokenizer.json"])


# ------------------------------------------------------------------------------------- splitting


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("the cat, the dog", ["the", "cat", ",", " ", "the", "dog"]),
        ("The Cat", ["The", "Cat"]),
        ("don't it’s rock'n'roll", ["don't", "it’s", "rock'n'roll"]),
        ("'tis dogs' 'a'", ["'", "tis", "dogs", "'", " ", "'", "a", "'"]),
        ("o'2 o'a2", ["o", "'", "2", "o'a2"]),
        ("x_1 = 10_000", ["x_1", " ", "=", " ", "10_000"]),
        ("a  b", ["a", " ", " ", "b"]),
        ("a\nb\tc", ["a", "\n", "b", "\t", "c"]),
        ("e\u0301te\u0301", ["e\u0301te\u0301"]),
        ("हिन्दी है", ["हिन्दी", "है"]),
        ("日本語、日", ["日本語", "、", "日"]),
        ("well-known...", ["well", "-", "known", ".", ".", "."]),
        ("🙂🙂 a", ["🙂", "🙂", " ", "a"]),
        ("<unk>", ["<", "unk", ">"]),
        ("", []),
    ],
)
def test_words_are_letters_and_digits_with_apostrophes_and_all_else_is_single(text, pieces):
    assert split_words(text) == pieces


@given(TEXTS)
def test_splitting_loses_nothing_but_single_spaces_between_words(text):
    pieces = split_words(text)
    assert "".join(pieces).replace(" ", "") == text.replace(" ", "")
    assert all(pieces)


# ------------------------------------------------------------------------------------ round trip


@settings(deadline=None)
@given(NO_SPECIAL)
@example("don't5 'a_1'b2c 3")
def test_a_text_of_known_words_comes_back_whole(text):
    tokenizer = knowing(text)
    ids = tokenizer.encode(text, "none")
    assert tokenizer.unk_id not in ids
    assert tokenizer.decode(ids) == text


@pytest.mark.parametrize("text", EXTREME)
def test_an_extreme_text_comes_back_whole_and_has_hugging_faces_ids(text):
    tokenizer = knowing(text)
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == stream(tokenizer, ids) == text
    assert in_hugging_face(tokenizer).encode(text, add_special_tokens=False).ids == ids


@settings(deadline=None)
@given(text=NO_SPECIAL, data=st.data())
def test_a_stream_that_goes_on_after_a_prompt_adds_up_to_the_whole(text, data):
    tokenizer = knowing(text)
    ids = tokenizer.encode(text, "none")
    cut = data.draw(st.integers(0, len(ids)))
    before = stream(tokenizer, ids[:cut])
    assert before == tokenizer.decode(ids[:cut])
    assert before + stream(tokenizer, ids[cut:], ids[cut - 1] if cut else None) == text


@settings(deadline=None)
@given(st.lists(st.integers(0, TOKENIZER.vocab_size - 1), max_size=30))
def test_a_stream_of_any_ids_adds_up_to_what_decode_gives(ids):
    assert stream(TOKENIZER, ids) == TOKENIZER.decode(ids)
    assert TOKENIZER.decode_bytes(ids) == TOKENIZER.decode(ids).encode()


def test_the_space_between_two_words_is_implied_and_others_are_tokens():
    tokenizer = knowing("the cat , dog ")
    the, cat, space, comma = (tokenizer.vocab[piece] for piece in ["the", "cat", " ", ","])
    assert tokenizer.encode("the cat") == [the, cat]
    assert tokenizer.encode("the  cat, the ") == [the, space, space, cat, comma, space, the, space]
    assert tokenizer.decode([the, cat, comma, the]) == "the cat,the"


def test_a_word_after_a_word_begins_with_the_space_and_another_id_does_not():
    tokenizer = knowing("the cat,")
    the, comma = tokenizer.vocab["the"], tokenizer.vocab[","]
    assert tokenizer.bytes_after(the, the) == b" the"
    assert tokenizer.bytes_after(None, the) == tokenizer.bytes_after(comma, the) == b"the"
    assert tokenizer.bytes_after(the, comma) == b","
    assert tokenizer.bytes_after(tokenizer.eos_id, the) == b"the"
    assert tokenizer.token_bytes(the) == b"the"


# ---------------------------------------------------------------------------------------- unknown


def test_what_the_vocabulary_lacks_becomes_unk():
    tokenizer = knowing("the dog, the")
    ids = tokenizer.encode("the cow, The dog!")
    assert [i for i, t in enumerate(ids) if t == tokenizer.unk_id] == [1, 4, 6]
    assert tokenizer.decode(ids) == "the <unk>, <unk> dog <unk>"


@settings(deadline=None)
@given(TEXTS)
def test_any_text_is_encoded_whatever_the_vocabulary_knows(text):
    ids = TOKENIZER.encode(text, "none")
    assert ids == [TOKENIZER.vocab.get(p, TOKENIZER.unk_id) for p in split_words(text)]
    assert set(ids).isdisjoint([TOKENIZER.pad_id, TOKENIZER.bos_id, TOKENIZER.eos_id])


def test_an_empty_corpus_leaves_only_the_special_tokens():
    tokenizer = WordTokenizer.train([""])
    assert (tokenizer.vocab, tokenizer.vocab_size) == ({}, 4)
    assert tokenizer.encode("a b") == [tokenizer.unk_id] * 2


# --------------------------------------------------------------------------------------- training


@given(st.lists(st.text("ab ,\n", max_size=40), max_size=4), st.integers(5, 14))
def test_the_commonest_words_are_kept_and_ties_go_by_their_characters(texts, vocab_size):
    pieces = [piece for text in texts for piece in split_words(text)]
    best = sorted(set(pieces), key=lambda piece: (-pieces.count(piece), piece))
    tokenizer = WordTokenizer.train(texts, vocab_size=vocab_size)
    assert list(tokenizer.vocab) == best[: vocab_size - 4]
    assert list(tokenizer.vocab.values()) == list(range(4, 4 + len(tokenizer.vocab)))


@given(st.permutations(["b a", "c", "a b", "d é 日"]))
def test_the_order_of_the_texts_does_not_matter(texts):
    assert WordTokenizer.train(texts, vocab_size=8).sha256 == (
        WordTokenizer.train(sorted(texts), vocab_size=8).sha256
    )


def test_a_text_may_be_given_without_a_list():
    trainer = WordTrainer()
    assert trainer.train("the cat").vocab == trainer.train(["the cat"]).vocab


def test_how_many_words_are_known_is_told():
    class Told(SilentProgress):
        said = ""

        def say(self, text):
            self.said += text

    told = Told()
    WordTrainer(vocab_size=6).train("a a b b c d e", told)
    assert told.said.startswith("2 of 5 different words")


@pytest.mark.parametrize(
    ("special", "works"), [(None, 5), (["<a>"], 6), (["<eos>", "<pad>"], 5), (["<a>", "<b>"], 7)]
)
def test_too_small_a_vocabulary_is_refused_and_the_number_in_the_hint_works(special, works):
    with pytest.raises(TokenizerError, match=f"{works - 1} tokens is too small") as caught:
        WordTrainer(vocab_size=works - 1, special_tokens=special)
    assert f"at least {works}." in caught.value.hint
    tokenizer = WordTrainer(vocab_size=works, special_tokens=special).train("a b a")
    assert list(tokenizer.vocab) == ["a"]
    assert tokenizer.vocab_size == works


def test_a_lone_surrogate_in_the_corpus_is_refused():
    with pytest.raises(TokenizerError, match="lone surrogate"):
        WordTokenizer.train(["fine", "bad\udc00"])


# --------------------------------------------------------------------------------- special tokens


def test_the_special_tokens_have_the_first_ids_and_their_text_does_not_count():
    tokenizer = knowing("a <unk> b<x>c <pad>", special_tokens=["<x>"])
    assert tokenizer.special_tokens == {"<unk>": 0, "<pad>": 1, "<bos>": 2, "<eos>": 3, "<x>": 4}
    assert set(tokenizer.vocab) == {"a", " ", "b", "c"}


def test_a_special_token_is_made_where_it_is_allowed_and_has_no_spaces_around_it():
    tokenizer = knowing("one two< > eos")
    ids = tokenizer.encode("one two<eos>one <eos> two", "all")
    assert ids.count(tokenizer.eos_id) == 2
    assert tokenizer.decode(ids) == "one two<eos>one <eos> two"
    as_text = tokenizer.encode("one<eos>", "none")
    assert tokenizer.eos_id not in as_text
    assert tokenizer.decode(as_text) == "one<eos>"


def test_a_special_token_that_is_spelled_like_a_word_after_normalisation_is_refused():
    with pytest.raises(TokenizerError, match="'1' is spelled like a token of text"):
        WordTokenizer.train(["①"], special_tokens=["1"], normalize="nfkc")


@pytest.mark.parametrize(
    ("vocab", "special", "fault"),
    [
        ({"a": 0}, {"<unk>": 0}, "id 0 stands for '<unk>' and another token"),
        ({"a": 1, "b": 1}, {"<unk>": 0}, "same id"),
        ({"a": -1}, {"<unk>": 0}, "negative id"),
        ({"a": 1_000_000}, {"<unk>": 0}, "ids go up to 1000000"),
        ({"a": 1}, {"<unk>": 0, "": 2}, "'' is empty"),
        ({"a": 1}, {"<eos>": 0}, "needs the special token <unk>"),
    ],
)
def test_a_vocabulary_that_cannot_work_is_refused(vocab, special, fault):
    with pytest.raises(TokenizerError, match=fault):
        WordTokenizer(vocab, special)


@pytest.mark.parametrize("bad", [-1, 3, 9])
def test_an_id_that_is_not_there_is_refused(bad):
    tokenizer = WordTokenizer({"a": 1, "b": 4}, {"<unk>": 0})
    assert tokenizer.vocab_size == 5
    with pytest.raises(TokenizerError, match=f"id {bad} is not in the vocabulary of 5"):
        tokenizer.decode([1, bad])


# ---------------------------------------------------------------------------------- normalisation


@pytest.mark.parametrize(
    ("form", "expected"),
    [("none", "ﬁne e\u0301te \u2460"), ("nfc", "ﬁne éte \u2460"), ("nfkc", "fine éte 1")],
)
def test_text_is_normalised_before_it_is_counted_and_encoded(form, expected):
    tokenizer = knowing("ﬁne e\u0301te ①", normalize=form)
    assert set(tokenizer.vocab) == set(split_words(expected))
    assert tokenizer.decode(tokenizer.encode("ﬁne e\u0301te ①")) == expected


def test_an_unknown_normalisation_is_refused():
    with pytest.raises(TokenizerError, match="no normalization 'nfd'"):
        WordTrainer(normalize="nfd").train("a")


# ------------------------------------------------------------------------------------------ files


@pytest.mark.parametrize("form", ["none", "nfc", "nfkc"])
def test_saved_and_loaded_again_it_gives_equal_ids(tmp_path, form):
    tokenizer = WordTokenizer.train(
        [TEXT], vocab_size=400, special_tokens=["<|a|>"], normalize=form
    )
    tokenizer.save(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["tokenizer.json"]
    loaded = load_tokenizer(tmp_path)
    assert isinstance(loaded, WordTokenizer)
    for name in ("vocab", "special_tokens", "normalize"):
        assert getattr(loaded, name) == getattr(tokenizer, name)
    sample = CORPUS[50_000:60_000] + "<|a|>ﬁ ①"
    assert loaded.encode(sample, "all") == tokenizer.encode(sample, "all")
    assert loaded.decode(loaded.encode(TEXT)) == tokenizer.decode(tokenizer.encode(TEXT))
    main = (tmp_path / "tokenizer.json").read_bytes()
    assert loaded.sha256 == tokenizer.sha256 == hashlib.sha256(main).hexdigest()


def test_other_vocabularies_have_another_identity():
    others = [knowing("a b"), knowing("a c"), knowing("a b", normalize="nfc"), TOKENIZER]
    assert len({tokenizer.sha256 for tokenizer in others}) == 4


THEIRS = in_hugging_face(TOKENIZER)


@settings(deadline=None)
@given(NO_SPECIAL)
def test_hugging_face_gives_the_same_ids(text):
    assert THEIRS.encode(text, add_special_tokens=False).ids == TOKENIZER.encode(text)


@settings(deadline=None)
@given(NO_SPECIAL)
def test_hugging_face_gives_the_same_ids_where_every_word_is_known(text):
    tokenizer = knowing(text)
    ids = tokenizer.encode(text)
    assert in_hugging_face(tokenizer).encode(text, add_special_tokens=False).ids == ids


def test_hugging_face_gives_the_same_ids_on_real_text_and_special_tokens():
    sample = CORPUS[40_000:90_000] + "<eos>the <pad>\n"
    assert THEIRS.encode(sample).ids == TOKENIZER.encode(sample, "all")


GOOD = json.loads(knowing("the cat, the dog").files()["tokenizer.json"])
DELETED = object()
STEPS = "pre_tokenizer/pretokenizers"


def changed(path: str, value):
    """A good tokenizer.json with one place changed, or taken away where the value is DELETED."""
    content = copy.deepcopy(GOOD)
    *parents, last = [int(key) if key.isdigit() else key for key in path.split("/")]
    place = content
    for key in parents:
        place = place[key]
    if value is DELETED:
        del place[last]
    else:
        place[last] = value
    return content


DAMAGED = {
    "no vocabulary": (changed("model/vocab", DELETED), "'vocab' is missing"),
    "a vocabulary that is a list": (changed("model/vocab", ["a"]), "'vocab' is missing or not a"),
    "a negative id": (changed("model/vocab/the", -3), "the id of 'the' is -3"),
    "an id that is a text": (changed("model/vocab/the", "7"), "the id of 'the' is '7'"),
    "an id twice": (changed("model/vocab/the", 5), "have the same id"),
    "an id of a special token": (changed("model/vocab/the", 0), "id 0 stands for '<unk>' and"),
    "half a character": (changed("model/vocab/\ud800", 99), "lone surrogate"),
    "another unknown token": (changed("model/unk_token", "[UNK]"), "unk_token is '[UNK]', not"),
    "no unknown token": (changed("model/unk_token", DELETED), "unk_token is None, not <unk>"),
    "<unk> that is no special token": (changed("added_tokens/0", DELETED), "needs the special"),
    "<unk> with two ids": (changed("added_tokens/0/id", 9), "'<unk>' has the ids 9 and 0"),
    "no pre-tokenizer": (changed("pre_tokenizer", None), "is not that of yocto's word tokenizer"),
    "Whitespace": (changed("pre_tokenizer", {"type": "Whitespace"}), "is not that of yocto's"),
    "a step less": (changed(STEPS + "/0", DELETED), "is not that of yocto's"),
    "a step changed": (changed(STEPS + "/1/pattern/Regex", r"\w+"), "is not that of yocto's"),
    "a lower-casing normaliser": (changed("normalizer", {"type": "Lowercase"}), "'Lowercase'"),
    "another model": (changed("model/type", "WordPiece"), "'WordPiece', not BPE or WordLevel"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_or_foreign_tokenizer_json_is_refused_by_name(tmp_path, name, monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)  # which may know more of them
    content, fault = DAMAGED[name]
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps(content), "utf-8")
    with pytest.raises(TokenizerFileError) as caught:
        load_tokenizer(tmp_path)
    assert caught.value.message.startswith(f"{file}: ")
    assert fault in caught.value.message
    assert caught.value.hint
