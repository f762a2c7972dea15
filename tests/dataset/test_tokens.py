"""The .bin format and meta.json."""

import copy
import hashlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yocto.dataset.encode import write_split
from yocto.dataset.tokens import (
    FileMeta,
    Meta,
    SplitMeta,
    bin_dtype,
    load_bin,
    load_split,
    read_meta,
    write_meta,
)
from yocto.errors import DataError

SHA = hashlib.sha256(b"tokenizer").hexdigest()


def write_folder(folder, train, val=(), dtype="uint16", vocab_size=1000):
    splits = {
        name: write_split(folder / f"{name}.bin", [(np.array(ids, dtype), 7)], None, dtype)
        for name, ids in (("train", train), ("val", val))
    }
    write_meta(folder, Meta(dtype, vocab_size, None, SHA, splits, ["a.txt"], "encode"))
    return folder


@pytest.mark.parametrize(
    ("vocab_size", "dtype"),
    [(1, "uint16"), (50257, "uint16"), (65536, "uint16"), (65537, "uint32"), (1 << 24, "uint32")],
)
def test_ids_take_two_bytes_up_to_65536_tokens_and_four_above(vocab_size, dtype):
    assert bin_dtype(vocab_size) == dtype


@given(
    documents=st.lists(st.lists(st.integers(0, 65535), max_size=9), max_size=5),
    end_id=st.none() | st.just(65535),
    dtype=st.sampled_from(["uint16", "uint32"]),
)
def test_a_bin_holds_the_ids_exactly_with_end_ids_between_documents_only(
    tmp_path_factory, documents, end_id, dtype
):
    path = tmp_path_factory.mktemp("bin") / "train.bin"
    parts = [(np.array(ids, dtype), 3 * len(ids)) for ids in documents]
    meta = write_split(path, parts, end_id, dtype)
    expected = []
    for i, ids in enumerate(documents):
        expected += [end_id] * (i > 0 and end_id is not None) + ids
    assert np.fromfile(path, "<u2" if dtype == "uint16" else "<u4").tolist() == expected
    assert meta == SplitMeta(
        tokens=len(expected),
        bytes=3 * sum(map(len, documents)),
        documents=len(documents),
        files=[FileMeta("train.bin", len(expected), hashlib.sha256(path.read_bytes()).hexdigest())],
    )


def test_ids_are_little_endian_without_a_header(tmp_path):
    write_split(tmp_path / "a.bin", [(np.array([1, 258], np.uint16), 2)], None, "uint16")
    assert (tmp_path / "a.bin").read_bytes() == b"\x01\x00\x02\x01"
    write_split(tmp_path / "b.bin", [(np.array([66051], np.uint32), 2)], None, "uint32")
    assert (tmp_path / "b.bin").read_bytes() == b"\x03\x02\x01\x00"


def test_an_id_that_does_not_fit_is_refused_and_no_file_is_left(tmp_path):
    with pytest.raises(DataError, match="id 65536 does not fit into uint16"):
        write_split(tmp_path / "a.bin", [(np.array([65536], np.uint32), 2)], None, "uint16")
    assert list(tmp_path.iterdir()) == []


def test_an_end_id_that_does_not_fit_is_refused(tmp_path):
    parts = [(np.array([1], np.uint32), 1)] * 2
    with pytest.raises(DataError, match="id 70000 does not fit into uint16"):
        write_split(tmp_path / "a.bin", parts, 70000, "uint16")


# ---------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize(
    ("dtype", "ids"), [("uint16", [0, 1, 65535]), ("uint32", [0, 65536, 16_777_215])]
)
def test_a_split_is_a_read_only_memory_map_of_the_ids(tmp_path, dtype, ids):
    folder = write_folder(tmp_path, ids, [5], dtype, vocab_size=1 << 24)
    tokens = load_split(folder, "train", read_meta(folder))
    assert isinstance(tokens, np.memmap)
    assert tokens.dtype == np.dtype(dtype)
    assert tokens.tolist() == ids
    with pytest.raises(ValueError, match="read-only"):
        tokens[0] = 1


def test_an_empty_split_is_an_empty_array(tmp_path):
    folder = write_folder(tmp_path, [1, 2])
    tokens = load_split(folder, "val", read_meta(folder))
    assert tokens.tolist() == []
    assert tokens.dtype == np.uint16


def test_meta_json_gives_back_what_was_written(tmp_path):
    folder = write_folder(tmp_path, [1, 2, 3], [4])
    meta = read_meta(folder)
    assert (meta.dtype, meta.vocab_size, meta.tokenizer_sha256) == ("uint16", 1000, SHA)
    assert (meta.sources, meta.made_by) == (["a.txt"], "encode")
    digest = hashlib.sha256((tmp_path / "train.bin").read_bytes()).hexdigest()
    assert meta.splits["train"] == SplitMeta(
        3, 7, 1, [FileMeta("train.bin", 3, digest)], digest, 2.3333
    )
    content = json.loads((folder / "meta.json").read_text())
    assert (content["format"], content["version"]) == ("yocto-tokens", 1)


@pytest.mark.parametrize("change", [lambda d: d[:-1], lambda d: d[:-2], lambda d: d + b"\0\0"])
def test_a_truncated_or_grown_bin_is_refused(tmp_path, change):
    folder = write_folder(tmp_path, [1, 2, 3])
    path = folder / "train.bin"
    path.write_bytes(change(path.read_bytes()))
    size = path.stat().st_size
    for read in (lambda: load_split(folder, "train", read_meta(folder)), lambda: load_bin(path)):
        with pytest.raises(DataError, match=rf"train\.bin has {size} bytes, but .* of 6"):
            read()


