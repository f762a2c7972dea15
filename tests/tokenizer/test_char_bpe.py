"""BPE on characters: merges, marks, unknown characters, files."""

import copy
import hashlib
import json
import sys
from pathlib import Path

import pytest
import reference_bpe
import tokenizers
from hypothesis import example, given, settings
from hypothesis import strategies as st

from yocto.errors import TokenizerError, TokenizerFileError
from yocto.tokenizer.bpe_train import BPETrainer
from yocto.tokenizer.char_bpe import BYTE_TOKENS, SUFFIX, CharBPETokenizer, symbols
from yocto.tokenizer.huggingface import tokenizer_from_json
from yocto.tokenizer.patterns import NAMED_PATTERNS
from yocto.tokenizer.store import load_tokenizer

CORPUS = (Path(__file__).parents[2] / "data" / "philosophy.txt").read_text("utf-8")
LITERAL = "a</w>b x</w> <0x41>z <0x41> <unk y k> </w></w> "
TEXT = CORPUS[:20_000] + (" l'été, naïve 🙂🙂 12345 don't \r\n\t  日本語 日本\n\n" + LITERAL) * 20
PATTERNS = [*NAMED_PATTERNS, r"\S+", r"[^\n]+", r"\p{L}+|\d"]
OURS = {
    (pattern, fallback): BPETrainer(
        "char-bpe", vocab_size=900, pattern=pattern, byte_fallback=fallback
    ).train(TEXT)
    for pattern in PATTERNS
    for fallback in (False, True)
}
WITHOUT, WITH = OURS["gpt2", False], OURS["gpt2", True]
SPECIAL = tuple(WITHOUT.special_tokens)

# Characters newer than Python's tables are letters to one engine and unassigned to another.
KNOWN = st.characters(exclude_categories=["Cs", "Cn", "Co"])
ANY = st.text(st.characters(exclude_categories=["Cs"]))
PARTS = [
    "</w>", "<0x41>", "<0xE9>", "<unk", "the", " ", "x", "🙂", "日", "é", "ж", "⚙", "\n", ">", "w",
]  # fmt: skip
TEXTS = st.one_of(
    st.text(KNOWN),
    st.text("ehtn ist\n", max_size=80),
    st.text("aA1</w>0x4 \n\u0301🙂ж", max_size=40),
    st.lists(st.sampled_from(PARTS)).map("".join),
)
NO_SPECIAL = TEXTS.filter(lambda text: not any(token in text for token in SPECIAL))
KNOWN_TEXTS = st.text(sorted(set(TEXT)), max_size=80)
every_pattern = pytest.mark.parametrize("pattern", PATTERNS)
both = pytest.mark.parametrize("fallback", [False, True], ids=["<unk>", "byte fallback"])


def train(texts, **options) -> CharBPETokenizer:
    """A char-bpe tokenizer with many merges, if the texts have them."""
    return CharBPETokenizer.train([texts] if isinstance(texts, str) else texts, **options)


def stream(tokenizer: CharBPETokenizer, ids: list[int]) -> str:
    decoder = tokenizer.stream_decoder()
    return "".join([*map(decoder.push, ids), decoder.finish()])


def in_hugging_face(tokenizer: CharBPETokenizer) -> tokenizers.Tokenizer:
    return tokenizers.Tokenizer.from_str(tokenizer.files()["tokenizer.json"])


THEIRS = {key: in_hugging_face(tokenizer) for key, tokenizer in OURS.items()}


# ------------------------------------------------------------------------------------------ marks


def test_the_last_character_of_a_piece_is_marked():
    assert symbols("the") == ["t", "h", "e</w>"]
    assert symbols("t") == ["t</w>"]


def test_a_token_that_ends_a_piece_is_another_than_one_within():
    tokenizer = train("lowlow low", pattern=r"\S+")
    vocab = tokenizer.vocab
    assert tokenizer.merges[:2] == [("l", "o"), ("lo", "w</w>")]
    assert tokenizer.encode("low") == [vocab["low</w>"]]
    assert tokenizer.encode("lo") == [vocab["l"], vocab["o</w>"]]
    assert tokenizer.token_bytes(vocab["low</w>"]) == b"low"
    assert tokenizer.token_bytes(vocab["o"]) == tokenizer.token_bytes(vocab["o</w>"]) == b"o"


