"""Documents to train.bin, val.bin and meta.json."""

import json

import numpy as np
import pytest

from yocto.dataset.encode import TokenMaker, write_dataset
from yocto.dataset.split import split_documents
from yocto.dataset.tokens import bin_dtype, load_bin, read_meta
from yocto.errors import DataError
from yocto.utils.progress import SilentProgress, SilentTask

END = 300


def encode(text: str, dtype="uint16"):
    return np.frombuffer(text.encode(), np.uint8).astype(dtype)


def write(folder, documents, *, val_ratio=0.1, vocab_size=301, end_id=END, progress=None):
    dtype = bin_dtype(vocab_size)
    maker = TokenMaker(
        lambda texts: [encode(text, dtype) for text in texts], vocab_size, end_id, "0" * 64
    )
    return write_dataset(
        documents, maker, folder, val_ratio=val_ratio, sources=["a.txt"], made_by="encode",
        progress=progress or SilentProgress(),
    )  # fmt: skip


DOCUMENTS = [f"document {i}: ünïcödé 🙂\r\n" for i in range(50)]


def test_the_bins_hold_the_ids_of_each_split_with_end_ids_between(tmp_path):
    write(tmp_path, DOCUMENTS)
    for name, documents in split_documents(DOCUMENTS, 0.1).items():
        expected = [i for document in documents for i in [*encode(document).tolist(), END]][:-1]
        assert load_bin(tmp_path / f"{name}.bin").tolist() == expected
        assert expected.count(END) == len(documents) - 1 >= 1


def test_meta_json_counts_tokens_documents_and_bytes_of_text_exactly(tmp_path):
    meta = write(tmp_path, DOCUMENTS)
    assert read_meta(tmp_path) == meta
    size = sum(split.bytes for split in meta.splits.values())
    assert size == sum(len(document.encode()) for document in DOCUMENTS)
    assert sum(split.documents for split in meta.splits.values()) == 50
    for split in meta.splits.values():
        assert split.tokens == split.bytes + split.documents - 1  # one id per byte, end ids between
    assert (meta.sources, meta.made_by, meta.vocab_size) == (["a.txt"], "encode", 301)


def test_one_document_is_cut_without_an_end_id(tmp_path):
    write(tmp_path, ["abcdefghij"], val_ratio=0.25)
    assert load_bin(tmp_path / "train.bin").tolist() == list(b"abcdefg")
    assert load_bin(tmp_path / "val.bin").tolist() == list(b"hij")


def test_a_tokenizer_without_an_end_token_writes_nothing_between_documents(tmp_path):
    write(tmp_path, ["ab", "cd", "ef"], val_ratio=0, end_id=None)
    assert load_bin(tmp_path / "train.bin").tolist() == list(b"abcdef")


def test_a_vocabulary_above_65536_is_written_as_uint32(tmp_path):
    meta = write(tmp_path, ["ab", "cd"], val_ratio=0, vocab_size=70_000, end_id=69_999)
    assert meta.dtype == "uint32"
    assert np.fromfile(tmp_path / "train.bin", "<u4").tolist() == [97, 98, 69_999, 99, 100]


def test_without_validation_val_bin_is_empty(tmp_path):
    meta = write(tmp_path, DOCUMENTS, val_ratio=0)
    assert meta.splits["val"].tokens == (tmp_path / "val.bin").stat().st_size == 0


@pytest.mark.parametrize("documents", [["a"], [""], []])
def test_too_little_text_to_train_on_is_refused_and_leaves_the_folder_alone(tmp_path, documents):
    (tmp_path / "meta.json").write_text("{}")
    with pytest.raises(DataError, match=r"too short to train on: [01] character"):
        write(tmp_path, documents, val_ratio=0.5)
    assert [path.name for path in tmp_path.iterdir()] == ["meta.json"]


def test_the_same_text_gives_the_same_files(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / name, DOCUMENTS)
    for file in ("train.bin", "val.bin", "meta.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_interrupted_writing_leaves_what_was_there(tmp_path):
    write(tmp_path, DOCUMENTS)

    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fail(text):
        raise KeyboardInterrupt

    maker = TokenMaker(fail, 301, END, "0" * 64)
    with pytest.raises(KeyboardInterrupt):
        write_dataset(
            ["other", "text"], maker, tmp_path, val_ratio=0.5, sources=[], made_by="encode",
            progress=SilentProgress(),
        )  # fmt: skip
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_progress_counts_every_character(tmp_path):
    counted = []

    class Counting(SilentProgress):
        def task(self, description, total, unit, done=0):
            counted.append(-total)
            return self

        def __enter__(self):
            task = SilentTask()
            task.advance = counted.append
            return task

        def __exit__(self, *exception):
            return None

    write(tmp_path, DOCUMENTS, progress=Counting())
    assert counted[0] < 0
    assert sum(counted) == 0


def test_meta_json_is_readable_by_others(tmp_path):
    write(tmp_path, DOCUMENTS)
    content = json.loads((tmp_path / "meta.json").read_text("utf-8"))
    assert sorted(content) == [
        "dtype", "end_id", "format", "made_by", "settings", "sources", "splits",
        "tokenizer_sha256", "version", "vocab_size",
    ]  # fmt: skip
    assert sorted(content["splits"]["train"]) == [
        "bytes", "bytes_per_token", "documents", "files", "sha256", "tokens",
    ]  # fmt: skip
