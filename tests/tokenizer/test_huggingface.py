"""tokenizer.json and vocab.json + merges.txt: the same ids in Hugging Face's libraries."""

import copy
import json
import re
import sys
import unicodedata
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, models, normalizers, pre_tokenizers, trainers

from yocto.errors import TokenizerError, TokenizerFileError
from yocto.tokenizer.bpe import BPETokenizer
from yocto.tokenizer.bpe_train import BPETrainer
from yocto.tokenizer.huggingface import bpe_from_gpt2_files, tokenizer_from_json
from yocto.tokenizer.patterns import NAMED_PATTERNS
from yocto.tokenizer.store import load_tokenizer

CORPUS = (Path(__file__).parents[2] / "data" / "philosophy.txt").read_text("utf-8")
TEXT = CORPUS[:40_000] + " l'été, naïve 🙂🙂 Füße 12345 don't WE'LL \r\n\t  日本語 日本\n\n" * 20
SPECIAL = ("<|endoftext|>", "<|a|>", "<|a|>b", "[MASK]")
# Characters newer than Python's tables are letters to one engine and unassigned to another.
KNOWN = st.characters(exclude_categories=["Cs", "Cn", "Co"])
TEXTS = st.one_of(
    st.text(KNOWN),
    st.text("aA1 .,'\r\n\t\u00a0\u0301\u3000/-", max_size=30),
    st.lists(st.sampled_from([*SPECIAL, " ", "the", " theme", "\n", "b", "'ll", "123", "é"])).map(
        "".join
    ),
)
LONG_ASSIGNED = st.one_of(
    *(
        st.characters(min_codepoint=first, max_codepoint=last, exclude_categories=["Cn"])
        for first, last in [
            (0x20, 0x24F),  # Latin, with its accents
            (0x300, 0x36F),  # accents that combine
            (0x370, 0x3FF),  # Greek
            (0x1100, 0x11FF),  # Hangul in parts
            (0x1E00, 0x1FFF),  # Latin and Greek with several accents
            (0x2460, 0x24FF),  # numbers in circles
            (0xAC00, 0xD7A3),  # Hangul in one
            (0xFB00, 0xFB06),  # ligatures
            (0xFF01, 0xFFEE),  # full-width and half-width forms
        ]
    )
)
every_pattern = pytest.mark.parametrize("pattern", NAMED_PATTERNS)
OURS = {
    name: BPETrainer(vocab_size=600, pattern=name, special_tokens=SPECIAL).train(TEXT)
    for name in NAMED_PATTERNS
}


def in_hugging_face(tokenizer: BPETokenizer) -> tokenizers.Tokenizer:
    return tokenizers.Tokenizer.from_str(tokenizer.files()["tokenizer.json"])


THEIRS = {name: in_hugging_face(tokenizer) for name, tokenizer in OURS.items()}


@every_pattern
@settings(deadline=None)
@given(text=TEXTS)
def test_hugging_face_gives_the_same_ids_and_text(pattern, text):
    ours, theirs = OURS[pattern], THEIRS[pattern]
    ids = ours.encode(text, "all")
    assert theirs.encode(text).ids == ids
    assert theirs.decode(ids, skip_special_tokens=False) == ours.decode(ids) == text


@every_pattern
def test_hugging_face_gives_the_same_ids_on_real_text(pattern):
    sample = CORPUS[50_000:100_000]
    assert THEIRS[pattern].encode(sample).ids == OURS[pattern].encode(sample)


@every_pattern
def test_hugging_face_gives_the_same_ids_for_every_alphabetic_script(pattern):
    # Without Han and Hangul, which are tens of thousands of the same kind.
    ranges = [(0, 0x3400), (0xA000, 0xAC00), (0xF900, 0x12400), (0x1D000, 0x1FB00)]
    characters = [chr(i) for first, end in ranges for i in range(first, end)]
    known = [c for c in characters if unicodedata.category(c) not in ("Cs", "Cn", "Co")]
    assert len(known) > 15_000
    for start in range(0, len(known), 50):
        text = "".join(f"a{c}A{c} {c}1{c}\n{c}." for c in known[start : start + 50])
        assert THEIRS[pattern].encode(text).ids == OURS[pattern].encode(text)


