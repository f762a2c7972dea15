"""prepare-char: text to a character vocabulary and token files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from yocto.commands import prepare_char
from yocto.config import END_OF_TEXT, PrepareCharConfig
from yocto.errors import DataError
from yocto.tokenizer.char import CharTokenizer
from yocto.tokenizer.store import load_tokenizer
from yocto.utils.progress import SilentProgress


def prepare(out_dir: Path, *paths: Path, **knobs) -> prepare_char.Prepared:
    config = PrepareCharConfig(text_path=tuple(map(str, paths)), out_dir=str(out_dir), **knobs)
    return prepare_char.run(config, SilentProgress())


def test_the_files_are_nanogpts(tmp_path: Path, small_text: Path) -> None:
    text = small_text.read_text(encoding="utf-8")
    prepare(tmp_path, small_text)
    characters = sorted(set(text))
    ids = [characters.index(c) for c in text]
    cut = int(len(text) * 0.9)
    assert np.fromfile(tmp_path / "train.bin", "<u2").tolist() == ids[:cut]
    assert np.fromfile(tmp_path / "val.bin", "<u2").tolist() == ids[cut:]
    vocab = json.loads((tmp_path / "vocab.json").read_text(encoding="utf-8"))
    assert vocab["stoi"] == {c: i for i, c in enumerate(characters)}
    assert vocab["itos"] == {str(i): c for i, c in enumerate(characters)}


def test_the_result_tells_sizes_and_the_next_command(tmp_path: Path, small_text: Path) -> None:
    text = small_text.read_text(encoding="utf-8")
    result = prepare(tmp_path, small_text)
    assert result.vocab_size == len(set(text))
    assert sum(split["tokens"] for split in result.splits.values()) == len(text)
    assert sum(split["bytes"] for split in result.splits.values()) == len(text.encode())
    summary = "\n".join(result.summary())
    assert f"{len(set(text))} different characters" in summary
    assert "\nnext: yocto train --mode char --data-dir " in summary


def test_several_documents_get_an_end_token(tmp_path: Path, many_documents: Path) -> None:
    prepare(tmp_path, many_documents)
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.end_token == END_OF_TEXT
    ids = np.fromfile(tmp_path / "train.bin", "<u2")
    train = json.loads((tmp_path / "meta.json").read_text())["splits"]["train"]
    assert (ids == tokenizer.end_id).sum() == train["documents"] - 1


def test_another_share_validates(tmp_path: Path, small_text: Path) -> None:
    result = prepare(tmp_path, small_text, val_ratio=0.5)
    assert abs(result.splits["train"]["tokens"] - result.splits["val"]["tokens"]) <= 1


def test_text_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        prepare(tmp_path, tmp_path / "nowhere.txt")


def test_a_run_that_fails_leaves_the_old_files_whole(
    tmp_path: Path, small_text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(tmp_path, small_text)
    names = ("vocab.json", "train.bin", "val.bin", "meta.json")
    before = [(tmp_path / name).read_bytes() for name in names]

    def fail(*args, **kwargs) -> None:
        raise DataError("the disk went away")

    monkeypatch.setattr(prepare_char, "encode_documents", fail)
    other = tmp_path / "other.txt"
    other.write_text("zzz" * 100)
    with pytest.raises(DataError):
        prepare(tmp_path, other)
    assert [(tmp_path / name).read_bytes() for name in names] == before


def test_the_separator_s_text_inside_a_line_is_plain_text(tmp_path: Path) -> None:
    text = tmp_path / "t.txt"
    text.write_text("one doc\n<|endoftext|>\nsays <|endoftext|> here\n" * 20)
    prepare(tmp_path, text)
    tokenizer = CharTokenizer.load(tmp_path)
    assert "<" in tokenizer.stoi and tokenizer.decode(tokenizer.encode("x <|", "none")) == "x <|"
