"""Documents to token files."""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from encoding import (
    END,
    MAKER,
    Told,
    encode_parts,
    encode_slowly,
    files_in,
    ids_in,
    small,
    split_slowly,
    write,
)
from hypothesis import given
from hypothesis import strategies as st

from yocto.config import END_OF_TEXT, TextConfig
from yocto.dataset import encode as encode_module
from yocto.dataset.documents import Texts, open_texts
from yocto.dataset.encode import TokenMaker
from yocto.dataset.text import PART
from yocto.dataset.tokens import load_bin, read_meta
from yocto.dataset.work import STATE_FILE
from yocto.errors import DataError

DOCUMENTS = [f"document {i}: ünïcödé 🙂 and so on, it's {i % 7} of 7\n" for i in range(50)]

# Words and spaces, so that there are places to cut; and anything else.
LINES = st.text(st.sampled_from("ab é🙂 \n'.,7x "), max_size=60) | st.text(
    st.characters(codec="utf-8", exclude_characters="\r\ufeff\0"), max_size=20
)
CORPORA = st.lists(LINES, min_size=1, max_size=8).filter(
    lambda documents: any(d.strip() for d in documents)
)


def text_of(folder: Path, documents: list[str], name: str = "a.txt") -> Path:
    """Documents as a plain text file; each ends with a newline."""
    folder.mkdir(parents=True, exist_ok=True)
    content = "".join(document + "\n" + END_OF_TEXT + "\n" for document in documents)
    (folder / name).write_text(content, encoding="utf-8", newline="")
    return folder / name


def jsonl_of(folder: Path, documents: list[str], name: str = "a.jsonl") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"text": document}) + "\n" for document in documents]
    (folder / name).write_text("".join(lines), encoding="utf-8")
    return folder / name


def byte_encode(parts):
    """An id per byte."""
    ids: list[int] = []
    for part in parts:
        ids += [300] if part is None else list(part)
    return np.array(ids, np.uint16)


BYTES = TokenMaker(byte_encode, 301, 300, "1" * 64)


class Stop(BaseException):
    """Like Ctrl-C."""


def stopping_after(count: int, maker: TokenMaker = MAKER, error: BaseException | None = None):
    """A tokenizer that fails at a call."""
    left = [count]

    def encode(parts):
        left[0] -= 1
        if left[0] < 0:
            raise error or Stop
        return maker.encode(parts)

    return replace(maker, encode=encode)


# ----------------------------------------------------------------------------- what is written


@given(
    documents=CORPORA,
    val_ratio=st.sampled_from([0, 0.1, 0.3, 0.5]),
    shard_tokens=st.sampled_from([None, 1, 2, 3, 7, 1000]),
    workers=st.integers(1, 3),
    batch=st.integers(1, 60),
    part=st.integers(1, 30),
    block=st.integers(1, 30),
    kind=st.sampled_from(["text", "jsonl"]),
)
def test_the_files_hold_what_the_slow_obvious_encoder_makes(
    tmp_path_factory, documents, val_ratio, shard_tokens, workers, batch, part, block, kind
):
    folder = tmp_path_factory.mktemp("encode")
    if kind == "text":
        path, documents = text_of(folder, documents), [d + "\n" for d in documents]
    else:
        path = jsonl_of(folder, documents)
    splits = split_slowly(documents, val_ratio)
    with small(batch, part, block):
        texts = open_texts([path])
        if not splits["train"] or not splits["train"][0]:
            with pytest.raises(DataError, match="too short to train on"):
                write(folder / "out", texts, val_ratio=val_ratio)
            return
        meta = write(
            folder / "out", texts, val_ratio=val_ratio, shard_tokens=shard_tokens, workers=workers
        )
        expected = encode_slowly(documents, val_ratio)
    assert ids_in(folder / "out") == expected
    for name, split in meta.splits.items():
        assert split.tokens == len(expected[name])
        with small(part=part):
            assert split.documents == len(split_slowly(documents, val_ratio)[name])
            assert split.bytes == sum(
                len(d.encode()) for d in split_slowly(documents, val_ratio)[name]
            )
        sizes = [file.tokens for file in split.files]
        if shard_tokens is None:
            assert [file.name for file in split.files] == [f"{name}.bin"]
        else:
            assert [f.name for f in split.files] == [
                f"{name}_{i:06d}.bin" for i in range(len(sizes))
            ]
            assert all(size == shard_tokens for size in sizes[:-1])
            assert all(0 < size <= shard_tokens for size in sizes)
    names = {file.name for split in meta.splits.values() for file in split.files}
    assert {path.name for path in (folder / "out").iterdir()} == names | {"meta.json"}