@every_pattern
@both
@settings(deadline=None)
@given(text=KNOWN_TEXTS)
def test_a_text_of_known_characters_comes_back_whole(pattern, fallback, text):
    tokenizer = OURS[pattern, fallback]
    ids = tokenizer.encode(text, "none")
    assert tokenizer.decode(ids) == stream(tokenizer, ids) == text
    assert set(ids).isdisjoint(tokenizer.special_tokens.values())
    assert set(ids).isdisjoint(tokenizer.vocab[byte] for byte in BYTE_TOKENS if fallback)


# ----------------------------------------------------------------------------- unknown characters


def test_each_unknown_character_becomes_unk_wherever_it_stands():
    tokenizer = train("ab a b")
    a, b, unk = tokenizer.vocab["a"], tokenizer.vocab["b</w>"], tokenizer.unk_id
    assert tokenizer.encode("axxb") == [a, unk, unk, b]
    assert tokenizer.encode("xax") == [unk, a, unk]
    assert tokenizer.decode(tokenizer.encode("axb 🙂")) == "a<unk>b <unk>"


def test_with_byte_fallback_an_unknown_character_becomes_its_bytes():
    tokenizer = train("ab a b", byte_fallback=True)
    byte = {token: tokenizer.vocab[token] for token in BYTE_TOKENS}
    expected = [tokenizer.vocab["a"], byte["<0xC3>"], byte["<0xA9>"], tokenizer.vocab["b</w>"]]
    assert tokenizer.encode("aéb") == expected
    assert tokenizer.token_bytes(byte["<0xC3>"]) == b"\xc3"


def test_the_mark_of_an_unknown_last_character_is_bytes_that_stand_for_nothing():
    tokenizer = train("ab a b", byte_fallback=True)
    ids = tokenizer.encode("aé")
    marks = [tokenizer.vocab[f"<0x{b:02X}>"] for b in SUFFIX.encode()]
    assert ids[-4:] == marks
    assert b"".join(map(tokenizer.token_bytes, marks)) == b""
    assert tokenizer.decode(ids) == "aé"


@every_pattern
@settings(deadline=None)
@given(text=st.one_of(ANY, TEXTS))
@example("")
@example("<0x41></w>ж</w>ж<ж/жwж>ж")
def test_with_byte_fallback_any_text_comes_back_whole(pattern, text):
    tokenizer = OURS[pattern, True]
    ids = tokenizer.encode(text, "none")
    assert tokenizer.decode(ids) == stream(tokenizer, ids) == text
    assert tokenizer.unk_id not in ids


@settings(deadline=None)
@given(corpus=st.text("ab</w>0x41 ", max_size=40), text=TEXTS)
def test_with_byte_fallback_any_text_comes_back_whole_whatever_was_learnt(corpus, text):
    tokenizer = train(corpus, byte_fallback=True, pattern=r"\S+")
    assert tokenizer.decode(tokenizer.encode(text, "none")) == text


def test_where_the_vocabulary_lacks_the_marks_own_characters_their_bytes_are_text():
    vocab = {token: i for i, token in enumerate([*BYTE_TOKENS, "a</w>"], 1)}
    tokenizer = CharBPETokenizer(vocab, [], r"\S+", {"<unk>": 0}, byte_fallback=True)
    assert tokenizer.decode(tokenizer.encode("</w>a")) == "</w>a"


def test_byte_fallback_without_a_byte_is_refused():
    vocab = {token: i for i, token in enumerate(BYTE_TOKENS[:-1], 1)}
    with pytest.raises(TokenizerError, match="byte fallback needs the token '<0xFF>'"):
        CharBPETokenizer(vocab, [], "gpt2", {"<unk>": 0}, byte_fallback=True)


# --------------------------------------------------------------------------- the slow references


