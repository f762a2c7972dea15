"""Cutting text into pieces."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, pre_tokenizers

import yocto.tokenizer.patterns as patterns
from yocto.errors import TokenizerError
from yocto.tokenizer.patterns import NAMED_PATTERNS, make_splitter, pattern_name, pattern_regex

# Only characters that Python's Unicode tables know: newer ones are letters to one engine and
# unassigned to another.
KNOWN = st.characters(exclude_categories=["Cs", "Cn", "Co"])
TEXTS = st.one_of(
    st.text(KNOWN),
    st.text("aA1 .,'\r\n\t\u00a0\u0301\u3000/-", max_size=30),
    st.lists(st.sampled_from(["'s", "'LL", "don't", "I'VE", " ", "  ", "\n", "123", "4", "é"])).map(
        "".join
    ),
)
ODD = [r"\w+", r"\s", r"(?s:.+)", r"x*", r"(?=a)", r"[^\s]+|\s+", r"(a)(b)?", r"\d{2}|$", r"\S"]


@pytest.mark.parametrize("pattern", [*NAMED_PATTERNS, *ODD])
@settings(deadline=None)
@given(text=TEXTS)
def test_the_pieces_joined_are_the_text(pattern, text):
    pieces = make_splitter(pattern)(text)
    assert "".join(pieces) == text
    assert all(pieces)


@pytest.mark.parametrize("pattern", NAMED_PATTERNS)
@settings(deadline=None)
@given(text=TEXTS)
def test_named_patterns_cut_as_hugging_face_does(pattern, text):
    split = pre_tokenizers.Split(Regex(NAMED_PATTERNS[pattern]), "isolated")
    assert make_splitter(pattern)(text) == [piece for piece, _ in split.pre_tokenize_str(text)]


@settings(deadline=None)
@given(text=TEXTS)
def test_the_gpt2_pattern_is_the_one_inside_hugging_faces_byte_level(text):
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    places = [place for _, place in byte_level.pre_tokenize_str(text)]
    assert make_splitter("gpt2")(text) == [text[start:end] for start, end in places]


@pytest.mark.parametrize("pattern", [r"\w+", r"\d{2}", r"[^\s]+|\s+", r"(a)(b)?"])
@settings(deadline=None)
@given(text=TEXTS)
def test_what_a_regex_does_not_match_is_cut_as_hugging_face_does(pattern, text):
    # \w and \d differ between the engines outside ASCII.
    text = text.encode("ascii", "ignore").decode()
    split = pre_tokenizers.Split(Regex(pattern), "isolated")
    assert make_splitter(pattern)(text) == [piece for piece, _ in split.pre_tokenize_str(text)]


@pytest.mark.parametrize(
    ("pattern", "pieces"),
    [
        ("gpt2", ["He", "'ll", " say", " 2024", ",", " DON", "'", "T", " ", " ok", "!", "\n"]),
        ("gpt4", ["He", "'ll", " say", " ", "202", "4", ",", " DON", "'T", " ", " ok", "!\n"]),
        ("gpt4o", ["He'll", " say", " ", "202", "4", ",", " DON'T", " ", " ok", "!\n"]),
        ("llama3", ["He", "'ll", " say", " ", "202", "4", ",", " DON", "'T", " ", " ok", "!\n"]),
        ("qwen2", ["He", "'ll", " say", " ", "2", "0", "2", "4", ",", " DON", "'T", " ", " ok",
                   "!\n"]),
    ],
)  # fmt: skip
def test_how_each_named_pattern_cuts(pattern, pieces):
    assert make_splitter(pattern)("He'll say 2024, DON'T  ok!\n") == pieces


@pytest.mark.parametrize("separator", ["\x1c", "\x1d", "\x1e", "\x1f"])
def test_information_separators_are_no_white_space_as_in_rust_and_oniguruma(separator):
    assert make_splitter("gpt2")(f".{separator}.") == [f".{separator}."]
    assert make_splitter(r"\s")(f"a{separator}b") == [f"a{separator}b"]
    assert make_splitter(r"\S+")(f"a{separator}b c") == [f"a{separator}b", " ", "c"]


def test_an_escaped_backslash_before_an_s_is_no_white_space():
    assert make_splitter(r"\\s+")("a\\sss b") == ["a", "\\sss", " b"]


@pytest.mark.parametrize("pattern", ["(", "[", "*a", r"\p{Nonsense}", "a{2,1}", "(?P<x", "\\"])
def test_a_broken_regex_is_refused_and_the_named_patterns_are_listed(pattern):
    with pytest.raises(TokenizerError, match="no valid regex") as caught:
        make_splitter(pattern)
    assert "gpt2, gpt4, gpt4o, llama3, qwen2" in caught.value.hint


@pytest.mark.parametrize("pattern", [r"(?:a|a)*$", r"(a|aa)+$"])
def test_a_regex_that_takes_for_ever_ends_in_an_error_that_names_it(monkeypatch, pattern):
    monkeypatch.setattr(patterns, "_SECONDS", 0.2)
    split = make_splitter(pattern)
    assert "".join(split("aaa")) == "aaa"
    with pytest.raises(TokenizerError, match="takes for ever on this text") as caught:
        split("a" * 60 + "b")
    assert repr(pattern) in caught.value.message
    assert "(a+)+" in caught.value.hint


def test_names_and_regexes_are_found_from_each_other():
    for name, expression in NAMED_PATTERNS.items():
        assert pattern_regex(name) == expression
        assert pattern_name(expression) == name
    assert pattern_regex(r"\w+") == pattern_name(r"\w+") == r"\w+"