def test_the_files_don_t_depend_on_the_workers_nor_on_batches(tmp_path):
    path = text_of(tmp_path / "t", DOCUMENTS)
    made = []
    for workers, batch in ((1, 10), (2, 100), (4, 33), (1, 10**6)):
        with small(batch):
            out = tmp_path / f"{workers}-{batch}"
            write(out, open_texts([path]), workers=workers, shard_tokens=50)
            made.append(files_in(out))
    assert made[0] == made[1] == made[2] == made[3]
    assert len(made[0]) > 5


def test_a_split_that_ends_with_a_shard_has_no_empty_one_behind(tmp_path):
    path = text_of(tmp_path / "t", ["abcdefg"])  # 8 bytes with the newline
    meta = write(tmp_path / "o", open_texts([path]), BYTES, val_ratio=0, shard_tokens=4)
    assert [file.tokens for file in meta.splits["train"].files] == [4, 4]
    assert meta.splits["val"].files == []
    assert sorted(files_in(tmp_path / "o")) == ["meta.json", "train_000000.bin", "train_000001.bin"]


def test_meta_json_counts_tokens_documents_and_bytes_of_text_exactly(tmp_path):
    meta = write(tmp_path / "o", open_texts([jsonl_of(tmp_path, DOCUMENTS)]), BYTES)
    assert read_meta(tmp_path / "o") == meta
    size = sum(split.bytes for split in meta.splits.values())
    assert size == sum(len(document.encode()) for document in DOCUMENTS)
    assert sum(split.documents for split in meta.splits.values()) == 50
    for split in meta.splits.values():
        assert split.tokens == split.bytes + split.documents - 1  # one id per byte, ends between
        assert split.bytes_per_token == round(split.bytes / split.tokens, 4)
    assert (meta.sources, meta.made_by, meta.vocab_size) == (["a.txt"], "encode", 301)


def test_one_document_is_cut_without_an_end_id(tmp_path):
    (tmp_path / "a.txt").write_text("abcdefghij")
    write(tmp_path / "o", open_texts([tmp_path / "a.txt"]), BYTES, val_ratio=0.25)
    assert load_bin(tmp_path / "o/train.bin").tolist() == list(b"abcdefg")
    assert load_bin(tmp_path / "o/val.bin").tolist() == list(b"hij")


@given(
    st.text(st.sampled_from("aé🙂 "), min_size=20, max_size=80).filter(
        lambda t: "a" in t  # something that is not white space
    ),
    st.floats(0.1, 0.9),
    st.integers(1, 5),
)
def test_one_document_in_parts_is_cut_by_characters_not_bytes(tmp_path_factory, text, ratio, n):
    folder = tmp_path_factory.mktemp("cut")
    (folder / "a.txt").write_text(text * n, encoding="utf-8")
    with small(batch=15, part=5, block=7):
        write(folder / "o", open_texts([folder / "a.txt"]), BYTES, val_ratio=ratio)
    cut = int(len(text * n) * (1 - ratio))
    assert bytes(load_bin(folder / "o/train.bin").tolist()).decode() == (text * n)[:cut]
    assert bytes(load_bin(folder / "o/val.bin").tolist()).decode() == (text * n)[cut:]


def test_a_tokenizer_without_an_end_token_writes_nothing_between_documents(tmp_path):
    maker = TokenMaker(lambda parts: encode_parts(parts, None), END + 1, None, "0" * 64)
    documents = ["ab", "cd", "ef"]
    write(tmp_path / "o", open_texts([jsonl_of(tmp_path, documents)]), maker, val_ratio=0)
    assert ids_in(tmp_path / "o")["train"] == encode_slowly(documents, 0, end_id=None)["train"]