def test_transformers_opens_the_folder_with_the_same_ids(tmp_path):
    transformers = pytest.importorskip("transformers")
    OURS["gpt2"].save(tmp_path)
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json"))
    text = "the theme<|endoftext|> of the thesis\n"
    assert theirs(text)["input_ids"] == OURS["gpt2"].encode(text, "all")
    assert theirs.decode(OURS["gpt2"].encode(text, "all")) == text


@pytest.mark.parametrize("pattern", [*NAMED_PATTERNS, r"\p{L}+|\d", r"[\s\S]"])
def test_tokenizer_json_gives_the_tokenizer_back(pattern, tmp_path):
    tokenizer = BPETrainer(vocab_size=400, pattern=pattern, special_tokens=SPECIAL).train(TEXT)
    tokenizer.save(tmp_path)
    loaded = load_tokenizer(tmp_path / "tokenizer.json")
    for name in ("vocab", "merges", "pattern", "special_tokens", "normalize", "ignore_merges"):
        assert getattr(loaded, name) == getattr(tokenizer, name)
    assert loaded.sha256 == tokenizer.sha256


@pytest.mark.parametrize("form", ["none", "nfc", "nfkc"])
@settings(deadline=None)
# The two libraries know other versions of Unicode, and put marks that are new to one of them in
# another order.
@given(
    text=st.one_of(
        st.text(LONG_ASSIGNED),
        st.text("ae\u0301\u0323ﬁ①Ａ가\u1100\u1161\u11a8 ", max_size=20),
    )
)
def test_normalisation_is_kept_and_gives_the_same_ids(form, text):
    base = OURS["gpt2"]
    tokenizer = BPETokenizer(base.vocab, base.merges, "gpt2", normalize=form)
    assert (
        tokenizer_from_json(json.loads(tokenizer.files()["tokenizer.json"]), "f").normalize == form
    )
    key = f"normalised {form}"
    if key not in THEIRS:
        THEIRS[key] = in_hugging_face(tokenizer)
    assert THEIRS[key].encode(text).ids == tokenizer.encode(text)


def test_special_tokens_are_found_before_normalisation_in_both():
    base = BPETrainer(vocab_size=300, special_tokens=()).train(TEXT)
    special = {"<ﬁ>": 400, "<fi>": 401}
    ours = BPETokenizer(base.vocab, base.merges, "gpt2", special, normalize="nfkc")
    ids = ours.encode("a<ﬁ>b<fi>ﬁ", "all")
    assert ids == [*base.encode("a"), 400, *base.encode("b"), 401, *base.encode("fi")]
    assert in_hugging_face(ours).encode("a<ﬁ>b<fi>ﬁ").ids == ids


def test_ignore_merges_is_kept_and_gives_the_same_ids():
    base = OURS["gpt2"]
    vocab = {**base.vocab, b" zyzzyva": 1000}
    tokenizer = BPETokenizer(vocab, base.merges, ignore_merges=True)
    assert tokenizer_from_json(json.loads(tokenizer.files()["tokenizer.json"]), "f").ignore_merges
    ids = tokenizer.encode("the zyzzyva zyzzyvas")
    assert in_hugging_face(tokenizer).encode("the zyzzyva zyzzyvas").ids == ids
    assert ids.count(1000) == 1


# -------------------------------------------------------------------------- what others have made


def made_by_hugging_face(pre_tokenizer, normalizer=None) -> tokenizers.Tokenizer:
    theirs = tokenizers.Tokenizer(models.BPE())
    theirs.pre_tokenizer = pre_tokenizer
    if normalizer is not None:
        theirs.normalizer = normalizer
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|endoftext|>", AddedToken("<pad>", normalized=False)],
        show_progress=False,
    )
    theirs.train_from_iterator([TEXT], trainer)
    return theirs


LLAMA_SPLIT = tokenizers.Regex(NAMED_PATTERNS["llama3"])