@settings(deadline=None)
@given(
    texts=st.lists(
        st.one_of(st.text("ab ", max_size=60), st.text("aA</w>1 \né🙂", max_size=50)), max_size=3
    ),
    num_merges=st.integers(0, 30),
    pattern=st.sampled_from([*NAMED_PATTERNS, r"\w+", r"\S+", r"(?s:.+)"]),
    fallback=st.booleans(),
)
@example(["aaaaaaa aaaa aa"], 30, r"\S+", False)
@example(["a</w>b </w>c a</w>"] * 5, 30, r"\S+", False)
@example(["<0x41>b <0x41>c <0x41"] * 5, 30, r"\S+", True)
def test_merges_and_ids_equal_the_references(texts, num_merges, pattern, fallback):
    expression = NAMED_PATTERNS.get(pattern, pattern)
    tokens, merges = reference_bpe.train_characters(
        texts, expression, num_merges, alphabet=SUFFIX if fallback else ""
    )
    names = [text + SUFFIX * ends for text, ends in tokens]
    trained = train(texts, num_merges=num_merges, pattern=pattern, byte_fallback=fallback)
    assert trained.merges == [(names[left], names[right]) for left, right, _ in merges]
    first = [*SPECIAL, *(BYTE_TOKENS if fallback else [])]
    everything = {token: i for i, token in enumerate([*first, *names])}
    assert {**trained.special_tokens, **trained.vocab} == everything
    for text in texts:
        expected = reference_bpe.encode_characters(text, expression, tokens, merges)
        assert trained.encode(text, "none") == [len(first) + i for i in expected]


def test_merges_equal_the_references_on_real_text():
    text = CORPUS[100_000:106_000]
    tokens, merges = reference_bpe.train_characters([text], NAMED_PATTERNS["gpt2"], 120)
    names = [text + SUFFIX * ends for text, ends in tokens]
    trained = train(text, num_merges=120)
    assert trained.merges == [(names[left], names[right]) for left, right, _ in merges]


def test_a_long_piece_is_merged_like_the_references():
    text = "abab aba bab baa " * 20
    tokens, merges = reference_bpe.train_characters([text], r"(?s:.+)", 25)
    trained = train(text, num_merges=25, pattern=r"(?s:.+)")
    expected = reference_bpe.encode_characters(text, r"(?s:.+)", tokens, merges)
    assert trained.encode(text) == [len(SPECIAL) + i for i in expected]


# ----------------------------------------------------------- text that spells what is not a text


@pytest.mark.parametrize("pattern", ["gpt2", r"\S+", r" ?\S+", r"[\s\S]+"])
@both
@pytest.mark.parametrize("literal", ["</w>", "<0x41>", "<0x3C>", "<unk>", "<eos>"])
def test_text_that_spells_a_mark_a_byte_or_a_special_token_stays_text(pattern, fallback, literal):
    bare = f"{literal[:-1]} {literal[1:]} "  # the text of a special token itself is no text
    text = (f"a{literal}b {literal} {literal}c x{literal} {literal}{literal} " + bare) * 40
    tokenizer = train(text, pattern=pattern, byte_fallback=fallback, vocab_size=2000)
    ids = tokenizer.encode(text, "none")
    assert tokenizer.decode(ids) == stream(tokenizer, ids) == text
    assert set(ids).isdisjoint(tokenizer.special_tokens.values())
    assert set(ids).isdisjoint(tokenizer.vocab[byte] for byte in BYTE_TOKENS if fallback)
    assert len(ids) < len(text)


@settings(deadline=None)
@given(
    texts=st.lists(
        st.lists(st.sampled_from([*"</w>a", "<0x41", "<unk", "</w", "k>", "eos>", " ", "0x", "41"]))
        .map("".join)
        .map(lambda text: text * 3),
        max_size=4,
    ),
    pattern=st.sampled_from([r"\S+", r"[\s\S]+", "gpt2"]),
    fallback=st.booleans(),
)
@example(["a</w>b </w>b c</w>b"], r"\S+", False)
@example(["<0x41>b x<0x41>y"], r"\S+", False)
@example(["x<<unk>y <<unk>z", "k>"], r"\S+", False)
def test_no_merge_makes_a_mark_a_byte_or_a_special_token(texts, pattern, fallback):
    tokenizer = train(texts, pattern=pattern, byte_fallback=fallback)
    for left, right in tokenizer.merges:
        assert SUFFIX not in left
        assert SUFFIX not in (left + right).removesuffix(SUFFIX)
        assert right.endswith(SUFFIX) == (left + right).endswith(SUFFIX)
        assert left + right not in {*BYTE_TOKENS, *SPECIAL}


@pytest.mark.parametrize(
    ("special", "options", "text"),
    [
        ("a</w>", {}, "banana"),
        ("<0x41>", {"byte_fallback": True}, "banana"),
        ("<", {"byte_fallback": True}, "banana"),
        ("a", {"normalize": "nfkc"}, "ｂａ"),
    ],
)
def test_a_special_token_that_is_spelled_like_a_token_of_text_is_refused(special, options, text):
    with pytest.raises(TokenizerError, match="is spelled like a token of text") as caught:
        train(text, special_tokens=[special], **options)
    assert repr(special) in caught.value.message


