"""sentencepiece models: the library's ids and text, ▁ and bytes, at once and id by id."""

import random
import sys
from contextlib import suppress

import foreign
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yocto.errors import TokenizerError, TokenizerFileError
from yocto.tokenizer.adapters import adapt_tokenizer
from yocto.tokenizer.store import find_tokenizer, load_tokenizer
from yocto.tokenizer.wrapped_sentencepiece import SentencePieceTokenizer

sentencepiece = pytest.importorskip("sentencepiece")

every_sort = pytest.mark.parametrize("sort", foreign.SENTENCEPIECE)
THEIRS = {
    sort: sentencepiece.SentencePieceProcessor(model_proto=foreign.sentencepiece_model(sort))
    for sort in foreign.SENTENCEPIECE
}
OURS = {sort: adapt_tokenizer(theirs) for sort, theirs in THEIRS.items()}
SAMPLES = [*foreign.SAMPLES, "a </s> b <|im_end|> c <think> d <unk> <0x41>", "  two  spaces \n x"]


def streamed(tokenizer, ids, after=None):
    decoder = tokenizer.stream_decoder(after)
    return "".join([*map(decoder.push, ids), decoder.finish()])


@every_sort
@pytest.mark.parametrize("text", SAMPLES)
def test_the_ids_and_the_text_are_those_of_the_library(sort, text):
    ours, theirs = OURS[sort], THEIRS[sort]
    ids = theirs.encode(text)
    assert ours.encode(text, "none") == ids
    assert ours.encode_to_numpy(text).tolist() == ids
    assert ours.decode(ids) == streamed(ours, ids) == theirs.decode(ids)
    assert ours.decode_bytes(ids).decode() == theirs.decode(ids)


@every_sort
def test_any_ids_at_all_give_the_librarys_text_at_once_and_one_by_one(sort):
    ours, theirs, rng = OURS[sort], THEIRS[sort], random.Random(0)
    whole = 0
    for _ in range(3000):
        ids = [rng.randrange(ours.vocab_size) for _ in range(rng.randint(1, 6))]
        if rng.random() < 0.5:  # what starts a text is where the rules are
            spaces = [theirs.piece_to_id(piece) for piece in ("▁", "▁the", "</s>", "<unk>")]
            ids = rng.choices(spaces, k=2) + ids
        assert streamed(ours, ids) == ours.decode(ids)
        if "\ufffd" not in theirs.decode(ids):
            whole += 1
            assert ours.decode(ids) == theirs.decode(ids)
            assert ours.decode_bytes(ids).decode() == theirs.decode(ids)
    assert whole > 300


def test_control_symbols_and_unk_are_special_tokens_and_no_text_becomes_one():
    ours = OURS["user-defined"]
    assert list(ours.special_tokens) == ["<unk>", "<s>", "</s>", "<pad>", "<|im_end|>"]
    ids = ours.encode("a</s><|im_end|><think>", "none")
    assert not set(ids) & (set(ours.special_tokens.values()) - {ours.unk_id})
    assert THEIRS["user-defined"].piece_to_id("<think>") in ids  # text, and always one token
    assert ours.encode("a</s>b", "all") == [*ours.encode("a"), 2, *ours.encode("b")]
    with pytest.raises(TokenizerError, match="special token '</s>' at character 1"):
        ours.encode("a</s>")


def test_ids_with_a_name_have_it():
    ours = OURS["user-defined"]
    assert (ours.unk_id, ours.bos_id, ours.eos_id, ours.end_id, ours.pad_id) == (0, 1, 2, 2, 3)
    assert (ours.end_token, ours.separator) == ("</s>", "<|endoftext|>")
    assert ours.encode("the", add_special_tokens=True) == [1, *ours.encode("the"), 2]
    assert (OURS["end last"].end_token, OURS["end last"].end_id) == ("</s>", 3)
    without = OURS["no end"]
    assert (without.end_id, without.eos_id, without.pad_id) == (None, None, None)
    assert without.encode("the", add_special_tokens=True) == [1, *without.encode("the")]


def test_a_text_starts_without_a_space_after_the_end_of_another():
    ours = OURS["llama"]
    ids = ours.encode("the river")
    assert streamed(ours, ids) == streamed(ours, ids, after=ours.end_id) == "the river"
    assert streamed(ours, ids, after=ids[0]) == " the river"
    assert ours.bytes_after(ours.end_id, ids[0]) == ours.token_bytes(ids[0])
    assert ours.bytes_after(ids[0], ids[0]) == b" " + ours.token_bytes(ids[0])


def test_a_character_in_several_bytes_is_told_with_the_last_one():
    ours = OURS["llama"]
    ids = ours.encode("a🙂\n")
    decoder = ours.stream_decoder()
    pieces = [decoder.push(i) for i in ids]
    assert "".join(pieces) == "a🙂\n"
    assert "🙂" in pieces
    assert pieces[-1] == "\n"
    broken = [ours.encode("🙂")[1]] * 50
    assert streamed(ours, broken) == ours.decode(broken) == "\ufffd" * 50


@every_sort
def test_the_model_is_saved_as_it_was(sort, tmp_path):
    OURS[sort].save(tmp_path)
    assert find_tokenizer(tmp_path) == tmp_path / "tokenizer.model"
    assert (tmp_path / "tokenizer.model").read_bytes() == foreign.sentencepiece_model(sort)
    loaded = load_tokenizer(tmp_path)
    assert isinstance(loaded, SentencePieceTokenizer)
    assert loaded.sha256 == OURS[sort].sha256
    (tmp_path / "tokenizer.model").rename(tmp_path / "spiece.model")
    assert load_tokenizer(tmp_path).sha256 == OURS[sort].sha256
    assert load_tokenizer(tmp_path / "spiece.model").sha256 == OURS[sort].sha256


def test_another_tokenizers_files_are_not_hidden_or_overwritten_by_it(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(TokenizerFileError, match=r"another tokenizer's tokenizer\.json"):
        OURS["llama"].save(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["tokenizer.json"]


@pytest.mark.parametrize("i", [-1, 500, 10**12])
def test_an_id_that_is_not_there_is_refused(i):
    for call in (OURS["unigram"].token_bytes, lambda i: OURS["unigram"].decode([i])):
        with pytest.raises(TokenizerError, match="not in the vocabulary of 500"):
            call(i)


# ------------------------------------------------------------------------------ damaged and missing

MODEL = foreign.sentencepiece_model("unigram")


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"abc", b"\n\0", MODEL[: len(MODEL) // 2], MODEL[1:], b"\xff"]
)
def test_a_damaged_model_is_refused_by_name(tmp_path, data):
    (tmp_path / "tokenizer.model").write_bytes(data)
    with pytest.raises(TokenizerFileError, match=r"tokenizer\.model: it ") as caught:
        load_tokenizer(tmp_path)
    assert caught.value.hint


def test_an_empty_model_is_called_empty(tmp_path):
    (tmp_path / "tokenizer.model").write_bytes(b"")
    with pytest.raises(TokenizerFileError, match="it is empty"):
        load_tokenizer(tmp_path)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=300))
def test_no_bytes_at_all_raise_anything_else(data):
    with suppress(TokenizerError):
        SentencePieceTokenizer(data)


def test_without_the_library_the_error_says_what_to_install(tmp_path, monkeypatch):
    OURS["llama"].save(tmp_path)
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(TokenizerFileError, match=r"tokenizer\.model is a sentencepiece") as caught:
        load_tokenizer(tmp_path)
    assert "pip install sentencepiece" in caught.value.hint
