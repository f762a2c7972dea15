"""Token files read as documents."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from encoding import (
    END,
    MAKER,
    encode_parts,
    encode_slowly,
    files_in,
    ids_in,
    joined,
    small,
    write,
)
from hypothesis import given
from hypothesis import strategies as st

from yocto.dataset import encode
from yocto.dataset.decoded import TokenDocuments
from yocto.dataset.documents import BEGIN
from yocto.dataset.tokens import FileMeta, Meta, SplitMeta, write_meta
from yocto.errors import DataError

OLD_END = 256
TEXTS = st.text(st.sampled_from("ab é🙂 \n'.,7x "), max_size=40) | st.text(
    st.characters(codec="utf-8"), max_size=10
)
SPLITS = st.fixed_dictionaries(
    {"train": st.lists(TEXTS, max_size=6), "val": st.lists(TEXTS, max_size=3)}
)


def decode(ids, previous: int | None) -> bytes:
    """A token is a byte."""
    return bytes(ids.tolist())


def token_folder(
    folder: Path, splits: dict[str, list[bytes]], shard: int | None = None, with_meta: bool = True
) -> Path:
    """Token files whose ids are bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    metas = {}
    for name, documents in splits.items():
        ids = joined([list(document) for document in documents], OLD_END)
        parts = [ids[i : i + shard] for i in range(0, len(ids), shard)] if shard else [ids]
        files = []
        for i, part in enumerate(parts):
            path = folder / (f"{name}_{i:06d}.bin" if shard else f"{name}.bin")
            np.array(part, "<u2").tofile(path)
            files.append(FileMeta(path.name, len(part), hashlib.sha256(path.read_bytes()).hexdigest()))  # fmt: skip # noqa: E501
        size = sum(map(len, documents))
        metas[name] = SplitMeta(len(ids), size, len(documents), files)
    if with_meta:
        write_meta(folder, Meta("uint16", 257, OLD_END, "0" * 64, metas, [], "encode"))
    return folder


def encoded(splits: dict[str, list[str]]) -> dict[str, list[bytes]]:
    return {name: [d.encode() for d in documents] for name, documents in splits.items()}


def documents_of(folder: Path, cuts="raw") -> TokenDocuments:
    return TokenDocuments(folder, decode, 257, OLD_END, cuts=cuts)


def texts_in(documents: TokenDocuments) -> dict[str, list[str]]:
    """Whole documents by split."""
    found: dict[str, list[str]] = {"train": [], "val": []}
    text = b""
    for piece in documents.pieces():
        assert piece.starts == (text == b"") or not piece.data
        text = piece.data if piece.starts else text + piece.data
        if piece.ends:
            found[piece.split].append(text.decode())
            text = b""
    return found


@given(
    SPLITS, st.none() | st.integers(1, 20), st.booleans(), st.integers(1, 30), st.integers(1, 30),
    st.sampled_from(["none", "raw", "any"]),
)  # fmt: skip
def test_the_documents_come_back_in_their_splits(
    tmp_path_factory, splits, shard, with_meta, part, block, cuts
):
    folder = token_folder(tmp_path_factory.mktemp("f"), encoded(splits), shard, with_meta)
    expected = {name: [d for d in texts if d.strip()] for name, texts in splits.items()}
    with small(part=part, block=block):
        if not with_meta and not list(folder.glob("train*.bin")):
            with pytest.raises(DataError, match="no token files"):
                documents_of(folder, cuts)
            return
        documents = documents_of(folder, cuts)
        if not any(expected.values()):
            with pytest.raises(DataError, match="there is no text in"):
                texts_in(documents)
            return
        assert texts_in(documents) == expected
        assert documents.consumed == documents.size == sum(
            path.stat().st_size for path in folder.glob("*.bin")
        )  # fmt: skip


@given(SPLITS, st.integers(1, 20), st.integers(1, 30), st.sampled_from(["raw", "any"]))
def test_reading_goes_on_from_any_place(tmp_path_factory, splits, part, block, cuts):
    folder = token_folder(tmp_path_factory.mktemp("f"), encoded(splits))
    with small(part=part, block=block):
        documents = documents_of(folder, cuts)
        if not any(d.strip() for texts in splits.values() for d in texts):
            return
        pieces = list(documents.pieces())
        places = [BEGIN, *(piece.place for piece in pieces)]
        assert len(set(places)) == len(places)
        for i, place in enumerate(places):
            assert list(documents.pieces(place)) == pieces[i:]


def test_a_long_document_comes_in_parts_where_no_character_is_cut(tmp_path):
    text = "wörd 🙂 more " * 400
    folder = token_folder(tmp_path / "f", {"train": [text.encode()], "val": []})
    with small(part=50, block=64):
        pieces = list(documents_of(folder).pieces())
        assert len(pieces) > 20
        assert "".join(piece.data.decode() for piece in pieces) == text
        (whole,) = documents_of(folder, "none").pieces()
        assert whole.data.decode() == text


def test_bytes_that_are_no_text_become_replacement_characters(tmp_path):
    folder = token_folder(tmp_path / "f", {"train": [b"a\xffb", b"caf\xc3"], "val": []})
    assert texts_in(documents_of(folder))["train"] == ["a\ufffdb", "caf\ufffd"]


