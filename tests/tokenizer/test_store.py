"""Opening a tokenizer, whatever it is kept in."""

import pytest

from yocto.errors import TokenizerFileError
from yocto.tokenizer.bpe import BPETokenizer
from yocto.tokenizer.bpe_train import BPETrainer
from yocto.tokenizer.char import CharTokenizer
from yocto.tokenizer.store import find_tokenizer, load_tokenizer

BPE = BPETrainer(vocab_size=290).train("the theme of the thesis, the theme")
TEXT = "the theme<|endoftext|>of the thesis"


@pytest.fixture
def folder(tmp_path):
    BPE.save(tmp_path)
    return tmp_path


def test_a_folder_is_opened_by_its_tokenizer_json(folder):
    assert find_tokenizer(folder) == folder / "tokenizer.json"
    (folder / "vocab.json").write_text("damaged")
    assert load_tokenizer(folder).encode(TEXT, "all") == BPE.encode(TEXT, "all")


@pytest.mark.parametrize("name", ["tokenizer.json", "vocab.json", "merges.txt"])
def test_each_of_its_files_opens_a_bpe_tokenizer(folder, name):
    if name != "tokenizer.json":
        (folder / "tokenizer.json").unlink()
    loaded = load_tokenizer(folder / name)
    assert loaded.encode(TEXT, "all") == BPE.encode(TEXT, "all")


def test_a_tokenizer_json_of_another_name_is_opened(folder):
    (folder / "tokenizer.json").rename(folder / "mine.json")
    assert load_tokenizer(folder / "mine.json").special_tokens == BPE.special_tokens


def test_a_folder_with_vocab_json_and_merges_txt_alone_is_opened(folder):
    (folder / "tokenizer.json").unlink()
    loaded = load_tokenizer(folder)
    assert isinstance(loaded, BPETokenizer)
    assert loaded.files() == BPE.files()


def test_a_folder_with_a_vocab_json_of_characters_is_opened(tmp_path):
    CharTokenizer("abc").save(tmp_path)
    assert isinstance(load_tokenizer(tmp_path), CharTokenizer)
    assert isinstance(load_tokenizer(tmp_path / "vocab.json"), CharTokenizer)


def test_a_path_may_be_a_text(folder):
    assert load_tokenizer(str(folder)).vocab_size == BPE.vocab_size


def test_the_pattern_of_files_that_do_not_name_theirs_is_the_given_one(folder):
    assert load_tokenizer(folder, pattern="gpt4").pattern == "gpt2"  # tokenizer.json names it
    (folder / "tokenizer.json").unlink()
    assert load_tokenizer(folder, pattern="gpt4").pattern == "gpt4"


def test_what_is_not_there_is_refused_with_what_makes_one(tmp_path):
    assert find_tokenizer(tmp_path / "nothing") is None
    with pytest.raises(TokenizerFileError, match="nothing is not there") as caught:
        load_tokenizer(tmp_path / "nothing")
    assert "yocto train-tokenizer" in caught.value.hint


def test_a_folder_without_a_tokenizer_is_refused(tmp_path):
    (tmp_path / "notes.md").write_text("nothing here")
    assert find_tokenizer(tmp_path) is None
    with pytest.raises(TokenizerFileError, match="holds no tokenizer"):
        load_tokenizer(tmp_path)


def test_of_two_rank_files_none_is_guessed(tmp_path):
    (tmp_path / "a.tiktoken").write_bytes(b"")
    assert find_tokenizer(tmp_path) == tmp_path / "a.tiktoken"
    (tmp_path / "b.tiktoken").write_bytes(b"")
    assert find_tokenizer(tmp_path) is None


def test_a_vocab_json_without_its_merges_is_refused(folder):
    (folder / "tokenizer.json").unlink()
    (folder / "merges.txt").unlink()
    with pytest.raises(TokenizerFileError, match=r"vocab\.json: 'model' is missing"):
        load_tokenizer(folder)


def test_a_merges_txt_that_is_no_utf_8_is_refused(folder):
    (folder / "tokenizer.json").unlink()
    (folder / "merges.txt").write_bytes(b"#version: 0.2\n\xff\xfe")
    with pytest.raises(TokenizerFileError, match=r"merges\.txt: byte 14 is not UTF-8"):
        load_tokenizer(folder)


@pytest.mark.parametrize("data", [b"", b"{", b"[1, 2", b"\xff\xff\xff\xff", b"[" * 100_000, b"nul"])
def test_a_file_that_is_no_json_is_refused_by_name(tmp_path, data):
    (tmp_path / "tokenizer.json").write_bytes(data)
    with pytest.raises(TokenizerFileError, match=r"tokenizer\.json is not valid JSON"):
        load_tokenizer(tmp_path)


def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path, monkeypatch):
    (tmp_path / "x.tiktoken").write_bytes(b"")

    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    with pytest.raises(TokenizerFileError, match=r"can't read .*x\.tiktoken: Permission denied"):
        load_tokenizer(tmp_path)


def test_where_files_of_several_kinds_lie_they_are_looked_for_in_one_order(tmp_path):
    for name in ("a.model", "b.tiktoken", "vocab.json", "tokenizer.model", "tokenizer.json"):
        (tmp_path / name).write_bytes(b"")
        assert find_tokenizer(tmp_path) == tmp_path / name
    only = tmp_path / "several"
    only.mkdir()
    for name in ("a.model", "b.model"):
        (only / name).write_bytes(b"")
    assert find_tokenizer(only) is None


def test_a_tokenizer_is_not_saved_where_another_would_be_found_before_it(tmp_path):
    (tmp_path / "tokenizer.model").write_bytes(b"another's")
    with pytest.raises(TokenizerFileError, match=r"another tokenizer's tokenizer\.model"):
        CharTokenizer("abc").save(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["tokenizer.model"]
    BPE.save(tmp_path)  # its tokenizer.json is found first
    assert load_tokenizer(tmp_path).sha256 == BPE.sha256
