"""A char tokenizer as a tokenizer.json: the ids of `tokenizers` are ours."""

import json

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

import yocto
from yocto.errors import TokenizerError
from yocto.tokenizer.char import CharTokenizer, make_preparer
from yocto.tokenizer.char_json import char_from_tokenizer_json, char_json

ALPHABET = "aAbBéÉ ß\n\t.,'1½Σςσ漢’ʰ🙂e\u0301ﬁ"
# Cased, case-ignorable, both, and neither.
AROUND_SIGMA = "ΣΣΣσςaAαΩǅⅠ'’.:ʰª\u0301\u0345\u00ad\u200d漢1_ \n🙂ßİ"


def both(**options):
    ours = CharTokenizer.train([ALPHABET * 2], **options)
    return ours, tokenizers.Tokenizer.from_str(char_json(ours))


@pytest.mark.parametrize("normalize", ["none", "nfc", "nfkc"])
@pytest.mark.parametrize("lowercase", [False, True])
@given(text=st.text(st.sampled_from(ALPHABET)))
def test_the_ids_and_the_text_are_ours(normalize, lowercase, text):
    ours, theirs = both(normalize=normalize, lowercase=lowercase)
    try:
        ids = ours.encode(text)
    except TokenizerError:  # small letters that the alphabet in its form has not
        return
    assert theirs.encode(text).ids == ids
    assert theirs.decode(ids) == ours.decode(ids)


def test_a_sigma_at_the_end_of_a_word_is_written_as_python_writes_it():
    ours, theirs = both(lowercase=True)
    for text in ("ΣΣ", "σΣ.", "ΣΣ Σ", "漢Σ", "ΣΣ'Σ", "Σ'Σ", "'Σ", "ΣΣ'", "ʰΣ", "aʰΣ", "a\u0301Σ"):
        assert theirs.encode(text).ids == ours.encode(text)


@pytest.mark.parametrize("normalize", ["none", "nfc", "nfkc"])
@given(
    text=st.text(
        st.sampled_from(AROUND_SIGMA)
        | st.characters(min_codepoint=0x300, max_codepoint=0x3FF, exclude_categories=["Cn"])
    )
)
def test_any_text_is_brought_into_the_form_that_ours_has(normalize, text):
    _, theirs = both(lowercase=True, normalize=normalize)
    assert theirs.normalizer.normalize_str(text) == make_preparer(normalize, True)(text)


def test_a_character_that_is_not_there_is_an_error_there_too():
    _, theirs = both(special_tokens=["<unk>"])
    with pytest.raises(Exception, match="UNK"):
        theirs.encode("x")


def test_special_tokens_have_their_ids_and_come_back():
    ours, theirs = both(special_tokens=["<|a|>", "<b>"])
    assert theirs.encode("b<|a|>b").ids == ours.encode("b<|a|>b", allowed_special="all")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lowercase": True, "normalize": "nfkc"},
        {"special_tokens": ["<|a|>"], "normalize": "nfc"},
    ],
)
def test_it_is_opened_as_the_tokenizer_that_it_was(tmp_path, options):
    ours, _ = both(**options)
    (tmp_path / "tokenizer.json").write_text(char_json(ours), encoding="utf-8")
    again = yocto.load_tokenizer(tmp_path)
    assert isinstance(again, CharTokenizer)
    assert again.sha256 == ours.sha256


@pytest.mark.parametrize(
    "change",
    [{"pre_tokenizer": None}, {"normalizer": {"type": "NFD"}}, {"model": []}, {"added_tokens": 1},
     {"model": {"vocab": {"a": 1}}}, {"added_tokens": [{"content": "a"}]}],
)  # fmt: skip
def test_another_file_is_not_taken_for_one(change):
    ours, _ = both()
    content = {**json.loads(char_json(ours)), **change}
    assert char_from_tokenizer_json(content, "x") is None