# --------------------------------------------------------------------------------------- training


def test_ids_are_special_tokens_then_bytes_then_characters_then_merges():
    plain = train("ba ba", special_tokens=["<x>"])
    assert list(plain.special_tokens.items()) == [
        ("<unk>", 0), ("<pad>", 1), ("<bos>", 2), ("<eos>", 3), ("<x>", 4),
    ]  # fmt: skip
    assert list(plain.vocab) == [
        " ", "a", "b", " </w>", "a</w>", "b</w>", "ba</w>", " ba</w>",
    ]  # fmt: skip
    assert list(plain.vocab.values()) == list(range(5, 13))
    fallback = train("ba ba", byte_fallback=True)
    assert list(fallback.vocab)[:256] == BYTE_TOKENS
    assert list(fallback.vocab)[256:264] == [" ", "/", "<", ">", "a", "b", "w", " </w>"]
    assert fallback.vocab["<0x00>"] == 4


@both
@pytest.mark.parametrize("special", [None, ["<a>", "<b>"]])
def test_too_small_a_vocabulary_is_refused_and_the_number_in_the_hint_works(fallback, special):
    text = "the theme"
    options = {"byte_fallback": fallback, "special_tokens": special}
    with pytest.raises(TokenizerError, match="of 5 tokens is too small") as caught:
        train(text, vocab_size=5, **options)
    smallest = int(caught.value.hint.rpartition("--vocab-size ")[2])
    tokenizer = train(text, vocab_size=smallest, **options)
    assert (tokenizer.vocab_size, tokenizer.merges) == (smallest, [])
    assert tokenizer.decode(tokenizer.encode(text)) == text
    with pytest.raises(TokenizerError, match=f"of {smallest - 1} tokens is too small"):
        train(text, vocab_size=smallest - 1, **options)


def test_vocab_size_is_reached_exactly_where_there_are_pairs_enough():
    assert {tokenizer.vocab_size for tokenizer in OURS.values()} == {900}
    assert train("abab", vocab_size=900).vocab_size < 900


def test_num_merges_counts_merges_whatever_the_vocabulary():
    assert len(train(TEXT, num_merges=50, vocab_size=5).merges) == 50
    assert train(TEXT, num_merges=0).merges == []


def test_min_frequency_stops_at_rare_pairs():
    assert train("abab abab xyz", min_frequency=4).merges == []
    assert train("cab cab xyz", min_frequency=2, pattern=r"\S+").merges == [
        ("a", "b</w>"), ("c", "ab</w>"),
    ]  # fmt: skip


def test_no_token_reaches_over_the_end_of_a_piece_or_of_a_text():
    assert train(["a", "b"] * 9).merges == []
    assert train("ab", pattern=r"[\s\S]").merges == []


def test_the_text_of_special_tokens_does_not_count():
    tokenizer = train("ab<unk>cd<x>" * 9, special_tokens=["<x>"])
    assert set("".join(tokenizer.vocab)) == set("abcd" + SUFFIX)


@every_pattern
def test_a_pattern_by_name_or_as_a_regex_cuts_and_is_kept(pattern, tmp_path):
    tokenizer = OURS[pattern, False]
    expression = NAMED_PATTERNS.get(pattern, pattern)
    assert tokenizer.pattern == pattern
    by_regex = train(TEXT, vocab_size=900, pattern=expression)
    assert by_regex.merges == tokenizer.merges
    assert by_regex.sha256 == tokenizer.sha256
    tokenizer.save(tmp_path)
    assert load_tokenizer(tmp_path).pattern == pattern


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"pattern": "("}, "no valid regex"),
        ({"normalize": "nfd"}, "no normalization 'nfd'"),
        ({"special_tokens": ["<a>", "<a>"]}, "twice"),
    ],
)
def test_options_that_cannot_be_are_refused(options, fault):
    with pytest.raises(TokenizerError, match=fault):
        train("a", **options)


def test_byte_fallback_is_refused_for_byte_bpe():
    with pytest.raises(TokenizerError, match="byte fallback is for char-bpe"):
        BPETrainer("byte-bpe", byte_fallback=True)