def test_a_vocabulary_above_65536_is_written_as_uint32(tmp_path):
    maker = TokenMaker(
        lambda parts: np.array([69_999 if p is None else 65_536 for p in parts], np.uint32),
        70_000, 69_999, "0" * 64,
    )  # fmt: skip
    meta = write(tmp_path / "o", open_texts([jsonl_of(tmp_path, ["a", "b"])]), maker, val_ratio=0)
    assert meta.dtype == "uint32"
    assert np.fromfile(tmp_path / "o/train.bin", "<u4").tolist() == [65_536, 69_999, 65_536]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("bad", [1000, 65_536, 70_000])
def test_an_id_beyond_the_vocabulary_is_refused_not_cut_short(tmp_path, bad, workers):
    maker = replace(MAKER, encode=lambda parts: np.array([1, bad], np.uint32))
    with pytest.raises(DataError, match=f"made id {bad}, but its vocabulary has 1000"):
        write(tmp_path / "o", open_texts([jsonl_of(tmp_path, DOCUMENTS)]), maker, workers=workers)
    assert list((tmp_path / "o").iterdir()) == []


def test_without_validation_val_bin_is_empty(tmp_path):
    meta = write(tmp_path / "o", open_texts([jsonl_of(tmp_path, DOCUMENTS)]), val_ratio=0)
    assert meta.splits["val"].tokens == (tmp_path / "o/val.bin").stat().st_size == 0


def test_too_little_text_to_train_on_is_refused_and_leaves_the_folder_alone(tmp_path):
    (tmp_path / "o").mkdir()
    (tmp_path / "o/meta.json").write_text("{}")
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(DataError, match="too short to train on: 1 character"):
        write(tmp_path / "o", open_texts([tmp_path / "a.txt"]), val_ratio=0.5)
    assert files_in(tmp_path / "o") == {"meta.json": b"{}"}


def test_meta_json_is_readable_by_others(tmp_path):
    write(tmp_path / "o", open_texts([jsonl_of(tmp_path, DOCUMENTS)]))
    content = json.loads((tmp_path / "o/meta.json").read_text("utf-8"))
    assert sorted(content) == [
        "dtype", "end_id", "format", "made_by", "settings", "sources", "splits",
        "tokenizer_sha256", "version", "vocab_size",
    ]  # fmt: skip
    assert sorted(content["splits"]["train"]) == [
        "bytes", "bytes_per_token", "documents", "files", "sha256", "tokens",
    ]  # fmt: skip


# -------------------------------------------------------------------------------------- progress


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("compressed", [False, True])
def test_progress_counts_every_byte_of_the_files(tmp_path, workers, compressed):
    path = text_of(tmp_path, DOCUMENTS)
    if compressed:
        path = tmp_path / "a.txt.gz"
        path.write_bytes(gzip.compress((tmp_path / "a.txt").read_bytes()))
    told = Told()
    with small(100, 30, 64):
        write(tmp_path / "o", open_texts([path]), workers=workers, progress=told)
    looking, encoding = told.bars
    assert [looking[0], encoding[0]] == ["looking through the text", "encoding"]
    size = path.stat().st_size
    assert looking[1] == encoding[1] == size
    assert encoding[2] == 0
    assert sum(encoding[3]) == size
    assert all(amount > 0 for amount in encoding[3])
    assert told.words.endswith(" MB/s")


def test_the_bar_starts_where_the_work_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(encode_module, "_SAVED", -1)
    path = text_of(tmp_path, DOCUMENTS)
    with small(100, 30, 64):
        with pytest.raises(Stop):
            write(tmp_path / "o", open_texts([path]), stopping_after(10), keep=True)
        told = Told()
        write(tmp_path / "o", open_texts([path]), keep=True, resume=True, progress=told)
    (encoding,) = told.bars  # how to split it is known
    assert encoding[2] > path.stat().st_size / 5
    assert encoding[2] + sum(encoding[3]) == path.stat().st_size
    assert any("going on with" in line and " tokens are there" in line for line in told.lines)


