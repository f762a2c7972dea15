"""What all tokenizers share: special tokens in text, streaming, identity, arrays."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yocto.errors import TokenizerError
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.bpe import BPETokenizer
from yocto.tokenizer.bpe_train import BPETrainer
from yocto.tokenizer.char import CharTokenizer
from yocto.tokenizer.char_bpe import CharBPETokenizer
from yocto.tokenizer.special import check_special_tokens, split_special
from yocto.tokenizer.word import WordTokenizer
from yocto.utils.cuts import last_cut

END, PREFIX, LONGER = "<|endoftext|>", "<|a|>", "<|a|>b"
TEXT = "the theme of the thesis <|a|>b is that a thing is a thing\n🙂 ünïcödé <|endoftext|>"


def make_bpe() -> BPETokenizer:
    return BPETrainer(vocab_size=290, special_tokens=(END, PREFIX, LONGER)).train(TEXT)


def make_char() -> CharTokenizer:
    return CharTokenizer.train([TEXT, "<|endotx>ab"], special_tokens=(END, PREFIX, LONGER))


BPE, CHAR = make_bpe(), make_char()
both = pytest.mark.parametrize("tokenizer", [BPE, CHAR], ids=["byte-bpe", "char"])


@both
def test_a_special_token_in_text_raises_by_default_and_the_error_tells_where(tokenizer):
    with pytest.raises(TokenizerError) as caught:
        tokenizer.encode(f"the {END} end")
    assert "'<|endoftext|>' at character 4" in caught.value.message
    assert 'allowed_special="none"' in caught.value.hint


@both
def test_none_raise_does_not_mind_text_without_special_tokens(tokenizer):
    assert tokenizer.encode("the end") == tokenizer.encode("the end", "none")


@both
def test_none_takes_special_tokens_as_plain_text(tokenizer):
    ids = tokenizer.encode(f"the {END}", allowed_special="none")
    assert not set(ids) & set(tokenizer.special_tokens.values())
    assert tokenizer.decode(ids) == f"the {END}"


@both
def test_all_makes_the_ids_of_all_special_tokens(tokenizer):
    ids = tokenizer.encode(f"the {END} end {PREFIX}", allowed_special="all")
    assert ids == [
        *tokenizer.encode("the "),
        tokenizer.special_tokens[END],
        *tokenizer.encode(" end "),
        tokenizer.special_tokens[PREFIX],
    ]


@both
def test_a_set_makes_the_ids_of_its_members_and_takes_the_others_as_text(tokenizer):
    ids = tokenizer.encode(f"{END}{PREFIX}", allowed_special={PREFIX})
    assert ids == [*tokenizer.encode(END, "none"), tokenizer.special_tokens[PREFIX]]


@both
@pytest.mark.parametrize("kind", [set, frozenset, list, tuple])
def test_any_collection_of_special_tokens_is_allowed(tokenizer, kind):
    assert tokenizer.encode(END, allowed_special=kind([END])) == [tokenizer.special_tokens[END]]


@both
def test_an_empty_set_takes_everything_as_plain_text(tokenizer):
    assert tokenizer.encode(END, allowed_special=set()) == tokenizer.encode(END, "none")


@both
def test_a_set_with_an_unknown_member_is_refused_and_the_known_ones_are_listed(tokenizer):
    with pytest.raises(TokenizerError, match="'<pad>' is no special token") as caught:
        tokenizer.encode("text", allowed_special={"<pad>"})
    assert repr(END) in caught.value.hint


@both
def test_an_unknown_mode_is_refused(tokenizer):
    with pytest.raises(TokenizerError, match="allowed_special is 'some'"):
        tokenizer.encode("text", allowed_special="some")


@both
def test_of_two_special_tokens_that_start_at_one_place_the_longer_counts(tokenizer):
    special = tokenizer.special_tokens
    assert tokenizer.encode(LONGER, "all") == [special[LONGER]]
    assert tokenizer.encode(PREFIX + "a", "all") == [special[PREFIX], *tokenizer.encode("a")]
    assert tokenizer.encode(LONGER, {PREFIX}) == [special[PREFIX], *tokenizer.encode("b")]


@given(st.lists(st.sampled_from([END, PREFIX, LONGER, "b", "<|", "the "])).map("".join))
def test_split_special_loses_nothing(text):
    parts = list(split_special(text, [PREFIX, LONGER, END]))
    assert "".join(parts) == text
    assert all(parts)


@both
def test_a_lone_surrogate_is_refused_with_its_place(tokenizer):
    with pytest.raises(TokenizerError, match=r"character 3 .* U\+D83D"):
        tokenizer.encode("the\ud83d")


@pytest.mark.parametrize(("tokens", "fault"), [(["<a>", "<a>"], "twice"), (["<a>", ""], "empty")])
def test_special_tokens_that_are_empty_or_repeated_are_refused(tokens, fault):
    with pytest.raises(TokenizerError, match=fault):
        check_special_tokens(tokens)


# ------------------------------------------------------------------------------------- streaming


def stream(tokenizer: BaseTokenizer, ids: list[int]) -> list[str]:
    decoder = tokenizer.stream_decoder()
    return [*map(decoder.push, ids), decoder.finish()]


def test_a_stream_never_breaks_an_emoji_that_is_spread_over_several_tokens():
    no_merges = BPETrainer(num_merges=0).train("")
    ids = no_merges.encode("a🙂é👩‍🚀")
    assert len(ids) > len("a🙂é👩‍🚀")
    pieces = stream(no_merges, ids)
    assert [piece for piece in pieces if piece] == list("a🙂é👩‍🚀")


@settings(deadline=None)
@given(st.lists(st.integers(0, BPE.vocab_size - 1), max_size=30))
def test_a_stream_adds_up_to_what_decode_gives(ids):
    assert "".join(stream(BPE, ids)) == BPE.decode(ids)


KINDS = {
    "byte-bpe": BPE,
    "char": CHAR,
    "char-bpe": CharBPETokenizer.train([TEXT], vocab_size=400, byte_fallback=True),
    "char-bpe with <unk>": CharBPETokenizer.train([TEXT], vocab_size=200),
    "word": WordTokenizer.train([TEXT], vocab_size=30),
}


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)
@given(data=st.data())
def test_any_ids_of_any_kind_with_special_tokens_between_stream_to_what_decode_gives(kind, data):
    tokenizer = KINDS[kind]
    special = st.sampled_from(sorted(tokenizer.special_tokens.values()))
    ids = data.draw(st.lists(st.integers(0, tokenizer.vocab_size - 1) | special, max_size=30))
    assert "".join(stream(tokenizer, ids)) == tokenizer.decode(ids)
    # What came before may be decoded already.
    at = data.draw(st.integers(0, len(ids)))
    before = [None, *ids][at]
    rest = map(tokenizer.bytes_after, [before, *ids[at:]], ids[at:])
    assert tokenizer.decode_bytes(ids[:at]) + b"".join(rest) == tokenizer.decode_bytes(ids)


def test_a_long_run_of_broken_bytes_is_not_held_back():
    decoder = BPE.stream_decoder()
    start = BPE.vocab[b"\xf0"]
    told = [decoder.push(start) for _ in range(1000)]
    assert "".join(told) == "\ufffd" * 999
    assert decoder.push(BPE.vocab[b"a"]) == "\ufffda"
    assert decoder.finish() == ""


def test_after_an_id_that_is_not_there_a_stream_goes_on():
    decoder = BPE.stream_decoder()
    with pytest.raises(TokenizerError, match="not in the vocabulary"):
        decoder.push(BPE.vocab_size)
    assert decoder.push(BPE.vocab[b"a"]) == "a"


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_stream_of_encoded_text_has_no_replacement_character_that_the_text_has_not(text):
    pieces = stream(BPE, BPE.encode(text, "none"))
    assert "".join(pieces) == text
    assert pieces[-1] == ""


def test_a_character_that_is_never_completed_comes_out_as_one_replacement_character():
    no_merges = BPETrainer(num_merges=0).train("")
    pieces = stream(no_merges, no_merges.encode_bytes("🙂".encode()[:2]))
    assert pieces == ["", "", "\N{REPLACEMENT CHARACTER}"]


# --------------------------------------------------------------------------------- arrays, bytes


@both
def test_ids_may_come_as_an_array(tokenizer):
    ids = tokenizer.encode("the theme")
    assert tokenizer.decode(np.array(ids, np.uint16)) == "the theme"
    assert tokenizer.decode(iter(ids)) == "the theme"


@both
@pytest.mark.parametrize("bad", [-1, 10_000])
def test_an_id_that_is_not_there_is_refused(tokenizer, bad):
    with pytest.raises(TokenizerError, match=f"id {bad}"):
        tokenizer.decode([0, bad])


@both
def test_encode_to_numpy_takes_text_and_bytes_as_plain_text(tokenizer):
    expected = tokenizer.encode(f"the {END}", "none")
    for text in (f"the {END}", f"the {END}".encode()):
        array = tokenizer.encode_to_numpy(text)
        assert array.dtype == np.uint16
        assert array.tolist() == expected


def test_a_vocabulary_above_65536_gives_uint32():
    vocab = {**BPE.vocab, b"xyz": 65536}
    wide = BPETokenizer(vocab, BPE.merges)
    assert wide.vocab_size == 65537
    assert wide.encode_to_numpy("the").dtype == np.uint32
    at_the_limit = BPETokenizer({**BPE.vocab, b"xyz": 65535}, BPE.merges)
    assert at_the_limit.encode_to_numpy("the").dtype == np.uint16


def test_bytes_that_are_no_text_are_refused_by_a_tokenizer_of_text():
    with pytest.raises(TokenizerError, match=r"byte 3 is not .*UTF-8, and a char tokenizer"):
        CHAR.encode_bytes(b"the\xff")


# ----------------------------------------------------------------------------- end and identity


@pytest.mark.parametrize(
    ("special", "end"),
    [([], None), (["<eos>"], "<eos>"), (["<pad>", END], END), (["<a>", "<b>"], "<a>")],
)
def test_the_end_token_is_endoftext_or_else_the_first_one(special, end):
    tokenizer = CharTokenizer("abc", special)
    assert tokenizer.end_token == end
    assert tokenizer.end_id == (None if end is None else 3 + special.index(end))


@both
def test_the_identity_is_the_sha256_of_the_main_file(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    main = next(iter(tokenizer.files()))
    assert tokenizer.sha256 == hashlib.sha256((tmp_path / main).read_bytes()).hexdigest()


def test_other_tokenizers_have_another_identity():
    assert make_bpe().sha256 == BPE.sha256
    others = [CHAR, CharTokenizer("ab"), CharTokenizer("ba"), CharTokenizer("ab", ["c"])]
    assert len({tokenizer.sha256 for tokenizer in [BPE, *others]}) == 5


@both
def test_saved_and_loaded_again_it_is_the_same(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "new" / "folder")
    loaded = BaseTokenizer.load(tmp_path / "new" / "folder")
    assert type(loaded) is type(tokenizer)
    assert loaded.files() == tokenizer.files()
    assert loaded.special_tokens == tokenizer.special_tokens
    assert loaded.encode(TEXT, "all") == tokenizer.encode(TEXT, "all")


def test_loading_as_another_kind_is_refused_and_names_both(tmp_path):
    CHAR.save(tmp_path)
    assert type(CharTokenizer.load(tmp_path)) is CharTokenizer
    with pytest.raises(TokenizerError, match="holds a char tokenizer, not a byte-bpe one"):
        BPETokenizer.load(tmp_path)


# ------------------------------------------------------------------------ documents, as encode has


ENCODERS = {
    "byte-bpe": BPE,
    "byte-bpe without an end": BPETrainer(vocab_size=290, special_tokens=()).train(TEXT),
    "nfkc": BPETrainer(vocab_size=290, normalize="nfkc").train(TEXT),
    "a regex": BPETrainer(vocab_size=290, pattern=r"\w+ \w+|\s\S+|.").train(TEXT),
    "char-bpe": BPETrainer("char-bpe", vocab_size=200, byte_fallback=False).train(TEXT),
    "word": WordTokenizer.train([TEXT], vocab_size=60),
    "char": CHAR,
    "char, lower": CharTokenizer.train([TEXT.upper()], lowercase=True, normalize="nfc"),
}
every_kind = pytest.mark.parametrize("tokenizer", ENCODERS.values(), ids=ENCODERS)
OF_TEXT = st.lists(st.lists(st.text(sorted(set(TEXT)), max_size=40), max_size=3), max_size=6)


def one_by_one(tokenizer: BaseTokenizer, documents: list[list[str]]) -> list[int]:
    """The obvious way: each document by itself, the end token between two of them."""
    ids: list[int] = []
    for number, parts in enumerate(documents):
        if number and tokenizer.end_id is not None:
            ids.append(tokenizer.end_id)
        ids += tokenizer.encode("".join(parts), "none")
    return ids


def with_ends(documents: list[list[str]]) -> list[bytes | None]:
    parts: list[bytes | None] = []
    for number, document in enumerate(documents):
        parts += [None] * (number > 0) + [part.encode() for part in document]
    return parts


@every_kind
@given(documents=OF_TEXT.filter(bool))
def test_documents_are_encoded_together_as_one_by_one(tokenizer, documents):
    whole = [["".join(parts)] for parts in documents]
    ids = tokenizer.encode_documents(with_ends(whole))
    assert ids.tolist() == one_by_one(tokenizer, whole)
    assert ids.dtype == np.uint16


@every_kind
@given(text=st.text(sorted(set(TEXT)), max_size=200))
def test_a_text_may_come_in_the_parts_that_its_tokenizer_takes(tokenizer, text):
    if tokenizer.cuts == "none":
        return
    cut = last_cut(text, raw=tokenizer.cuts == "raw")
    parts = [text[:cut], text[cut:]]
    expected = tokenizer.encode(text, "none")
    apart = [tokenizer.encode_documents([part.encode()]) for part in parts]
    assert np.concatenate(apart).tolist() == expected
    together = tokenizer.encode_documents([part.encode() for part in parts])
    assert together.tolist() == expected


def test_which_kinds_take_parts():
    assert {name: tokenizer.cuts for name, tokenizer in ENCODERS.items()} == {
        "byte-bpe": "any", "byte-bpe without an end": "any", "nfkc": "raw", "a regex": "none",
        "char-bpe": "any", "word": "none", "char": "any", "char, lower": "raw",
    }  # fmt: skip