@pytest.mark.parametrize(
    ("form", "expected"), [("none", "ﬁn e\u0301"), ("nfc", "ﬁn é"), ("nfkc", "fin é")]
)
def test_text_is_normalised_before_it_is_counted_and_encoded(form, expected):
    tokenizer = train("ﬁn e\u0301", normalize=form)
    assert set("".join(tokenizer.vocab)) == set(expected + SUFFIX)
    assert tokenizer.decode(tokenizer.encode("ﬁn e\u0301")) == expected
    theirs = in_hugging_face(tokenizer)
    assert theirs.encode("ﬁn e\u0301").ids == tokenizer.encode("ﬁn e\u0301")


# ------------------------------------------------------------------------------------- vocabulary


@pytest.mark.parametrize(
    ("vocab", "merges", "special", "fault"),
    [
        ({"a": 1}, [], {}, "needs the special token <unk>"),
        ({"a": 0}, [], {"<unk>": 0}, "id 0 stands for '<unk>' and another token"),
        ({"a": 1, "a</w>": 1}, [], {"<unk>": 0}, "same id"),
        ({"a": -1}, [], {"<unk>": 0}, "negative id"),
        ({"a": 1, "b</w>": 2}, [("a", "b</w>")], {"<unk>": 0}, "merge 0 needs 'ab</w>'"),
        ({"a": 1}, [], {"<unk>": 0, "": 2}, "empty"),
    ],
)
def test_a_vocabulary_that_cannot_work_is_refused(vocab, merges, special, fault):
    with pytest.raises(TokenizerError, match=fault):
        CharBPETokenizer(vocab, merges, "gpt2", special)


def test_vocab_size_is_one_more_than_the_largest_id():
    tokenizer = CharBPETokenizer({"a": 1, "a</w>": 7}, [], "gpt2", {"<unk>": 0})
    assert tokenizer.vocab_size == 8
    for bad in (-1, 5, 8):
        with pytest.raises(TokenizerError, match=f"id {bad} is not in the vocabulary of 8"):
            tokenizer.token_bytes(bad)


# -------------------------------------------------------------------------- Hugging Face, and files


@every_pattern
@both
@settings(deadline=None)
@given(text=NO_SPECIAL)
def test_hugging_face_gives_the_same_ids_and_text(pattern, fallback, text):
    ours, theirs = OURS[pattern, fallback], THEIRS[pattern, fallback]
    ids = ours.encode(text)
    assert theirs.encode(text, add_special_tokens=False).ids == ids
    assert theirs.decode(ids, skip_special_tokens=False) == ours.decode(ids)


@both
def test_hugging_face_gives_the_same_ids_on_real_text_and_special_tokens(fallback):
    text = CORPUS[50_000:100_000] + "<bos>the <eos>ж\n"
    ids = OURS["gpt2", fallback].encode(text, "all")
    assert THEIRS["gpt2", fallback].encode(text).ids == ids