def test_unknown_tokens_are_told_also_where_they_came_before_a_stop(tmp_path, monkeypatch):
    monkeypatch.setattr(encode_module, "_SAVED", -1)
    path = jsonl_of(tmp_path, ["abc"] * 10 + ["xyz"] * 10)
    maker = replace(BYTES, unk_id=ord("b"))
    with small(9):
        with pytest.raises(Stop):
            write(tmp_path / "o", open_texts([path]), stopping_after(5, maker), val_ratio=0,
                  keep=True)  # fmt: skip
        told = Told()
        write(tmp_path / "o", open_texts([path]), maker, val_ratio=0, keep=True, resume=True,
              progress=told)  # fmt: skip
    (notice,) = [line for line in told.lines if "<unk>" in line]
    assert notice.startswith(f"{10 / 79:.2%} of the tokens are <unk>")


def test_a_split_far_from_what_was_asked_is_told(tmp_path):
    told = Told()
    path = jsonl_of(tmp_path, ["short", "short too", "a long one " * 50])
    write(tmp_path / "o", open_texts([path]), progress=told, val_ratio=0.5)
    assert any("of the text validates, not 50%" in line for line in told.lines)


# ----------------------------------------------------------------------------- stopped, gone on


@given(
    documents=CORPORA,
    val_ratio=st.sampled_from([0, 0.3]),
    shard_tokens=st.sampled_from([None, 1, 3, 20]),
    stops=st.lists(st.integers(0, 12), min_size=1, max_size=4),
    batch=st.integers(1, 40),
    part=st.integers(1, 20),
    block=st.integers(1, 20),
    saved=st.sampled_from([-1.0, 5.0]),
    kind=st.sampled_from(["text", "jsonl"]),
    errors=st.sampled_from(["strict", "replace"]),
)
def test_stopped_anywhere_and_gone_on_the_files_are_those_of_an_undisturbed_run(
    tmp_path_factory, documents, val_ratio, shard_tokens, stops, batch, part, block, saved, kind,
    errors,
):  # fmt: skip
    folder = tmp_path_factory.mktemp("resume")
    path = (text_of if kind == "text" else jsonl_of)(folder, documents)
    shape = {"val_ratio": val_ratio, "shard_tokens": shard_tokens, "keep": True}

    def texts() -> Texts:
        return open_texts([path], TextConfig(errors=errors))

    with small(batch, part, block), pytest.MonkeyPatch.context() as patch:
        patch.setattr(encode_module, "_SAVED", saved)
        try:
            write(folder / "whole", texts(), **shape)
        except DataError:
            return  # too short
        for stop in stops:
            try:
                write(folder / "o", texts(), stopping_after(stop), resume=True, **shape)
            except Stop:
                continue
        write(folder / "o", texts(), resume=True, **shape)
    assert files_in(folder / "o") == files_in(folder / "whole")


@pytest.mark.parametrize("shard_tokens", [None, 10])
def test_one_long_document_stopped_anywhere_is_cut_at_the_same_place(
    tmp_path, monkeypatch, shard_tokens
):
    monkeypatch.setattr(encode_module, "_SAVED", -1)
    path = tmp_path / "a.txt"
    path.write_text("wörd äfter wörd 🙂 " * 60, encoding="utf-8")
    shape = {"val_ratio": 0.4, "keep": True, "shard_tokens": shard_tokens}
    with small(60, 30, 16):
        write(tmp_path / "whole", open_texts([path]), **shape)
        for stop in range(1, 24, 3):
            out = tmp_path / str(stop)
            with pytest.raises(Stop):
                write(out, open_texts([path]), stopping_after(stop), **shape)
            write(out, open_texts([path]), resume=True, **shape)
            assert files_in(out) == files_in(tmp_path / "whole")


def test_finished_shards_have_their_names_at_once(tmp_path):
    path = text_of(tmp_path, DOCUMENTS)
    with small(100), pytest.raises(Stop):
        write(tmp_path / "o", open_texts([path]), stopping_after(12), keep=True, shard_tokens=20)
    names = sorted(files_in(tmp_path / "o"))
    assert "train_000000.bin" in names and STATE_FILE in names and "meta.json" not in names
    assert (tmp_path / "o/train_000000.bin").stat().st_size == 40


