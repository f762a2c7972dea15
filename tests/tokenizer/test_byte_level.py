"""Bytes as visible characters, as GPT-2's files hold them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import pre_tokenizers

from yocto.tokenizer.byte_level import (
    ALPHABET,
    BYTE_TO_CHAR,
    CHAR_TO_BYTE,
    from_visible,
    to_visible,
)


@given(st.binary())
def test_bytes_come_back_from_their_visible_form(data):
    assert from_visible(to_visible(data)) == data


def test_each_byte_has_a_character_of_its_own_that_prints():
    assert sorted(BYTE_TO_CHAR) == list(range(256))
    assert len(CHAR_TO_BYTE) == 256
    assert all(character.isprintable() and not character.isspace() for character in CHAR_TO_BYTE)


def test_the_characters_are_hugging_faces():
    assert set(CHAR_TO_BYTE) == set(pre_tokenizers.ByteLevel.alphabet())


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_the_visible_form_is_what_hugging_face_writes(text):
    pieces = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    assert "".join(piece for piece, _ in pieces.pre_tokenize_str(text)) == to_visible(text.encode())


@pytest.mark.parametrize(("data", "visible"), [(b" ", "Ġ"), (b"\n", "Ċ"), (b"a", "a"), (b"!", "!")])
def test_known_characters(data, visible):
    assert to_visible(data) == visible


def test_the_alphabet_holds_each_byte_once_in_the_order_of_characters():
    assert len(set(ALPHABET)) == len(ALPHABET) == 256
    characters = [to_visible(token) for token in ALPHABET]
    assert characters == sorted(characters)
    assert ALPHABET[:2] == [b"!", b'"']


def test_a_character_that_stands_for_no_byte_is_a_key_error():
    with pytest.raises(KeyError):
        from_visible("日")