@every_pattern
@both
def test_saved_and_loaded_again_it_gives_equal_ids(pattern, fallback, tmp_path):
    tokenizer = OURS[pattern, fallback]
    tokenizer.save(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["tokenizer.json"]
    loaded = load_tokenizer(tmp_path)
    assert isinstance(loaded, CharBPETokenizer)
    for name in ("vocab", "merges", "pattern", "special_tokens", "normalize", "byte_fallback"):
        assert getattr(loaded, name) == getattr(tokenizer, name)
    sample = CORPUS[50_000:60_000] + "<eos>ж 🙂⚙"
    assert loaded.encode(sample, "all") == tokenizer.encode(sample, "all")
    main = (tmp_path / "tokenizer.json").read_bytes()
    assert loaded.sha256 == tokenizer.sha256 == hashlib.sha256(main).hexdigest()


def test_merges_may_hold_spaces():
    tokenizer = train("a b a b a b", pattern=r"[\s\S]+")
    assert any(" " in left + right for left, right in tokenizer.merges)
    loaded = tokenizer_from_json(json.loads(tokenizer.files()["tokenizer.json"]), "f")
    assert loaded.encode("a b a b") == tokenizer.encode("a b a b")


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(TokenizerError, match=r"byte 1 is not .*UTF-8, and a char-bpe tokenizer"):
        WITH.encode_bytes(b"a\xff")


SMALL = json.loads(train("the theme, the thesis", byte_fallback=True).files()["tokenizer.json"])
DELETED = object()


def changed(path: str, value):
    """A good tokenizer.json with one place changed, or taken away where the value is DELETED."""
    content = copy.deepcopy(SMALL)
    *parents, last = [int(key) if key.isdigit() else key for key in path.split("|")]
    place = content
    for key in parents:
        place = place[key]
    if value is DELETED:
        del place[last]
    else:
        place[last] = value
    return content


DAMAGED = {
    "no vocabulary": (changed("model|vocab", DELETED), "'vocab' is missing"),
    "a vocabulary that is a list": (changed("model|vocab", ["a"]), "'vocab' is missing or not a"),
    "a negative id": (changed("model|vocab|t", -3), "the id of 't' is -3"),
    "an id that is a text": (changed("model|vocab|t", "80"), "the id of 't' is '80'"),
    "an id that is a fraction": (changed("model|vocab|t", 80.5), "the id of 't' is 80.5"),
    "an id twice": (changed("model|vocab|t", 5), "have the same id"),
    "an id of a special token": (changed("model|vocab|t", 1), "id 1 stands for '<pad>' and"),
    "half a character": (changed("model|vocab|\ud800", 999), "lone surrogate"),
    "a byte that is missing": (changed("model|vocab|<0x41>", DELETED), "needs the token '<0x41>'"),
    "no merges": (changed("model|merges", DELETED), "'merges' is missing"),
    "a merge of one": (changed("model|merges|2", ["the"]), "the merge ['the'] is not a pair"),
    "a merge of three": (changed("model|merges|2", "a b c"), "is not a pair of tokens"),
    "a merge of numbers": (changed("model|merges|2", [1, 2]), "the merge [1, 2] is not a pair"),
    "a merge of unknown tokens": (changed("model|merges|2", ["z", "q"]), "merge 2 needs 'z'"),
    "a merge to an unknown token": (changed("model|merges|2", ["t", "t"]), "merge 2 needs 'tt'"),
    "another unknown token": (changed("model|unk_token", "[UNK]"), "unk_token is '[UNK]', not"),
    "no unknown token": (changed("model|unk_token", None), "unk_token is None, not <unk>"),
    "<unk> that is no special token": (changed("added_tokens|0", DELETED), "needs the special"),
    "<unk> with two ids": (changed("added_tokens|0|id", 999), "'<unk>' has the ids 999 and 0"),
    "another suffix": (changed("model|end_of_word_suffix", "@@"), "end_of_word_suffix is '@@'"),
    "no suffix": (changed("model|end_of_word_suffix", None), "unk_token is '<unk>'"),
    "a prefix": (changed("model|continuing_subword_prefix", "##"), "continuing_subword_prefix"),
    "dropout": (changed("model|dropout", 0.1), "model.dropout is 0.1"),
    "unknown ones fused": (changed("model|fuse_unk", True), "model.fuse_unk is True"),
    "merges ignored": (changed("model|ignore_merges", True), "model.ignore_merges is True"),
    "no pre-tokenizer": (changed("pre_tokenizer", None), "pre-tokenizer None is not Split"),
    "Whitespace": (changed("pre_tokenizer", {"type": "Whitespace"}), "'Whitespace' is not Split"),
    "a list for a pre-tokenizer": (changed("pre_tokenizer", []), "pre-tokenizer None is not"),
    "a split that removes": (changed("pre_tokenizer|behavior", "Removed"), "Split is not a regex"),
    "a split at a text": (changed("pre_tokenizer|pattern", {"String": " "}), "is not a regex"),
    "a broken regex": (changed("pre_tokenizer|pattern|Regex", "("), "no valid regex"),
    "a lower-casing normaliser": (changed("normalizer", {"type": "Lowercase"}), "'Lowercase'"),
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


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_no_damage_anywhere_raises_anything_but_a_tokenizer_file_error(data):
    content = copy.deepcopy(SMALL)
    place = content
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        deeper = isinstance(place[key], (dict, list)) and place[key]
        if not deeper or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(
        st.sampled_from([None, 0, -1, 2.5, True, "", "x", [], {}, [1], {"type": 1}])
    )
    try:
        loaded = tokenizer_from_json(content, "f")
    except TokenizerFileError:
        return
    assert "the" in loaded.decode(loaded.encode("x the y", "none"))