def test_gone_on_with_the_work_before_is_not_done_again(tmp_path, monkeypatch):
    monkeypatch.setattr(encode_module, "_SAVED", -1)
    path = text_of(tmp_path, DOCUMENTS)
    with small(100):
        calls = []
        counting = replace(MAKER, encode=lambda parts: calls.append(1) or encode_parts(parts))
        write(tmp_path / "whole", open_texts([path]), counting)
        with pytest.raises(Stop):
            write(tmp_path / "o", open_texts([path]), stopping_after(20), keep=True)
        whole, calls[:] = len(calls), []
        write(tmp_path / "o", open_texts([path]), counting, keep=True, resume=True)
    assert len(calls) <= whole - 18


def test_what_is_not_to_be_kept_leaves_nothing(tmp_path):
    path = text_of(tmp_path, DOCUMENTS)
    for shard_tokens in (None, 20):
        with small(100), pytest.raises(Stop):
            write(tmp_path / "o", open_texts([path]), stopping_after(12), shard_tokens=shard_tokens)
        assert list((tmp_path / "o").iterdir()) == []


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("shard_tokens", [None, 20])
def test_interrupted_writing_leaves_what_was_there(tmp_path, keep, shard_tokens):
    path = text_of(tmp_path, DOCUMENTS)
    write(tmp_path / "o", open_texts([path]))
    before = files_in(tmp_path / "o")
    other = text_of(tmp_path, DOCUMENTS[::-1], "b.txt")
    with small(100), pytest.raises(Stop):
        write(tmp_path / "o", open_texts([other]), stopping_after(12), keep=keep,
              shard_tokens=shard_tokens)  # fmt: skip
    after = files_in(tmp_path / "o")
    assert {name: data for name, data in after.items() if not name.startswith(".")} == before
    if not keep:
        assert after == before


def test_new_files_take_the_place_of_old_ones(tmp_path):
    path = text_of(tmp_path, DOCUMENTS)
    write(tmp_path / "o", open_texts([path]), shard_tokens=20)
    write(tmp_path / "o", open_texts([path]))
    write(tmp_path / "new", open_texts([path]))
    assert files_in(tmp_path / "o") == files_in(tmp_path / "new")


def test_an_error_says_that_the_work_is_kept(tmp_path):
    path = text_of(tmp_path, DOCUMENTS)
    maker = stopping_after(12, error=DataError("the tokenizer broke", "Mend it."))
    with small(100), pytest.raises(DataError) as caught:
        write(tmp_path / "o", open_texts([path]), maker, keep=True, shard_tokens=20)
    assert caught.value.hint == (
        "Mend it. What is encoded is kept: the same command with --resume goes on."
    )


def test_an_error_before_anything_is_kept_does_not_say_so(tmp_path):
    maker = stopping_after(0, error=DataError("the tokenizer broke", "Mend it."))
    with pytest.raises(DataError) as caught:
        write(tmp_path / "o", open_texts([text_of(tmp_path, DOCUMENTS)]), maker, keep=True)
    assert caught.value.hint == "Mend it."
    assert list((tmp_path / "o").iterdir()) == []


# ------------------------------------------------------------------------- texts that go wrong


