"""Characters as tokens."""

import copy
import json
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yocto.errors import TokenizerError, TokenizerFileError
from yocto.tokenizer.char import CharTokenizer
from yocto.tokenizer.store import load_tokenizer

CHARACTERS = st.characters(exclude_categories=["Cs"])


@given(st.text(CHARACTERS))
def test_decode_gives_back_every_text_it_was_trained_on(text):
    tokenizer = CharTokenizer.train([text])
    assert tokenizer.decode(tokenizer.encode(text)) == text


@given(st.text(CHARACTERS))
def test_ids_are_nanogpts(text):
    # data/shakespeare_char/prepare.py in karpathy/nanoGPT
    chars = sorted(list(set(text)))  # noqa: C414
    stoi = {ch: i for i, ch in enumerate(chars)}
    tokenizer = CharTokenizer.train([text])
    assert tokenizer.stoi == stoi
    assert tokenizer.vocab_size == len(chars)
    assert tokenizer.encode(text) == [stoi[c] for c in text]


def test_a_text_may_be_given_without_a_list_and_several_count_together():
    assert CharTokenizer.train("cab").itos == ["a", "b", "c"]
    assert CharTokenizer.train(["c", "ab"]).itos == ["a", "b", "c"]


def test_a_character_beyond_the_basic_plane_is_one_token():
    tokenizer = CharTokenizer.train("a🙂")
    assert tokenizer.encode("🙂a") == [1, 0]


def test_unknown_characters_are_named_with_their_code_points():
    with pytest.raises(TokenizerError) as caught:
        CharTokenizer("abc").encode("a🙂b\tq")
    for name in ("'\\t' (U+0009)", "'q' (U+0071)", "'🙂' (U+1F642)"):
        assert name in caught.value.message
    assert "'a'" not in caught.value.message


def test_of_many_unknown_characters_ten_are_named_and_the_rest_counted():
    with pytest.raises(TokenizerError, match=r"\(U\+006A\) and 16 more"):
        CharTokenizer("").encode("abcdefghijklmnopqrstuvwxyz")


def test_special_tokens_get_the_last_ids_and_their_text_does_not_count():
    tokenizer = CharTokenizer.train("ab<z>ab", special_tokens=["<z>", "<y>"])
    assert tokenizer.itos == ["a", "b"]
    assert tokenizer.special_tokens == {"<z>": 2, "<y>": 3}
    assert tokenizer.vocab_size == 4
    assert tokenizer.encode("a<z>b<y>", "all") == [0, 2, 1, 3]
    assert tokenizer.decode([0, 2, 1, 3]) == "a<z>b<y>"


def test_the_text_of_a_special_token_taken_as_plain_needs_its_characters():
    tokenizer = CharTokenizer("ab", ["<z>"])
    with pytest.raises(TokenizerError, match="'<'"):
        tokenizer.encode("<z>", "none")


@pytest.mark.parametrize(
    ("characters", "special", "fault"),
    [
        (["a", "a"], [], "each one once"),
        (["ab"], [], "single characters"),
        ([""], [], "single characters"),
        (["\ud800"], [], "surrogate"),
        (["a"], ["<z>", "<z>"], "twice"),
        (["a"], [""], "empty"),
    ],
)
def test_a_vocabulary_that_cannot_be_is_refused(characters, special, fault):
    with pytest.raises(TokenizerError, match=fault):
        CharTokenizer(characters, special)


def test_an_unknown_training_option_is_refused():
    with pytest.raises(TokenizerError, match="'vocab_size'"):
        CharTokenizer.train("ab", vocab_size=5)


def test_a_lone_surrogate_in_the_corpus_is_refused():
    with pytest.raises(TokenizerError, match="lone surrogate"):
        CharTokenizer.train("ab\ud800")


# ----------------------------------------------------------------------------------- vocab.json

TOKENIZER = CharTokenizer("\nab🙂'", ["<|endoftext|>", "<pad>"])


def test_vocab_json_holds_stoi_and_itos():
    content = json.loads(TOKENIZER.files()["vocab.json"])
    assert content["stoi"] == {"\n": 0, "a": 1, "b": 2, "🙂": 3, "'": 4}
    assert content["itos"] == {"0": "\n", "1": "a", "2": "b", "3": "🙂", "4": "'"}
    assert content["special_tokens"] == {"<|endoftext|>": 5, "<pad>": 6}


@given(st.sets(CHARACTERS), st.lists(st.text("<ab>", min_size=1), unique=True, max_size=3))
def test_vocab_json_gives_the_tokenizer_back(characters, special):
    tokenizer = CharTokenizer(characters, special)
    content = json.loads(tokenizer.files()["vocab.json"])
    loaded = CharTokenizer.from_json(content, "vocab.json")
    assert loaded.itos == tokenizer.itos
    assert loaded.special_tokens == tokenizer.special_tokens