def test_a_token_may_depend_on_the_one_before_it_also_over_blocks(tmp_path):
    seen = []

    def spaced(ids, previous):
        seen.append((ids.tolist(), previous))
        words = [f"w{i}" for i in ids.tolist()]
        return (" " * (previous is not None and len(words) > 0) + " ".join(words)).encode()

    folder = token_folder(tmp_path / "f", {"train": [bytes(range(9)), bytes([1, 2])], "val": []})
    with small(block=8):
        pieces = TokenDocuments(folder, spaced, 257, OLD_END, cuts="none").pieces()
        assert [piece.data for piece in pieces] == [
            b"w0 w1 w2 w3 w4 w5 w6 w7 w8", b"w1 w2",
        ]  # fmt: skip
    assert seen[0] == ([0, 1, 2, 3], None)
    assert seen[1] == ([4, 5, 6, 7], 3)


def test_without_an_end_token_a_split_is_one_document(tmp_path):
    folder = token_folder(tmp_path / "f", {"train": [b"ab"], "val": [b"cd"]})
    pieces = list(TokenDocuments(folder, decode, 257, None).pieces())
    assert [(p.data, p.split, p.starts, p.ends) for p in pieces] == [
        (b"ab", "train", True, True), (b"cd", "val", True, True),
    ]  # fmt: skip


# --------------------------------------------------------------------------- encoding them anew


class Stop(BaseException):
    pass


@given(
    SPLITS, st.none() | st.integers(1, 9), st.sampled_from([None, 2, 7]),
    st.lists(st.integers(0, 8), max_size=3), st.integers(1, 40), st.integers(1, 20),
    st.sampled_from([-1.0, 5.0]),
)  # fmt: skip
def test_encoded_anew_they_are_what_the_slow_encoder_makes_stopped_or_not(
    tmp_path_factory, splits, shard, shard_tokens, stops, batch, part, saved
):
    folder = tmp_path_factory.mktemp("f")
    token_folder(folder / "old", encoded(splits), shard)
    shape = {"val_ratio": 0.0, "shard_tokens": shard_tokens, "keep": True}
    if not any(d.strip() for d in splits["train"]):
        return
    with small(batch, part, 16), pytest.MonkeyPatch.context() as patch:
        patch.setattr(encode, "_SAVED", saved)
        for stop in stops:
            left = [stop]

            def failing(parts, left=left):
                left[0] -= 1
                if left[0] < 0:
                    raise Stop
                return encode_parts(parts)

            maker = encode.TokenMaker(failing, MAKER.vocab_size, MAKER.end_id, MAKER.sha256)
            try:
                write(folder / "o", documents_of(folder / "old"), maker, resume=True, **shape)
            except Stop:
                continue
        write(folder / "o", documents_of(folder / "old"), resume=True, **shape)
        write(folder / "whole", documents_of(folder / "old"), **shape)
    assert files_in(folder / "o") == files_in(folder / "whole")
    expected = {
        name: encode_slowly(texts, 0, end_id=END)["train"] for name, texts in splits.items()
    }
    assert ids_in(folder / "o") == expected


def test_an_empty_training_split_is_told_and_leaves_nothing(tmp_path):
    folder = token_folder(tmp_path / "f", {"train": [], "val": [b"text"]})
    with pytest.raises(DataError, match="no text is left to train on"):
        write(tmp_path / "o", documents_of(folder), val_ratio=0.0)
    assert files_in(tmp_path / "o") == {}


# ------------------------------------------------------------------------- files that go wrong


def test_a_folder_without_token_files_is_told(tmp_path):
    with pytest.raises(DataError, match="no token files") as caught:
        documents_of(tmp_path)
    assert "--from-bin" in caught.value.hint


@pytest.mark.parametrize("with_meta", [True, False])
def test_ids_beyond_the_vocabulary_are_told(tmp_path, with_meta):
    folder = token_folder(tmp_path / "f", {"train": [b"abc"], "val": []}, None, False)
    np.array([1, 300], "<u2").tofile(folder / "train.bin")
    if with_meta:
        digest = hashlib.sha256((folder / "train.bin").read_bytes()).hexdigest()
        splits = {"train": SplitMeta(2, 2, 1, [FileMeta("train.bin", 2, digest)]),
                  "val": SplitMeta(0, 0, 0, [])}  # fmt: skip
        write_meta(folder, Meta("uint16", 257, OLD_END, "0" * 64, splits, [], "encode"))
    with pytest.raises(DataError, match=r"train\.bin .*300") as caught:
        documents_of(folder)
    assert caught.value.hint


def test_files_that_are_altered_cut_off_or_odd_are_told(tmp_path):
    folder = token_folder(tmp_path / "f", {"train": [b"abc"], "val": []})
    np.array([1, 2, 3], "<u2").tofile(folder / "train.bin")
    with pytest.raises(DataError, match="altered"):
        documents_of(folder)
    (folder / "train.bin").write_bytes(b"abc")
    with pytest.raises(DataError, match="has 3 bytes"):
        documents_of(folder)
    (folder / "meta.json").unlink()
    with pytest.raises(DataError, match="ends amid one"):
        documents_of(folder)


def test_a_file_that_vanishes_or_shrinks_while_it_is_read_is_told(tmp_path):
    folder = token_folder(tmp_path / "f", {"train": [b"abc"], "val": []})
    documents = documents_of(folder)
    (folder / "train.bin").write_bytes(b"a\0")
    with pytest.raises(DataError, match="got shorter"):
        list(documents.pieces())
    (folder / "train.bin").unlink()
    with pytest.raises(DataError, match="can't read"):
        list(documents.pieces())


def test_the_checksums_tell_of_every_change(tmp_path):
    for with_meta in (True, False):
        found = set()
        for i, text in enumerate([b"abc", b"abd", b"ab"]):
            folder = tmp_path / f"{i}{with_meta}"
            token_folder(folder, {"train": [text], "val": []}, None, with_meta)
            found.add(documents_of(folder).sha256()["train"])
        assert len(found) == 3
