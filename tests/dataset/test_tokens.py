"""The .bin format and meta.json."""

import copy
import hashlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yocto.dataset.tokens import (
    FileMeta,
    Meta,
    SplitMeta,
    TokenShards,
    bin_dtype,
    bin_itemsize,
    load_bin,
    load_split,
    look_through,
    read_meta,
    write_meta,
)
from yocto.errors import DataError

SHA = hashlib.sha256(b"tokenizer").hexdigest()


def write_folder(folder, train, val=(), dtype="uint16", vocab_size=1000, shard=None):
    """A folder of token files; shard: ids in each."""
    splits = {}
    for name, ids in (("train", list(train)), ("val", list(val))):
        parts = [ids[i : i + shard] for i in range(0, len(ids), shard)] if shard else [ids]
        files = []
        for i, part in enumerate(parts):
            path = folder / (f"{name}_{i:06d}.bin" if shard else f"{name}.bin")
            path.write_bytes(np.array(part, np.dtype(dtype).newbyteorder("<")).tobytes())
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            files.append(FileMeta(path.name, len(part), digest))
        splits[name] = SplitMeta(len(ids), 7, 1, files)
    write_meta(folder, Meta(dtype, vocab_size, None, SHA, splits, ["a.txt"], "encode"))
    return folder


@pytest.mark.parametrize(
    ("vocab_size", "dtype"),
    [(1, "uint16"), (50257, "uint16"), (65536, "uint16"), (65537, "uint32"), (1 << 24, "uint32")],
)
def test_ids_take_two_bytes_up_to_65536_tokens_and_four_above(vocab_size, dtype):
    assert bin_dtype(vocab_size) == dtype
    assert bin_itemsize(vocab_size) == np.dtype(dtype).itemsize


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
    "a file with more": (damage("splits", "train", "files", 0, "lines", 5), "lines"),
    "a split without files": (damage("splits", "train", "files", []), "other tokens than"),
    "a split with another checksum": (damage("splits", "train", "sha256", ""), "checksum"),
    "sources that are no texts": (damage("sources", [5]), "wrong type"),
    "no settings": (damage("settings", DELETED), "settings"),
    "an end id that is a text": (damage("end_id", "5"), "wrong type"),
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
    write_folder(tmp_path, [1, 2, 300, 3], vocab_size=300)
    with pytest.raises(DataError, match="id 300 is not below 300"):
        load_split(tmp_path, "train", read_meta(tmp_path))


def test_an_altered_file_is_refused_by_name(tmp_path):
    write_folder(tmp_path, range(10), [1, 2], shard=4)
    (tmp_path / "train_000001.bin").write_bytes(b"\7\0" * 4)
    with pytest.raises(DataError, match=r"train_000001\.bin is altered"):
        load_split(tmp_path, "train", read_meta(tmp_path))
    with pytest.raises(DataError, match=r"train_000001\.bin is altered"):
        load_bin(tmp_path / "train_000001.bin")
    assert load_bin(tmp_path / "train_000000.bin").tolist() == [0, 1, 2, 3]
    assert load_split(tmp_path, "val", read_meta(tmp_path)).tolist() == [1, 2]


def test_files_that_take_long_to_look_through_are_not(tmp_path, monkeypatch):
    write_folder(tmp_path, range(10))
    (tmp_path / "train.bin").write_bytes(b"\7\0" * 10)
    monkeypatch.setattr("yocto.dataset.tokens.CHECKED", 19)
    assert load_split(tmp_path, "train", read_meta(tmp_path)).tolist() == [7] * 10
    assert load_bin(tmp_path / "train.bin").tolist() == [7] * 10


@given(st.lists(st.integers(0, 999), max_size=40), st.sampled_from(["uint16", "uint32"]),
       st.integers(1, 9))  # fmt: skip
def test_looking_through_a_file_finds_its_highest_id_and_checksum(
    tmp_path_factory, ids, dtype, block
):
    path = tmp_path_factory.mktemp("look") / "a.bin"
    path.write_bytes(np.array(ids, np.dtype(dtype).newbyteorder("<")).tobytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("yocto.dataset.tokens._BLOCK", 4 * block)
        found = look_through(path, dtype)
    assert found == (max(ids, default=-1), hashlib.sha256(path.read_bytes()).hexdigest())


# ---------------------------------------------------------------------------------------- shards


@given(
    st.lists(st.lists(st.integers(0, 999), max_size=6), min_size=1, max_size=6),
    st.integers(-5, 40),
    st.integers(-5, 40),
)
def test_several_arrays_are_sliced_as_one(parts, start, stop):
    tokens = TokenShards([np.array(part, np.uint16) for part in parts])
    whole = [i for part in parts for i in part]
    assert len(tokens) == len(whole)
    assert tokens[start:stop].tolist() == whole[start:stop]
    assert tokens[:].tolist() == whole
    assert tokens[start:stop].dtype == tokens.dtype == np.uint16


def test_a_split_in_several_files_is_one_sequence(tmp_path):
    write_folder(tmp_path, range(10), shard=4)
    meta = read_meta(tmp_path)
    tokens = load_split(tmp_path, "train", meta)
    assert isinstance(tokens, TokenShards)
    assert (len(tokens), tokens[2:9].tolist()) == (10, [2, 3, 4, 5, 6, 7, 8])
    assert len(load_split(tmp_path, "val", meta)) == 0
    digests = "".join(file.sha256 for file in meta.splits["train"].files)
    assert meta.splits["train"].sha256 == hashlib.sha256(digests.encode()).hexdigest()


@pytest.mark.parametrize("name", ["../train.bin", "a/train.bin", "train.txt", "", 5])
def test_a_file_of_a_strange_name_is_refused(tmp_path, name):
    path = write_folder(tmp_path, [1, 2, 3]) / "meta.json"
    content = json.loads(path.read_text())
    content["splits"]["train"]["files"][0]["name"] = name
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match="damaged"):
        read_meta(tmp_path)