def folder_of_files(folder: Path) -> list[Path]:
    """Five compressed files of ten documents."""
    folder.mkdir()
    for i in range(5):
        text = f"\n{END_OF_TEXT}\n".join(DOCUMENTS[10 * i : 10 * i + 10])
        (folder / f"{i}.txt.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    return sorted(folder.iterdir())


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("shard_tokens", [None, 17])
def test_a_truncated_file_amid_others_keeps_what_came_before(tmp_path, workers, shard_tokens):
    files = folder_of_files(tmp_path / "texts")
    shape = {"shard_tokens": shard_tokens, "keep": True, "workers": workers}
    with small(100, 30, 64):
        write(tmp_path / "whole", open_texts([tmp_path / "texts"]), **shape)
        data = files[2].read_bytes()
        files[2].write_bytes(data[: len(data) // 2])
        with pytest.raises(DataError, match=r"2\.txt\.gz is cut off") as caught:
            write(tmp_path / "o", open_texts([tmp_path / "texts"]), **shape)
        assert "--resume goes on" in caught.value.hint
        if shard_tokens:
            kept = files_in(tmp_path / "o")
            whole = files_in(tmp_path / "whole")
            shards = [name for name in kept if name.endswith(".bin")]
            assert shards and all(kept[name] == whole[name] for name in shards)
        with pytest.raises(DataError, match=r"2\.txt\.gz is cut off"):  # not mended yet
            write(tmp_path / "o", open_texts([tmp_path / "texts"]), resume=True, **shape)
        files[2].write_bytes(data)
        write(tmp_path / "o", open_texts([tmp_path / "texts"]), resume=True, **shape)
    assert files_in(tmp_path / "o") == files_in(tmp_path / "whole")


def test_a_file_that_vanishes_is_told_and_the_work_goes_on_when_it_is_back(tmp_path):
    files = folder_of_files(tmp_path / "texts")
    shape = {"shard_tokens": 17, "keep": True}
    with small(100, 30, 64):
        write(tmp_path / "whole", open_texts([tmp_path / "texts"]), **shape)
        texts = open_texts([tmp_path / "texts"])
        files[3].rename(tmp_path / "away")
        with pytest.raises(DataError, match=r"there is no text file .*3\.txt\.gz"):
            write(tmp_path / "o", texts, **shape)
        (tmp_path / "away").rename(files[3])
        write(tmp_path / "o", open_texts([tmp_path / "texts"]), resume=True, **shape)
    assert files_in(tmp_path / "o") == files_in(tmp_path / "whole")


def stopped(tmp_path: Path, path: Path, count: int = 12, part: int = PART, **shape) -> None:
    """Work on a text in tmp_path/o that is stopped midway, with a state."""
    # Parts as large as ever: how a document is split goes by the first one.
    with small(100, part, 64), pytest.MonkeyPatch.context() as patch, pytest.raises(Stop):
        patch.setattr(encode_module, "_SAVED", -1)
        write(tmp_path / "o", open_texts([path]), stopping_after(count), keep=True, **shape)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"val_ratio": 0.2}, "val ratio"),
        ({"shard_tokens": 99}, "shard tokens"),
        ({"sources": ["b.txt"]}, "text"),
        ({"settings": {"errors": "replace"}}, "settings of the text"),
        ({"maker": replace(MAKER, sha256="2" * 64)}, "tokenizer"),
    ],
)
def test_what_changed_is_refused_and_the_work_kept(tmp_path, change, told):
    path = text_of(tmp_path, DOCUMENTS)
    stopped(tmp_path, path)
    before = files_in(tmp_path / "o")
    with pytest.raises(DataError, match=f"begun with other {told}") as caught:
        write(tmp_path / "o", open_texts([path]), keep=True, resume=True, **change)
    assert "without --resume" in caught.value.hint
    assert files_in(tmp_path / "o") == before


def test_a_text_that_changed_is_refused(tmp_path):
    path = text_of(tmp_path, DOCUMENTS)
    stopped(tmp_path, path)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DataError, match="files have changed since"):
        write(tmp_path / "o", open_texts([path]), keep=True, resume=True)


def test_a_file_that_was_read_and_changed_is_refused_one_to_come_is_not(tmp_path):
    folder = tmp_path / "t"
    for i in range(5):
        text_of(folder, DOCUMENTS[10 * i : 10 * i + 10], f"{i}.txt")
    stopped(tmp_path, folder)
    text_of(folder, ["another"], "4.txt")
    text_of(folder, ["more"], "5.txt")
    write(tmp_path / "whole", open_texts([folder]), keep=True)
    before = (folder / "0.txt").read_bytes()
    (folder / "0.txt").write_bytes(before + b"x")
    with pytest.raises(DataError, match="files have changed since"):
        write(tmp_path / "o", open_texts([folder]), keep=True, resume=True)
    text_of(folder, ["first of all"], "00.txt")  # all others come one later
    with pytest.raises(DataError, match="files have changed since"):
        write(tmp_path / "o", open_texts([folder]), keep=True, resume=True)


def test_files_to_come_may_change(tmp_path):
    folder = tmp_path / "t"
    for i in range(5):
        text_of(folder, DOCUMENTS[10 * i : 10 * i + 10], f"{i}.txt")
    stopped(tmp_path, folder)
    text_of(folder, ["another"], "4.txt")
    text_of(folder, ["more"], "5.txt")
    write(tmp_path / "o", open_texts([folder]), keep=True, resume=True)
    write(tmp_path / "whole", open_texts([folder]), keep=True)
    assert files_in(tmp_path / "o") == files_in(tmp_path / "whole")


