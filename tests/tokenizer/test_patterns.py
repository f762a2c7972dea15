"""Cutting text into pieces."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, pre_tokenizers

import yocto.tokenizer.patterns as patterns
from yocto.errors import TokenizerError
from yocto.tokenizer.patterns import NAMED_PATTERNS, make_splitter, pattern_name, pattern_regex
from yocto.utils.unicode_classes import class_table

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
ANY = st.characters()  # of all planes, assigned or not
# For each code in the table, NEWLINE aside, a character that stands for its class in the tests.
EXAMPLES = dict(zip((0, 1, 2, 3, 5, 6, 7), "%\u0300७\u00a0Ωωあ", strict=True))
# Letters, marks and digits that the frozen table leaves out and newer ones have; and U+0295, which
# is a letter without case in them.
DISPUTED = dict.fromkeys("\u088f\u1acf\ua7ce\ua7cf\ua7f1\U00011de0\U000323b0", 0) | {"\u0295": 6}
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


def cut_as(pattern: str, text: str, example: dict[str, str]) -> list[str]:
    """The pieces that a text would have if its characters were those of `example`."""
    pieces, end = [], 0
    for piece in regex.findall(NAMED_PATTERNS[pattern], text.translate(str.maketrans(example))):
        pieces.append(text[end : end + len(piece)])
        end += len(piece)
    return pieces


@pytest.mark.parametrize("pattern", NAMED_PATTERNS)
@settings(deadline=None)
@given(text=st.text(st.one_of(ANY, st.sampled_from("'s /\n"))))
def test_the_pieces_joined_are_the_text_in_all_planes(pattern, text):
    pieces = make_splitter(pattern)(text)
    assert "".join(pieces) == text
    assert all(pieces)


@pytest.mark.parametrize("pattern", NAMED_PATTERNS)
@settings(deadline=None)
@given(text=st.text(st.one_of(ANY, st.sampled_from("aA1 .'s/\r\n\u0301あ"))))
def test_named_patterns_cut_by_the_frozen_classes(pattern, text):
    own = {c: EXAMPLES[class_table()[ord(c)]] for c in text if not c.isascii() and c != "ſ"}
    assert make_splitter(pattern)(text) == cut_as(pattern, text, own)


@pytest.mark.parametrize("pattern", NAMED_PATTERNS)
@settings(deadline=None)
@given(text=st.text(st.sampled_from([*DISPUTED, *"aA1 .'s/\n\u0301"])))
def test_letters_of_a_newer_unicode_are_what_the_frozen_table_says(pattern, text):
    own = {c: EXAMPLES[code] for c, code in DISPUTED.items()}
    assert make_splitter(pattern)(text) == cut_as(pattern, text, own)


@pytest.mark.parametrize(
    ("pattern", "text", "pieces"),
    [
        ("gpt2", "a\u088fb\u088f!", ["a", "\u088f", "b", "\u088f!"]),
        ("gpt2", "1\U00011de0", ["1", "\U00011de0"]),
        ("gpt4", "a\u088fb", ["a", "\u088fb"]),
        ("gpt4o", "\u0295Ab", ["\u0295", "Ab"]),
        ("gpt4o", "A\u1acf", ["A", "\u1acf"]),
        ("llama3", "a\u088f\n", ["a", "\u088f\n"]),
        ("qwen2", "a\u088f\n", ["a", "\u088f\n"]),
    ],
)
def test_how_characters_of_a_newer_unicode_are_cut(pattern, text, pieces):
    assert make_splitter(pattern)(text) == pieces


@pytest.fixture
def otherwise(monkeypatch):
    """A table in which ö, 中 and 😀 are of one class, which is not that of all three anywhere."""

    def change(code: int) -> None:
        table = bytearray(class_table())
        for char in "ö中😀":
            table[ord(char)] = code
        monkeypatch.setattr(patterns, "class_table", lambda: bytes(table))
        monkeypatch.setattr(patterns, "_disputes", patterns._Disputes())

    return change


@pytest.mark.parametrize("pattern", NAMED_PATTERNS)
@pytest.mark.parametrize("code", EXAMPLES)
def test_the_table_decides_whatever_the_installed_regex_says(otherwise, pattern, code):
    otherwise(code)
    split, own = make_splitter(pattern), dict.fromkeys("ö中😀", EXAMPLES[code])
    dice = random.Random(code)
    for _ in range(200):
        text = "".join(dice.choices("ö中😀ö中😀aAé1 .'s/\r\n\u0301あ", k=12))
        assert split(text) == cut_as(pattern, text, own)


def test_a_regex_of_the_users_own_is_left_to_the_installed_one():
    text = "a" + "b".join(DISPUTED)
    expression = r"\p{L}+|\P{L}+"
    assert make_splitter(expression)(text) == regex.findall(expression, text)


def test_each_page_of_characters_is_looked_at_once(monkeypatch):
    disputes = patterns._Disputes()
    looked_at, look_at = [], disputes._look_at
    monkeypatch.setattr(
        disputes, "_look_at", lambda start: (looked_at.append(start), look_at(start))
    )
    for text in ["ascii", "é", "éàü", "中", "é中", "\u0295", "\u0295\u088f", "\U0010ffff中"]:
        disputes.among(text)
    assert looked_at == [0, 0x4000, 0x10F000]
    assert not disputes._doubtful.search("aé中\U0010ffff")  # the quick way through


def test_threads_share_what_is_known_of_characters(monkeypatch):
    dice = random.Random(0)
    texts = ["".join(chr(dice.randrange(0xE000, 0x20000)) for _ in range(20)) for _ in range(400)]
    split = make_splitter("gpt4o")
    wanted = [split(text) for text in texts]
    monkeypatch.setattr(patterns, "_disputes", patterns._Disputes())
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(split, texts)) == wanted


@pytest.mark.parametrize("pattern", NAMED_PATTERNS)
def test_named_patterns_cut_as_tiktoken_does(pattern):
    tiktoken = pytest.importorskip("tiktoken", minversion="0.14")
    if not tiktoken.__version__.startswith("0.14."):
        pytest.skip("another tiktoken may have another Unicode")
    dice = random.Random(pattern)
    odd = [*DISPUTED, *"'''  \t\n\r/.sSdlLrReEvVtTmM1ſKİßŉǅé中\u0301\x1c\x85\xa0\u180e\u200b"]
    texts = ["".join(dice.choices(odd, k=dice.randrange(1, 13))) for _ in range(2000)]
    # Where each part of a text is a token, a piece comes out whole.
    ranks = {bytes([b]): b for b in range(256)}
    for text in texts:
        for start in range(len(text)):
            for end in range(start + 1, len(text) + 1):
                ranks.setdefault(text[start:end].encode(), len(ranks))
    expression = NAMED_PATTERNS[pattern]
    encoding = tiktoken.Encoding("", pat_str=expression, mergeable_ranks=ranks, special_tokens={})
    split = make_splitter(pattern)
    for text in texts:
        ids = encoding.encode_ordinary(text)
        assert split(text) == [piece.decode() for piece in encoding.decode_tokens_bytes(ids)]
