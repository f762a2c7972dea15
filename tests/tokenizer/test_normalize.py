"""Unicode forms, and halves of characters."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yocto.errors import TokenizerError
from yocto.tokenizer.normalize import check_text, make_normalizer

TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])), st.text("ae\u0301\u0323ﬁ①Ａ가")
)


@given(TEXTS)
def test_none_leaves_every_text_as_it_is(text):
    assert make_normalizer("none")(text) == text


@pytest.mark.parametrize("form", ["nfc", "nfkc"])
@given(text=TEXTS)
def test_a_form_is_unicodes_and_bringing_text_into_it_twice_changes_nothing(form, text):
    normalized = make_normalizer(form)
    assert unicodedata.is_normalized(form.upper(), normalized(text))
    assert normalized(normalized(text)) == normalized(text)


@pytest.mark.parametrize(
    ("form", "expected"), [("none", "e\u0301ﬁＡ②"), ("nfc", "éﬁＡ②"), ("nfkc", "éfiA2")]
)
def test_nfc_joins_accents_and_nfkc_also_makes_plain_letters_of_their_variants(form, expected):
    assert make_normalizer(form)("e\u0301ﬁＡ②") == expected


@pytest.mark.parametrize("form", ["nfd", "NFC", "", None])
def test_another_form_is_refused_and_the_forms_are_listed(form):
    with pytest.raises(TokenizerError, match="there is no normalization") as caught:
        make_normalizer(form)
    assert caught.value.hint == "Use none, nfc or nfkc."


@given(TEXTS)
def test_whole_characters_are_no_fault(text):
    check_text(text)


@pytest.mark.parametrize(("text", "place"), [("\ud83d", 0), ("ab\udc00", 2), ("🙂\ude42x", 1)])
def test_half_a_character_is_refused_with_its_place(text, place):
    with pytest.raises(TokenizerError, match=rf"character {place} is a lone surrogate, U\+D"):
        check_text(text)