def test_a_download_that_was_completed_meanwhile_goes_on(tmp_path):
    whole = text_of(tmp_path, DOCUMENTS).read_bytes()
    path = tmp_path / "a.txt"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    stopped(tmp_path, path)
    path.write_bytes(whole)
    write(tmp_path / "o", open_texts([path]), keep=True, resume=True)
    write(tmp_path / "whole", open_texts([path]), keep=True)
    assert files_in(tmp_path / "o") == files_in(tmp_path / "whole")


def test_one_document_that_got_longer_is_refused_as_it_would_be_cut_elsewhere(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("word after word " * 300)
    stopped(tmp_path, path, part=30)
    path.write_text("word after word " * 400)
    with pytest.raises(DataError, match="files have changed since"):
        write(tmp_path / "o", open_texts([path]), keep=True, resume=True)


def test_going_on_when_all_is_done_does_nothing_and_says_so(tmp_path):
    path = text_of(tmp_path, DOCUMENTS)
    meta = write(tmp_path / "o", open_texts([path]), keep=True)
    before, told = files_in(tmp_path / "o"), Told()
    again = write(tmp_path / "o", open_texts([path]), stopping_after(0), keep=True, resume=True,
                  progress=told)  # fmt: skip
    assert again == meta and files_in(tmp_path / "o") == before
    assert any("encoded already" in line for line in told.lines)


def test_going_on_when_other_work_is_done_starts_that_work(tmp_path):
    path = text_of(tmp_path, DOCUMENTS)
    write(tmp_path / "o", open_texts([path]), keep=True, settings={"errors": "replace"})
    told = Told()
    write(tmp_path / "o", open_texts([path]), keep=True, resume=True, progress=told)
    assert any("nothing in" in line and "starting afresh" in line for line in told.lines)
    write(tmp_path / "whole", open_texts([path]), keep=True)
    assert files_in(tmp_path / "o") == files_in(tmp_path / "whole")


def test_going_on_where_nothing_is_starts_afresh(tmp_path):
    path, told = text_of(tmp_path, DOCUMENTS), Told()
    write(tmp_path / "o", open_texts([path]), keep=True, resume=True, progress=told)
    write(tmp_path / "whole", open_texts([path]))
    assert files_in(tmp_path / "o") == files_in(tmp_path / "whole")
    assert any("starting afresh" in line for line in told.lines)


@pytest.mark.parametrize("beside", [False, True])
def test_without_resume_interrupted_work_is_begun_anew(tmp_path, beside):
    path = text_of(tmp_path, DOCUMENTS)
    if beside:
        write(tmp_path / "o", open_texts([path]), shard_tokens=7)
    stopped(tmp_path, path, shard_tokens=20)
    told = Told()
    write(tmp_path / "o", open_texts([path]), val_ratio=0.5, progress=told)
    write(tmp_path / "whole", open_texts([path]), val_ratio=0.5)
    assert files_in(tmp_path / "o") == files_in(tmp_path / "whole")
    assert any("was interrupted; it starts anew" in line for line in told.lines)


@pytest.mark.parametrize("seed", range(3))
def test_random_stops_of_a_larger_corpus(tmp_path, seed):
    rng = random.Random(seed)
    documents = [" ".join(rng.choices(["word", "né", "🙂", "it's", "7"], k=rng.randint(1, 900)))
                 for _ in range(40)]  # fmt: skip
    path = text_of(tmp_path, documents)
    with small(500, 100, 64):
        write(tmp_path / "whole", open_texts([path]), shard_tokens=100, keep=True)
        for _ in range(30):
            try:
                write(
                    tmp_path / "o",
                    open_texts([path]),
                    stopping_after(rng.randint(0, 20)),
                    shard_tokens=100,
                    keep=True,
                    resume=True,
                    workers=rng.randint(1, 3),
                )
            except Stop:
                continue
        write(tmp_path / "o", open_texts([path]), shard_tokens=100, keep=True, resume=True)
    assert files_in(tmp_path / "o") == files_in(tmp_path / "whole")