def damaged(**changes):
    content = copy.deepcopy(json.loads(TOKENIZER.files()["vocab.json"]))
    for key, value in changes.items():
        if value is None:
            del content[key]
        else:
            content[key] = value
    return content


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (damaged(version=None), "version None is not 1"),
        (damaged(version=2), "version 2 is not 1"),
        (damaged(stoi=None), "stoi is not a table"),
        (damaged(stoi=["a"]), "stoi is not a table"),
        (damaged(stoi={"a": "0"}), "stoi is not a table of ids"),
        (damaged(stoi={"a": True}), "stoi is not a table of ids"),
        (damaged(stoi={"a": 1.0}), "stoi is not a table of ids"),
        (damaged(special_tokens=["<z>"]), "special_tokens is not a table"),
        (damaged(special_tokens={"<z>": 9}), "ids are not 0, 1, 2"),
        (damaged(special_tokens={"<z>": 4}), "ids are not 0, 1, 2"),
        (damaged(stoi={"a": 0, "b": 0}), "ids are not 0, 1, 2"),
        (damaged(stoi={"a": 1, "b": 2}, special_tokens={"<z>": 0}), "special tokens last"),
        (damaged(stoi={"a": -1, "b": 0}, special_tokens={}), "ids are not 0, 1, 2"),
        (damaged(itos=None), "itos and stoi differ"),
        (damaged(itos={"0": "b"}), "itos and stoi differ"),
        (
            damaged(stoi={"ab": 0}, itos={"0": "ab"}, special_tokens={}),
            "single characters",
        ),
        (damaged(stoi={"\ud800": 0}, itos={"0": "\ud800"}, special_tokens={}), "surrogate"),
    ],
)
def test_a_damaged_vocab_json_is_refused_by_name(tmp_path, content, fault):
    file = tmp_path / "vocab.json"
    file.write_text(json.dumps(content))
    with pytest.raises(TokenizerFileError) as caught:
        load_tokenizer(tmp_path)
    assert str(file) in caught.value.message
    assert fault in caught.value.message
    assert "prepare-char" in caught.value.hint


# ------------------------------------------------------------------- prepared texts, long texts


@given(st.text(CHARACTERS), st.sampled_from(["none", "nfc", "nfkc"]), st.booleans())
def test_a_prepared_text_is_known_and_comes_back_as_it_was_prepared(text, form, lowercase):
    tokenizer = CharTokenizer.train([text], normalize=form, lowercase=lowercase)
    prepared = text
    for _ in range(2 if lowercase else 1):
        prepared = prepared if form == "none" else unicodedata.normalize(form.upper(), prepared)
        prepared = prepared.lower() if lowercase else prepared
    prepared = prepared if form == "none" else unicodedata.normalize(form.upper(), prepared)
    assert tokenizer.decode(tokenizer.encode(text)) == prepared
    assert tokenizer.encode_to_numpy(text).tolist() == tokenizer.encode(text)


def test_capital_letters_are_small_ones_with_lowercase_and_nothing_else_is():
    tokenizer = CharTokenizer.train(["Ärger ΑΣ 12"], lowercase=True)
    assert tokenizer.decode(tokenizer.encode("ÄRGER Ας 21")) == "ärger ας 21"
    assert CharTokenizer.train(["Aa"]).itos == ["A", "a"]


def test_what_prepares_a_text_is_kept_in_its_file(tmp_path):
    CharTokenizer.train(["ÉE\u0301"], normalize="nfc", lowercase=True).save(tmp_path)
    found = load_tokenizer(tmp_path)
    assert (found.normalize, found.lowercase, found.itos) == ("nfc", True, ["é"])
    assert found.encode("É") == found.encode("E\u0301") == [0]


@pytest.mark.parametrize(("name", "value"), [("normalize", "nfd"), ("normalize", 3)])
def test_a_file_with_a_normal_form_that_is_none_is_refused(tmp_path, name, value):
    CharTokenizer("ab").save(tmp_path)
    file = tmp_path / "vocab.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), name: value}))
    with pytest.raises(TokenizerFileError, match="normalization"):
        load_tokenizer(tmp_path)


@given(st.text(CHARACTERS, min_size=1))
def test_long_texts_are_looked_up_with_the_same_ids(text):
    tokenizer = CharTokenizer(sorted(set(text)))
    assert tokenizer.encode_to_numpy(text).tolist() == tokenizer.encode(text)
    with pytest.raises(TokenizerError, match="not in the vocabulary"):
        CharTokenizer(sorted(set(text) - {text[0]})).encode_to_numpy(text)


def test_more_than_65536_characters_take_four_bytes():
    tokenizer = CharTokenizer(map(chr, range(0x10000, 0x20100)))
    assert tokenizer.encode_to_numpy("\U00020099").tolist() == [0x10099]
    assert tokenizer.encode_to_numpy("").dtype == np.uint32
