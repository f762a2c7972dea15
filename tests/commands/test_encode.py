"""encode: text to token files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import Project

from yocto.commands import encode
from yocto.config import EncodeConfig
from yocto.dataset.tokens import read_meta
from yocto.errors import DataError, TokenizerFileError
from yocto.tokenizer.store import load_tokenizer
from yocto.utils.progress import SilentProgress


@pytest.fixture
def folder(token_project: Project, tmp_path: Path) -> Path:
    """A tokenizer's folder without token files."""
    data = token_project.copy_to(tmp_path).data
    for file in [*data.glob("*.bin"), data / "meta.json"]:
        file.unlink()
    return data


def run(**knobs) -> encode.Encoded:
    return encode.run(EncodeConfig(**knobs), SilentProgress())


def test_without_a_text_the_tokenizers_own_corpus_is_encoded(
    folder: Path, many_documents: Path
) -> None:
    result = run(tokenizer_path=str(folder / "tokenizer.json"))
    meta = read_meta(folder)
    assert meta.made_by == "encode"
    assert meta.sources == [str(many_documents)]
    assert sum(split.documents for split in meta.splits.values()) == 40
    assert result.splits["train"]["tokens"] == len(np.fromfile(folder / "train.bin", "<u2"))
    assert "train.bin" in result.summary()[0]


def test_a_folder_will_do_for_the_tokenizer_and_text_and_place_can_be_named(
    folder: Path, small_text: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run(tokenizer_path=str(folder), text_path=(str(small_text),), out_dir=str(out), val_ratio=0.5)
    assert not (folder / "meta.json").exists()
    tokenizer = load_tokenizer(folder)
    text = "".join(
        tokenizer.decode(np.fromfile(out / f"{split}.bin", "<u2")) for split in ("train", "val")
    )
    assert text == small_text.read_text(encoding="utf-8")


def test_without_a_recorded_corpus_the_error_says_to_name_a_text(folder: Path) -> None:
    (folder / "corpus.json").unlink()
    with pytest.raises(DataError) as caught:
        run(tokenizer_path=str(folder))
    assert "--text-path" in caught.value.hint


@pytest.mark.parametrize("content", ["", "{}", '{"paths": []}', '{"paths": [1]}', "[]"])
def test_a_damaged_record_is_an_error_that_names_it(folder: Path, content: str) -> None:
    (folder / "corpus.json").write_text(content)
    with pytest.raises(DataError, match=r"corpus\.json"):
        run(tokenizer_path=str(folder))


def test_without_a_tokenizer_the_error_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(TokenizerFileError) as caught:
        run(tokenizer_path=str(tmp_path / "none.json"))
    assert "yocto train-tokenizer" in caught.value.hint