@pytest.mark.parametrize(
    ("pre_tokenizer", "normalizer", "pattern"),
    [
        (pre_tokenizers.ByteLevel(add_prefix_space=False), None, "gpt2"),
        (pre_tokenizers.ByteLevel(add_prefix_space=False), normalizers.NFC(), "gpt2"),
        (pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False), None, r"[\s\S]+"),
        (
            pre_tokenizers.Sequence(
                [
                    pre_tokenizers.Split(LLAMA_SPLIT, "isolated"),
                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
                ]
            ),
            normalizers.NFKC(),
            "llama3",
        ),
        (
            pre_tokenizers.Sequence(
                [
                    pre_tokenizers.Split(LLAMA_SPLIT, "removed", invert=True),
                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
                ]
            ),
            None,
            "llama3",
        ),
    ],
    ids=["ByteLevel", "NFC", "no regex", "Split", "Split removed, inverted"],
)
def test_what_hugging_face_has_trained_opens_with_the_same_ids(
    tmp_path, pre_tokenizer, normalizer, pattern
):
    theirs = made_by_hugging_face(pre_tokenizer, normalizer)
    theirs.save(str(tmp_path / "tokenizer.json"))
    ours = load_tokenizer(tmp_path)
    assert isinstance(ours, BPETokenizer)
    assert ours.pattern == pattern
    assert ours.special_tokens == {"<|endoftext|>": 0, "<pad>": 1}
    sample = CORPUS[50_000:60_000] + "<|endoftext|>ﬁne e\u0301<pad>\n"
    expected = theirs.encode(sample).ids
    assert ours.encode(sample, "all") == expected
    # Saved by yocto, Hugging Face opens it again with the same ids.
    assert in_hugging_face(ours).encode(sample).ids == expected


def test_merges_may_be_texts_or_pairs():
    content = json.loads(OURS["gpt2"].files()["tokenizer.json"])
    content["model"]["merges"] = [merge.split(" ") for merge in content["model"]["merges"]]
    assert tokenizer_from_json(content, "f").merges == OURS["gpt2"].merges


def test_a_pattern_that_hugging_face_cannot_isolate_is_refused():
    content = json.loads(OURS["gpt4"].files()["tokenizer.json"])
    content["pre_tokenizer"]["pretokenizers"][0]["behavior"] = "Removed"
    with pytest.raises(TokenizerFileError, match="Split is not a regex"):
        tokenizer_from_json(content, "f")


# --------------------------------------------------------------------------- vocab.json, merges.txt


