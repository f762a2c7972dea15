"""Numbers in place of text: ids as they are written, and what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import yocto
from yocto.errors import TokenizerError, TokenizerFileError
from yocto.tokenizer.ids import IdsTokenizer


@given(st.lists(st.integers(0, 999), max_size=30))
def test_ids_come_back_as_they_were(ids):
    tokenizer = IdsTokenizer(1000)
    text = tokenizer.decode(ids)
    assert text == " ".join(map(str, ids))
    assert tokenizer.encode(text) == ids
    decoder = tokenizer.stream_decoder()
    assert "".join(map(decoder.push, ids)) + decoder.finish() == text


@given(st.lists(st.integers(0, 99), min_size=1), st.sampled_from([" ", "\n", "\t ", "  "]))
def test_any_white_space_parts_ids(ids, space):
    assert IdsTokenizer(100).encode(space + space.join(map(str, ids)) + space) == ids


@pytest.mark.parametrize("text", ["a", "1 b", "-1", "1.0", "100", "٣", "1,2", "9" * 5000, "0x1"])
def test_what_is_no_id_is_named(text):
    with pytest.raises(TokenizerError, match="is no id") as caught:
        IdsTokenizer(100).encode(text)
    assert "0 to 99" in caught.value.message
    assert len(caught.value.message) < 300


def test_text_that_goes_on_keeps_numbers_apart():
    decoder = IdsTokenizer(100).stream_decoder(after=7)
    assert decoder.push(42) == " 42"


def test_ids_outside_can_not_be_decoded():
    with pytest.raises(TokenizerError):
        IdsTokenizer(100).decode([100])


def test_it_is_saved_with_its_ends_and_opened_again(tmp_path):
    made = IdsTokenizer(100, 1, 2)
    made.save(tmp_path)
    again = yocto.load_tokenizer(tmp_path)
    assert isinstance(again, IdsTokenizer)
    assert (again.vocab_size, again.bos_id, again.eos_id, again.end_id) == (100, 1, 2, 2)
    assert again.sha256 == made.sha256
    assert IdsTokenizer(100).end_id is None


@pytest.mark.parametrize(
    "change",
    [("version", 2), ("format", "x"), ("vocab_size", 0), ("vocab_size", "9"), ("eos_id", 100),
     ("bos_id", "1"), ("vocab_size", 1 << 30)],
)  # fmt: skip
def test_a_damaged_file_is_named(tmp_path, change):
    content = {"format": "yocto-ids", "version": 1, "vocab_size": 100, "bos_id": 1, "eos_id": 2}
    path = tmp_path / "ids.json"
    with pytest.raises(TokenizerFileError, match=r"ids\.json"):
        IdsTokenizer.from_json({**content, change[0]: change[1]}, str(path))


def test_it_learns_nothing_and_takes_no_special_tokens():
    with pytest.raises(TokenizerError):
        IdsTokenizer.train(["1 2"])
    with pytest.raises(TokenizerError):
        IdsTokenizer(10).with_special_tokens(["<|user|>"])