def test_a_missing_bin_is_refused_by_name(tmp_path):
    folder = write_folder(tmp_path, [1, 2, 3])
    (folder / "train.bin").unlink()
    with pytest.raises(DataError, match=r"can't read .*train\.bin") as caught:
        load_split(folder, "train", read_meta(folder))
    assert "yocto encode" in caught.value.hint


def test_a_missing_meta_json_is_refused_with_what_makes_one(tmp_path):
    with pytest.raises(DataError, match=r"can't read .*meta\.json") as caught:
        read_meta(tmp_path)
    assert "yocto encode" in caught.value.hint


DELETED = object()


def damage(*path_and_value):
    """A function that changes one place of meta.json."""
    *path, last, value = path_and_value

    def change(content):
        content = copy.deepcopy(content)
        place = content
        for key in path:
            place = place[key]
        if value is DELETED:
            del place[last]
        else:
            place[last] = value
        return content

    return change


DAMAGES = {
    "a list": (lambda content: [], "is not the meta.json"),
    "a number": (lambda content: 7, "is not the meta.json"),
    "no format": (damage("format", DELETED), "is not the meta.json"),
    "another format": (damage("format", "other"), "is not the meta.json"),
    "no version": (damage("version", DELETED), "has version None"),
    "a newer version": (damage("version", 2), "has version 2; this yocto reads 1"),
    "no dtype": (damage("dtype", DELETED), "KeyError('dtype')"),
    "another dtype": (damage("dtype", "float32"), "wrong type"),
    "a dtype that is a list": (damage("dtype", ["uint16"]), "wrong type"),
    "no vocabulary": (damage("vocab_size", DELETED), "KeyError('vocab_size')"),
    "an empty vocabulary": (damage("vocab_size", 0), "wrong type"),
    "a vocabulary beyond all bounds": (damage("vocab_size", 1 << 25), "wrong type"),
    "a vocabulary that is a text": (damage("vocab_size", "1000"), "wrong type"),
    "a vocabulary that is a truth": (damage("vocab_size", True), "wrong type"),
    "no tokenizer": (damage("tokenizer_sha256", DELETED), "tokenizer_sha256"),
    "a tokenizer that is null": (damage("tokenizer_sha256", None), "wrong type"),
    "no splits": (damage("splits", DELETED), "KeyError('splits')"),
    "splits that are a list": (damage("splits", []), "damaged"),
    "no val": (damage("splits", "val", DELETED), "wrong type"),
    "a split that is null": (damage("splits", "train", None), "damaged"),
    "a split without tokens": (damage("splits", "train", "tokens", DELETED), "tokens"),
    "a split with more": (damage("splits", "train", "lines", 5), "lines"),
    "a negative count": (damage("splits", "train", "tokens", -1), "not a whole number"),
    "a count that is a fraction": (damage("splits", "train", "bytes", 1.5), "whole number"),
    "a count that is a text": (damage("splits", "train", "documents", "1"), "whole number"),
    "no sources": (damage("sources", DELETED), "KeyError('sources')"),
    "sources that are null": (damage("sources", None), "damaged"),
    "no maker": (damage("made_by", DELETED), "KeyError('made_by')"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_meta_json_is_refused_by_name(tmp_path, name):
    change, fault = DAMAGES[name]
    path = write_folder(tmp_path, [1, 2, 3]) / "meta.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(DataError) as caught:
        read_meta(tmp_path)
    assert str(path) in caught.value.message
    assert fault in caught.value.message
    assert "yocto encode" in caught.value.hint


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_meta_json_is_refused_by_name(tmp_path, share):
    path = write_folder(tmp_path, [1, 2, 3]) / "meta.json"
    content = path.read_text().rstrip()
    path.write_text(content[: int(share * len(content))])
    with pytest.raises(DataError, match=r"meta\.json is not valid JSON"):
        read_meta(tmp_path)


# ---------------------------------------------------------------------------------------- load_bin


def test_load_bin_takes_the_dtype_of_the_meta_json_beside_it(tmp_path):
    write_folder(tmp_path, [1, 70_000], [3], "uint32", vocab_size=80_000)
    assert load_bin(tmp_path / "train.bin").tolist() == [1, 70_000]
    assert load_bin(str(tmp_path / "val.bin")).tolist() == [3]


def test_load_bin_takes_a_lone_file_as_uint16(tmp_path):
    np.array([1, 2, 65535], "<u2").tofile(tmp_path / "other.bin")
    tokens = load_bin(tmp_path / "other.bin")
    assert tokens.tolist() == [1, 2, 65535]
    assert isinstance(tokens, np.memmap)
    (tmp_path / "empty.bin").write_bytes(b"")
    assert load_bin(tmp_path / "empty.bin").tolist() == []


def test_load_bin_refuses_a_missing_file_and_an_odd_number_of_bytes(tmp_path):
    with pytest.raises(DataError, match=r"no file .*none\.bin"):
        load_bin(tmp_path / "none.bin")
    (tmp_path / "odd.bin").write_bytes(b"abc")
    with pytest.raises(DataError, match=r"odd\.bin has an odd number of bytes"):
        load_bin(tmp_path / "odd.bin")


def test_an_id_that_is_not_in_the_vocabulary_is_refused(tmp_path):
    meta = Meta(
        "uint16",
        300,
        "0" * 64,
        {"train": SplitMeta(4, 4, 1, ""), "val": SplitMeta(0, 0, 0, "")},
        [],
        "encode",
    )
    np.array([1, 2, 300, 3], "<u2").tofile(tmp_path / "train.bin")
    with pytest.raises(DataError, match="id 300"):
        load_split(tmp_path, "train", meta)