@every_pattern
def test_vocab_json_and_merges_txt_give_the_tokenizer_back(pattern, tmp_path):
    OURS[pattern].save(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    assert load_tokenizer(tmp_path, pattern=pattern).files() == OURS[pattern].files()


def test_hugging_face_reads_vocab_json_and_merges_txt(tmp_path):
    ours = BPETrainer(vocab_size=600, special_tokens=()).train(TEXT)
    ours.save(tmp_path)
    model = models.BPE.from_file(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"))
    theirs = tokenizers.Tokenizer(model)
    theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    assert theirs.encode(TEXT).ids == ours.encode(TEXT)


def test_merges_txt_may_have_carriage_returns_and_no_version():
    files = OURS["gpt2"].files()
    merges = files["merges.txt"].removeprefix("#version: 0.2\n").replace("\n", "\r\n")
    loaded = bpe_from_gpt2_files(json.loads(files["vocab.json"]), merges, "f", "gpt2")
    assert loaded.merges == OURS["gpt2"].merges
    assert loaded.special_tokens == OURS["gpt2"].special_tokens


def test_a_merge_of_number_signs_is_no_version_line():
    ours = BPETrainer(vocab_size=300, special_tokens=()).train("## ## ## #v #v")
    assert (b"#", b"#") in ours.merges
    files = ours.files()
    vocab = json.loads(files["vocab.json"])
    assert bpe_from_gpt2_files(vocab, files["merges.txt"], "f", "gpt2").merges == ours.merges


GPT2_FILES = OURS["gpt2"].files()
VOCAB = json.loads(GPT2_FILES["vocab.json"])


@pytest.mark.parametrize(
    ("vocab", "merges", "fault"),
    [
        ([], "", "not a table"),
        ({}, "", "lacks the single byte"),
        ({**VOCAB, "ab": 0}, GPT2_FILES["merges.txt"], "id 0 stands for"),
        ({**VOCAB, "ab": -1}, GPT2_FILES["merges.txt"], "the id of 'ab' is -1"),
        ({**VOCAB, "ab": "7"}, GPT2_FILES["merges.txt"], "the id of 'ab' is '7'"),
        ({**VOCAB, "a": None}, GPT2_FILES["merges.txt"], "the id of 'a' is None"),
        (VOCAB, "#version: 0.2\nonlyone\n", "'onlyone' is not a pair"),
        (VOCAB, "#version: 0.2\na b c\n", "'a b c' is not a pair"),
        (VOCAB, "#version: 0.2\na 日\n", "is not a pair"),
        (VOCAB, "#version: 0.2\nz q\n", "merge 0 needs b'zq'"),
    ],
)
def test_damaged_vocab_json_and_merges_txt_are_refused_by_name(tmp_path, vocab, merges, fault):
    (tmp_path / "vocab.json").write_text(json.dumps(vocab), "utf-8")
    (tmp_path / "merges.txt").write_text(merges, "utf-8")
    with pytest.raises(TokenizerFileError) as caught:
        load_tokenizer(tmp_path)
    assert str(tmp_path / "vocab.json") in caught.value.message
    assert fault in caught.value.message


# ---------------------------------------------------------------------------- damaged and foreign

GOOD = json.loads(OURS["gpt4"].files()["tokenizer.json"])


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


DELETED = object()
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
STEP = "pre_tokenizer/pretokenizers/"
DAMAGED = {
    "a list": ([], "'model' is missing"),
    "a text": ("tokenizer", "'model' is missing"),
    "null": (None, "'model' is missing"),
    "no model": (changed("model", DELETED), "'model' is missing"),
    "a model that is a list": (changed("model", []), "'model' is missing or not a table"),
    "WordPiece": (changed("model/type", "WordPiece"), "its model is 'WordPiece', not BPE"),
    "Unigram": (changed("model/type", "Unigram"), "its model is 'Unigram', not BPE"),
    "dropout": (changed("model/dropout", 0.1), "model.dropout is 0.1"),
    "an unknown token": (changed("model/unk_token", "<unk>"), "model.unk_token is '<unk>'"),
    "a prefix": (changed("model/continuing_subword_prefix", "##"), "continuing_subword_prefix"),
    "a suffix": (changed("model/end_of_word_suffix", "@@"), "end_of_word_suffix is '@@'"),
    "byte fallback": (changed("model/byte_fallback", True), "byte_fallback"),
    "no vocabulary": (changed("model/vocab", DELETED), "'vocab' is missing"),
    "a vocabulary that is a list": (changed("model/vocab", ["a"]), "'vocab' is missing or not a"),
    "an empty vocabulary": (changed("model/vocab", {}), ""),
    "a byte that is missing": (changed("model/vocab/q", DELETED), "lacks the single byte b'q'"),
    "a negative id": (changed("model/vocab/q", -3), "the id of 'q' is -3"),
    "an id that is a text": (changed("model/vocab/q", "80"), "the id of 'q' is '80'"),
    "an id that is a truth": (changed("model/vocab/q", True), "the id of 'q' is True"),
    "an id that is a fraction": (changed("model/vocab/q", 80.5), "the id of 'q' is 80.5"),
    "an id beyond all bounds": (changed("model/vocab/q", 1 << 40), "the id of 'q' is"),
    "an id twice": (changed("model/vocab/q", 3), "have the same id"),
    "a token outside the alphabet": (changed("model/vocab/日", 9999), "'日' is not in GPT-2's"),
    "an empty token": (changed("model/vocab/", 9999), "the token '' is not in GPT-2's"),
    "no merges": (changed("model/merges", DELETED), "'merges' is missing"),
    "merges that are a table": (changed("model/merges", {}), "'merges' is missing or not a list"),
    "a merge of one": (changed("model/merges/5", "the"), "the merge 'the' is not a pair"),
    "a merge of three": (changed("model/merges/5", ["a", "b", "c"]), "is not a pair of tokens"),
    "a merge of numbers": (changed("model/merges/5", [1, 2]), "the merge [1, 2] is not a pair"),
    "a merge that is null": (changed("model/merges/5", None), "the merge None is not a pair"),
    "a merge with an empty side": (changed("model/merges/5", ["", "a"]), "is not a pair"),
    "a merge of unknown tokens": (changed("model/merges/5", "zq xj"), "merge 5 needs b'zq'"),
    "a merge to an unknown token": (changed("model/merges/5", "q z"), "merge 5 needs b'qz'"),
    "special tokens that are a number": (changed("added_tokens", 5), "'added_tokens'"),
    "special tokens that are a table": (
        changed("added_tokens", {"<a>": 1}),
        "'added_tokens' is not a",
    ),
    "a special token that is a text": (changed("added_tokens/0", "<a>"), "'<a>' has no content"),
    "a special token without a text": (changed("added_tokens/0/content", DELETED), "no content"),
    "a special token without an id": (changed("added_tokens/0/id", DELETED), "is None"),
    "a special token with a negative id": (changed("added_tokens/0/id", -1), "is -1"),
    "a special token with another's id": (changed("added_tokens/0/id", 5), "has the ids"),
    "a special token twice": (changed("added_tokens/1/content", SPECIAL[0]), "is there twice"),
    "a special token that is empty": (changed("added_tokens/0/content", ""), "is empty"),
    "a special token that strips": (changed("added_tokens/0/lstrip", True), "'lstrip'"),
    "a special token of whole words": (changed("added_tokens/0/single_word", True), "single_word"),
    "a lower-casing normaliser": (changed("normalizer", {"type": "Lowercase"}), "'Lowercase'"),
    "a normaliser that is a number": (changed("normalizer", 7), "normalizer 7 is not supported"),
    "no pre-tokenizer": (changed("pre_tokenizer", None), "'pre_tokenizer' is missing"),
    "Whitespace": (changed("pre_tokenizer", {"type": "Whitespace"}), "['Whitespace'] is not supp"),
    "an empty sequence": (changed("pre_tokenizer/pretokenizers", []), "pre-tokenizer [] is not"),
    "a sequence of texts": (changed("pre_tokenizer/pretokenizers", ["Split"]), "not a table"),
    "a split alone": (changed(STEP + "1", DELETED), "['Split'] is not supported"),
    "a step more": (changed(STEP + "0", {"type": "Digits"}), "['Digits', 'ByteLevel'] is not"),
    "two splits": (changed(STEP + "1", BYTE_LEVEL), "splits twice"),
    "a prefix space": (changed(STEP + "1/add_prefix_space", True), "adds a space before"),
    "a split at a text": (changed(STEP + "0/pattern", {"String": " "}), "Split is not a regex"),
    "a split at nothing": (changed(STEP + "0/pattern", DELETED), "Split is not a regex"),
    "a split that merges": (
        changed(STEP + "0/behavior", "MergedWithNext"),
        "Split is not a regex whose matches are the pieces",
    ),
    "a broken regex": (changed(STEP + "0/pattern", {"Regex": "("}), "no valid regex"),
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


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_refused_is_opened_by_hugging_face_if_that_knows_it(tmp_path, name):
    content, fault = DAMAGED[name]
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps(content), "utf-8")
    try:
        theirs = tokenizers.Tokenizer.from_file(str(file))
    except BaseException:  # a panic is no Exception
        theirs = None
    if theirs is None or name in UNUSABLE:
        with pytest.raises(TokenizerFileError, match=re.escape(f"{file}: ")) as caught:
            load_tokenizer(tmp_path)
        assert fault in caught.value.message
        return
    ours = load_tokenizer(tmp_path)
    assert ours.kind == "tokenizers"
    text = CORPUS[50_000:51_000]
    assert ours.encode(text, "all") == theirs.encode(text, add_special_tokens=False).ids


UNUSABLE = ["an id twice", "dropout", "an id beyond all bounds"]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_tokenizer_json_is_refused_by_name(tmp_path, share):
    file = tmp_path / "tokenizer.json"
    content = OURS["gpt4"].files()["tokenizer.json"]
    file.write_text(content[: int(share * len(content))], "utf-8")
    with pytest.raises(TokenizerFileError, match=r"tokenizer\.json is not valid JSON"):
        load_tokenizer(tmp_path)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_no_damage_anywhere_raises_anything_but_a_tokenizer_file_error(data):
    small = json.loads(BPETrainer(vocab_size=260, pattern="gpt4").train("abab").files()[
        "tokenizer.json"
    ])  # fmt: skip
    nonsense = st.sampled_from([None, 0, -1, 2.5, True, "", "x", [], {}, [1], {"type": 1}])
    place = small
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        deeper = isinstance(place[key], (dict, list)) and place[key]
        if not deeper or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(nonsense)
    try:
        loaded = tokenizer_from_json(small, "f")
    except TokenizerFileError:
        return
    except TokenizerError as error:
        pytest.fail(f"a TokenizerError that names no file: {error}")
    assert loaded.decode(loaded.encode("any text", "none")) == "any text"


# ---------------------------------------------------------------------------------- added tokens


def added(i, text, **flags):
    return {"id": i, "content": text, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": True, **flags}  # fmt: skip


PLAIN = BPETrainer(vocab_size=300, special_tokens=()).train(TEXT)
SIZE = PLAIN.vocab_size


def with_added(*tokens, **parts):
    content = json.loads(PLAIN.files()["tokenizer.json"])
    return {**content, "added_tokens": list(tokens), **parts}


@pytest.mark.parametrize(
    "tokens",
    [
        [added(SIZE, "<a>"), added(SIZE + 1, "<b>")],  # after the vocabulary
        [added(SIZE + 1, "<a>"), added(SIZE, "<b>")],  # <b> in it, <a> after it
        [added(SIZE, "<a>", special=False)],
        [added(SIZE, "<a>", normalized=True)],
    ],
    ids=["outside", "inside", "not special", "normalized"],
)
def test_added_tokens_are_special_tokens_with_the_same_ids(tokens):
    content = with_added(*tokens)
    if tokens[0]["id"] == SIZE + 1:
        content["model"]["vocab"]["<b>"] = SIZE
    ours = tokenizer_from_json(content, "f")
    assert ours.special_tokens == {token["content"]: token["id"] for token in tokens}
    text = "the <a> theme! <b><a>of! it"
    theirs = tokenizers.Tokenizer.from_str(json.dumps(content))
    assert ours.encode(text, "all") == theirs.encode(text).ids
    assert in_hugging_face(ours).encode(text).ids == theirs.encode(text).ids


NFC = {"type": "NFC"}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (with_added(added(SIZE + 5, "<a>")), f"has the id {SIZE + 5}, where {SIZE} comes next"),
        (with_added(added(SIZE + 1, "<a>"), added(SIZE, "<b>")), f"where {SIZE} comes next"),
        (with_added(added(SIZE, "the", special=False, normalized=True)), "a word of the text"),
        (with_added(added(SIZE, "<a>", normalized=True), normalizer=NFC), "after normalization"),
        (with_added(added(PLAIN.vocab[b"o"], "o")), "lacks the single byte b'o'"),
    ],
)
def test_added_tokens_that_would_get_other_ids_are_refused(content, fault, tmp_path):
    with pytest.raises(TokenizerFileError, match=fault):
        tokenizer_from_json(content, "f")
    # The library knows them, and its ids count.
    (tmp_path / "tokenizer.json").write_text(json.dumps(content), "utf-8")
    theirs = tokenizers.Tokenizer.from_str(json.dumps(content))
    text = "the <a> theme of <b> the"
    assert load_tokenizer(tmp_path).encode(text, "all") == theirs.encode(text).ids


def test_a_sequence_of_one_normalizer_is_that_one():
    for steps, form in (([], "none"), ([NFC], "nfc"), ([{"type": "NFKC"}], "nfkc")):
        content = with_added(normalizer={"type": "Sequence", "normalizers": steps})
        assert tokenizer_from_json(content, "f").normalize == form
    for wrong in ([NFC, NFC], 5, [5], None):
        content = with_added(normalizer={"type": "Sequence", "normalizers": wrong})
        with pytest.raises(TokenizerFileError, match="normalizer"):
            tokenizer_from_json(content, "f")


def test_a_byte_order_mark_before_a_file_does_no_harm(tmp_path):
    for name, content in PLAIN.files().items():
        (tmp_path / name).write_text("\ufeff" + content, "utf-8")
    assert load_tokenizer(tmp_path).sha256 == PLAIN.sha256
    (tmp_path / "tokenizer.json").unlink()
    assert load_tokenizer(tmp_path).sha256 == PLAIN.sha256
