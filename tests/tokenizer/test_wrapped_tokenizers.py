"""What only Hugging Face's library understands: its ids and text, no special token by accident."""

import json
import sys

import foreign
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yocto.errors import TokenizerError, TokenizerFileError
from yocto.tokenizer.adapters import adapt_tokenizer
from yocto.tokenizer.bpe import BPETokenizer
from yocto.tokenizer.store import load_tokenizer
from yocto.tokenizer.wrapped_tokenizers import TokenizersTokenizer

tokenizers = pytest.importorskip("tokenizers")

every_sort = pytest.mark.parametrize("sort", [*foreign.WRAPPED, *foreign.NATIVE])
OURS = {}


def ours(sort):
    if sort not in OURS:
        OURS[sort] = adapt_tokenizer(foreign.hugging_face(sort))
    return OURS[sort]


def streamed(tokenizer, ids, after=None):
    decoder = tokenizer.stream_decoder(after)
    return "".join([*map(decoder.push, ids), decoder.finish()])


def test_what_yocto_can_say_itself_becomes_its_own_and_the_rest_is_held():
    for sort in foreign.WRAPPED:
        assert isinstance(ours(sort), TokenizersTokenizer), sort
    for sort in foreign.NATIVE:
        assert isinstance(ours(sort), BPETokenizer), sort


@every_sort
@pytest.mark.parametrize("text", foreign.SAMPLES)
def test_the_ids_are_those_of_the_library(sort, text):
    theirs = foreign.hugging_face(sort)
    assert ours(sort).encode(text, "all") == theirs.encode(text, add_special_tokens=False).ids
    framed = ours(sort).encode(text, "all", add_special_tokens=True)
    assert framed == theirs.encode(text).ids


@every_sort
@pytest.mark.parametrize("text", foreign.SAMPLES)
def test_no_text_becomes_a_special_token_unless_it_may(sort, text):
    tokenizer = ours(sort)
    special = set(tokenizer.special_tokens.values()) - {tokenizer.unk_id}
    assert not special & set(tokenizer.encode(text, "none"))
    assert not special & set(tokenizer.encode_to_numpy(text).tolist())
    for token, i in tokenizer.special_tokens.items():
        if i in special:
            assert not special - {i} & set(tokenizer.encode(text, {token}))


@every_sort
def test_where_no_special_token_is_spelled_all_ways_give_the_same_ids(sort):
    text = foreign.CORPUS[60_000:62_000].replace("word", "sentence")
    expected = foreign.hugging_face(sort).encode(text, add_special_tokens=False).ids
    for allowed in ("none", "all", "none_raise", set()):
        assert ours(sort).encode(text, allowed) == expected


@pytest.mark.parametrize("sort", ["llama2", "special tokens that strip", "digits", "lower case"])
@pytest.mark.parametrize("text", [*foreign.SAMPLES, "a <unk> b"])
def test_special_tokens_in_a_text_are_what_the_library_makes_of_them_as_text(sort, text):
    theirs = tokenizers.Tokenizer.from_str(foreign.hugging_face(sort).to_str())
    theirs.encode_special_tokens = True
    assert ours(sort).encode(text, "none") == theirs.encode(text, add_special_tokens=False).ids


@every_sort
def test_a_batch_has_the_ids_of_its_texts(sort):
    alone = ["a ＜s＞ b"]  # a special token after normalization only
    for texts in (foreign.SAMPLES, alone):
        for allowed in ("none", "all"):
            batch = ours(sort).encode_batch(texts, allowed)
            assert batch == [ours(sort).encode(text, allowed) for text in texts]


def test_one_special_token_may_be_allowed_and_another_not():
    tokenizer = ours("unigram")
    ids = tokenizer.encode("<s>the</s>", {"</s>"})
    assert (ids[-1], 1 in ids) == (2, False)
    with pytest.raises(TokenizerError, match="holds the special token '<s>'"):
        tokenizer.encode("a <s>")


@every_sort
@pytest.mark.parametrize("text", foreign.SAMPLES)
def test_decoding_gives_the_librarys_text_at_once_and_id_by_id(sort, text):
    tokenizer, theirs = ours(sort), foreign.hugging_face(sort)
    for allowed in ("none", "all"):
        ids = tokenizer.encode(text, allowed)
        expected = theirs.decode(ids, skip_special_tokens=False)
        assert tokenizer.decode(ids) == streamed(tokenizer, ids) == expected
        assert tokenizer.decode_bytes(ids).decode(errors="replace") == expected


@pytest.mark.parametrize("sort", foreign.WRAPPED)
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_whatever_the_ids_at_once_and_id_by_id_are_the_same(sort, data):
    tokenizer = ours(sort)
    ids = data.draw(st.lists(st.integers(0, tokenizer.vocab_size - 1), max_size=12))
    if "\ufffd" in (text := tokenizer.decode(ids)):  # broken, so that what is said may differ
        assert streamed(tokenizer, ids) == text


def test_bytes_that_make_a_character_together_are_told_with_the_last_of_them():
    tokenizer = ours("llama2")
    ids = tokenizer.encode("a🙂\n")
    decoder = tokenizer.stream_decoder()
    assert [decoder.push(i) for i in ids] == ["", "a", "", "", "", "🙂", "\n"]
    broken = [ids[2]] * 40 + ids[1:2]
    assert tokenizer.decode(broken) == streamed(tokenizer, broken) == "\ufffd" * 40 + "a"


