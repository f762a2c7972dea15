"""convert-tokenizer: from one file format to another, with the same ids."""

from __future__ import annotations

from pathlib import Path

import foreign
import pytest
from conftest import Project

from yocto.commands import convert_tokenizer
from yocto.config import ConvertTokenizerConfig
from yocto.errors import ConfigError, DataError, TokenizerError
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.bpe import BPETokenizer
from yocto.tokenizer.char import CharTokenizer
from yocto.tokenizer.store import load_tokenizer
from yocto.tokenizer.word import WordTokenizer
from yocto.utils.progress import SilentProgress

TEXT = "the river, the mountain. Né 🙂 12345 \n\n"


def convert(source: Path | str, out: Path | str, **knobs) -> convert_tokenizer.ConvertedTokenizer:
    config = ConvertTokenizerConfig(tokenizer_path=str(source), out_path=str(out), **knobs)
    return convert_tokenizer.run(config, SilentProgress())


@pytest.fixture
def source(token_project: Project, tmp_path: Path) -> Path:
    """A folder with a byte-bpe tokenizer and nothing else."""
    load_tokenizer(token_project.data).save(tmp_path / "source")
    return tmp_path / "source"


def ids(path: Path, pattern: str | None = None) -> list[int]:
    return load_tokenizer(path, pattern).encode(TEXT)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(f): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


def test_a_rank_file_is_written_and_what_it_leaves_out_is_told(
    source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "mine.tiktoken"
    result = convert(source, out)
    assert ids(out) == ids(source)
    special = load_tokenizer(source).special_tokens["<|endoftext|>"]
    assert result.files == [str(out)]
    assert result.left_out == {"pattern": "gpt2", "special tokens": f"<|endoftext|> = {special}"}
    assert "note:" in result.summary()[1]


def test_a_rank_file_becomes_a_folder_and_its_pattern_is_given(
    source: Path, tmp_path: Path
) -> None:
    ranks, out = tmp_path / "mine.tiktoken", tmp_path / "folder"
    convert(source, ranks)
    result = convert(ranks, out, pattern="llama3")
    assert sorted(f.name for f in out.iterdir()) == ["merges.txt", "tokenizer.json", "vocab.json"]
    loaded = load_tokenizer(out)
    assert isinstance(loaded, BPETokenizer)
    assert loaded.pattern == "llama3"
    assert ids(out) == ids(ranks, "llama3")
    assert result.left_out == {}
    assert "yocto encode --tokenizer-path" in result.summary()[1]


def test_vocab_json_and_merges_txt_become_a_tokenizer_json(source: Path, tmp_path: Path) -> None:
    (source / "tokenizer.json").unlink()
    convert(source, tmp_path / "out", pattern="gpt4")
    assert ids(tmp_path / "out") == ids(source, "gpt4")


@pytest.mark.parametrize(
    "tokenizer", [CharTokenizer("abc"), WordTokenizer.train(["a b c"])], ids=["char", "word"]
)
def test_other_kinds_are_copied_and_have_no_ranks(tokenizer: BaseTokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path / "source")
    convert(tmp_path / "source", tmp_path / "out")
    assert load_tokenizer(tmp_path / "out").sha256 == tokenizer.sha256
    with pytest.raises(TokenizerError, match=f"not {tokenizer.kind} ones"):
        convert(tmp_path / "source", tmp_path / "out.tiktoken")
    assert not (tmp_path / "out.tiktoken").exists()


def test_a_sentencepiece_model_is_copied_under_its_usual_name(tmp_path: Path) -> None:
    pytest.importorskip("sentencepiece")
    (tmp_path / "spiece.model").write_bytes(foreign.sentencepiece_model("llama"))
    result = convert(tmp_path / "spiece.model", tmp_path / "out")
    assert result.kind == "sentencepiece"
    assert ids(tmp_path / "out") == ids(tmp_path / "spiece.model")


def test_what_is_there_already_and_the_same_is_left_as_it_is(source: Path) -> None:
    before = contents(source)
    for _ in range(2):
        convert(source, source)
        convert(source, source / "mine.tiktoken")
    after = contents(source)
    after.pop(str(source / "mine.tiktoken"))
    assert after == before


def test_nothing_is_overwritten(source: Path, tmp_path: Path) -> None:
    ranks = tmp_path / "mine.tiktoken"
    convert(source, ranks)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "merges.txt").write_text("a poem of mine")
    before = contents(tmp_path)
    for start, out, pattern, fault in (
        (ranks, source, None, "tokenizer.json is there already"),  # has a special token more
        (source, mine, None, "merges.txt is there already"),
        (source / "vocab.json", source, "gpt4", "tokenizer.json is there already"),
    ):
        with pytest.raises(DataError, match=fault) as caught:
            convert(start, out, pattern=pattern)
        assert "--out-path" in caught.value.hint
    assert contents(tmp_path) == before


def test_the_tokenizer_itself_is_not_overwritten(source: Path) -> None:
    (source / "tokenizer.json").unlink()
    file = source / "vocab.json"
    file.write_text(file.read_text() + "\n")
    before = contents(source)
    with pytest.raises(DataError, match=r"vocab\.json would be overwritten"):
        convert(source, source)
    assert contents(source) == before


def test_a_folder_with_another_tokenizer_is_not_written_to(source: Path, tmp_path: Path) -> None:
    pytest.importorskip("sentencepiece")
    (tmp_path / "a.model").write_bytes(foreign.sentencepiece_model("llama"))
    (source / "corpus.json").write_text("{}")  # one that yocto trained, which others make room for
    before = contents(source)
    with pytest.raises(DataError, match=r"holds another tokenizer, in tokenizer\.json"):
        convert(tmp_path / "a.model", source)
    assert contents(source) == before


def test_a_pattern_for_a_file_that_names_its_own_is_an_error(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tells by itself how text is split"):
        convert(source, tmp_path / "out", pattern="gpt4")
    convert(source, tmp_path / "out", pattern="gpt2")


def test_the_command_tells_what_it_did(source: Path, tmp_path: Path, yocto) -> None:
    out = tmp_path / "mine.tiktoken"
    result = yocto("convert-tokenizer", "--tokenizer-path", source, "--out-path", out)
    assert result.exit_code == 0
    assert result.stdout.startswith("byte-bpe, 300 tokens -> ")
    assert "pattern: gpt2; special tokens: <|endoftext|> = " in result.stdout