def test_an_id_that_is_not_there_is_refused():
    tokenizer = ours("unigram")
    for i in (-1, tokenizer.vocab_size, 10**9):
        for call in (tokenizer.token_bytes, lambda i: tokenizer.decode([i])):
            with pytest.raises(TokenizerError, match="not in the vocabulary"):
                call(i)


@pytest.mark.parametrize(
    ("sort", "end", "unk", "bos"),
    [
        ("unigram", "</s>", 0, None), ("wordpiece", "[SEP]", 1, 2), ("llama2", "</s>", 0, 1),
        ("lower case", "<|endoftext|>", None, None), ("llama3", "<|end_of_text|>", None, 0),
        ("roberta", "</s>", None, 0),
    ],
)  # fmt: skip
def test_special_tokens_are_known_for_what_they_do(sort, end, unk, bos):
    tokenizer = ours(sort)
    assert (tokenizer.end_token, tokenizer.unk_id, tokenizer.bos_id) == (end, unk, bos)
    assert tokenizer.end_id == tokenizer.special_tokens[end]
    assert tokenizer.separator == "<|endoftext|>"


@every_sort
def test_it_is_saved_and_loaded_as_it_was(sort, tmp_path):
    tokenizer = ours(sort)
    tokenizer.save(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert type(loaded) is type(tokenizer)
    assert loaded.sha256 == tokenizer.sha256
    assert loaded.special_tokens == tokenizer.special_tokens
    for text in foreign.SAMPLES:
        ids = loaded.encode(text, "all", add_special_tokens=True)
        assert ids == tokenizer.encode(text, "all", add_special_tokens=True)
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    text = foreign.SAMPLES[0]
    assert theirs.encode(text).ids == loaded.encode(text, add_special_tokens=True)


def test_the_file_stays_what_it_was(tmp_path):
    content = json.loads(foreign.hugging_face("unigram").to_str())
    text = "\ufeff" + json.dumps(content, indent=3)
    (tmp_path / "tokenizer.json").write_text(text, "utf-8")
    assert load_tokenizer(tmp_path).files() == {"tokenizer.json": text.removeprefix("\ufeff")}


def test_what_a_file_says_of_length_does_not_cut_or_fill_a_text():
    theirs = tokenizers.Tokenizer.from_str(foreign.hugging_face("unigram").to_str())
    theirs.enable_truncation(3)
    theirs.enable_padding(length=10_000)
    text = foreign.SAMPLES[0]
    assert adapt_tokenizer(theirs).encode(text) == ours("unigram").encode(text)


def test_it_is_not_trained_here():
    with pytest.raises(TokenizerError, match="trains no tokenizers tokenizer") as caught:
        TokenizersTokenizer.train(["text"])
    assert "adapt_tokenizer" in caught.value.hint


# ------------------------------------------------------------------------------ damaged and hostile


def changed(**values):
    return json.dumps({**json.loads(foreign.hugging_face("unigram").to_str()), **values})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "not valid JSON"),
        ("[]", "'model' is missing"),
        (changed(model={"type": "Unigram", "vocab": 5}), "tokenizers can't read it"),
        (changed(model={"type": "BPE", "vocab": {}, "merges": []}), "model has no tokens"),
        (
            changed(model={"type": "BPE", "vocab": {"a": 1 << 30}, "merges": []}, added_tokens=[]),
            "ids go up to 1073741824 in 1 tokens",
        ),
        (
            changed(model={"type": "BPE", "vocab": {}, "merges": [], "dropout": 0.1}),
            "other ids each time",
        ),
        (changed(added_tokens=5), "'added_tokens'"),
        (changed(added_tokens=[{"content": ["<s>"]}]), "'added_tokens'"),
        (
            changed(normalizer={"type": "Replace", "pattern": {"Regex": "(?:(?:a{99}){99}){99}"},
                                "content": ""}),
            "a regex in it is too large",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused(text, fault):
    with pytest.raises(TokenizerError, match=fault):
        TokenizersTokenizer(text)


def test_a_panic_in_the_library_is_an_error_like_others(monkeypatch):
    class Panic(BaseException):
        """As pyo3's PanicException, which is no Exception."""

    def panic(*arguments, **options):
        raise Panic("index out of bounds")

    class Theirs:
        encode = decode = panic

    tokenizer = TokenizersTokenizer(foreign.hugging_face("unigram").to_str())
    monkeypatch.setattr(tokenizer, "_instance", lambda *arguments: Theirs())
    for call in (lambda: tokenizer.encode("a"), lambda: tokenizer.decode([5])):
        with pytest.raises(TokenizerError, match="index out of bounds"):
            call()


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, MemoryError])
def test_what_is_to_end_the_program_passes(stop, monkeypatch):
    class Theirs:
        def decode(self, *arguments, **options):
            raise stop

    tokenizer = TokenizersTokenizer(foreign.hugging_face("unigram").to_str())
    monkeypatch.setattr(tokenizer, "_instance", lambda *arguments: Theirs())
    with pytest.raises(stop):
        tokenizer.decode([5])


def test_a_foreign_file_without_the_library_is_refused_by_name_with_what_to_install(
    tmp_path, monkeypatch
):
    ours("unigram").save(tmp_path)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(TokenizerFileError) as caught:
        load_tokenizer(tmp_path)
    assert "tokenizer.json: its model is 'Unigram', not BPE or WordLevel" in caught.value.message
    assert "pip install tokenizers" in caught.value.hint
