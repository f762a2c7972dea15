"""Which text trains and which validates."""

import hashlib
from pathlib import Path

import pytest
from encoding import Told, small, split_slowly
from hypothesis import given
from hypothesis import strategies as st

from yocto.dataset.documents import BEGIN, LookedThrough, Piece, Place
from yocto.dataset.split import SplitPlan, draw, plan_split
from yocto.dataset.text import PART
from yocto.errors import DataError
from yocto.utils.progress import SilentTask

RATIOS = st.floats(0.01, 0.9)
MANY = [f"document number {i}" for i in range(400)]
FILLED = st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip)


class Listed:
    """Documents in a list; long ones in parts of a few characters."""

    def __init__(self, documents: list[str], part: int = 1 << 30) -> None:
        self.all: list[Piece] = []
        for number, document in enumerate(documents):
            parts = [document[i : i + part] for i in range(0, len(document), part)] or [""]
            at = 0
            for i, text in enumerate(parts):
                at, ends = at + len(text.encode()), i == len(parts) - 1
                place = Place(number, at, not ends)
                self.all.append(Piece(text.encode(), i == 0, ends, place))
        self.size = sum(len(piece.data) for piece in self.all)
        self.consumed = 0

    def pieces(self, start=BEGIN):
        places = [BEGIN, *(piece.place for piece in self.all)]
        first = places.index(start)
        self.consumed = sum(len(piece.data) for piece in self.all[:first])
        for piece in self.all[first:]:
            self.consumed += len(piece.data)
            yield piece


def plan(documents: list[str], ratio: float, part: int = 1 << 30) -> SplitPlan:
    return plan_split(LookedThrough(Listed(documents, part)), ratio, SilentTask())


def split_documents(documents: list[str], ratio: float) -> dict[str, list[str]]:
    """As the plan says."""
    planned = plan(documents, ratio)
    if planned.cut is not None:
        (data,) = [document.encode() for document in documents]
        parts = {"train": data[: planned.cut], "val": data[planned.cut :]}
        return {name: [part.decode()] if part else [] for name, part in parts.items()}
    splits: dict[str, list[str]] = {"train": [], "val": []}
    for piece in Listed(documents).pieces():
        splits[planned.split_of(piece)].append(piece.data.decode())
    return splits


@given(FILLED, st.floats(0, 0.9), st.integers(1, 9))
def test_one_document_is_cut_where_nanogpt_cuts_it(text, ratio, part):
    cut = int(len(text) * (1 - ratio))  # nanoGPT: data[:int(n*0.9)], data[int(n*0.9):]
    if not cut:
        with pytest.raises(DataError, match="too short to train on"):
            plan([text], ratio, part)
    elif ratio:
        assert plan([text], ratio, part) == SplitPlan(0.0, len(text[:cut].encode()))


def test_nanogpts_own_cut():
    # tiny Shakespeare: 1,003,854 and 111,540 characters
    assert plan(["x" * 1_115_394], 0.1, 1 << 16).cut == 1_003_854


def test_without_validation_all_of_one_document_trains():
    assert split_documents(["text"], 0) == {"train": ["text"], "val": []}


@given(st.lists(FILLED, min_size=2), st.floats(0, 0.9))
def test_many_documents_each_go_whole_to_one_split_and_keep_their_order(documents, ratio):
    splits = split_documents(documents, ratio)
    assert sorted(splits["train"] + splits["val"]) == sorted(documents)
    for split in splits.values():
        places = iter(documents)
        assert all(document in places for document in split)


@given(st.lists(FILLED, min_size=2), st.floats(0, 0.9))
def test_the_split_is_that_of_the_slow_obvious_one(documents, ratio):
    assert split_documents(documents, ratio) == split_slowly(documents, ratio)


@given(st.lists(FILLED, min_size=2, unique=True), RATIOS)
def test_of_a_few_documents_neither_split_is_empty(documents, ratio):
    splits = split_documents(documents, ratio)
    assert splits["train"] and splits["val"]


@given(st.lists(FILLED, min_size=2))
def test_without_validation_all_documents_train(documents):
    assert split_documents(documents, 0) == {"train": documents, "val": []}


@given(st.lists(FILLED, max_size=20), st.sampled_from([0.05, 0.1, 0.5]))
def test_adding_documents_moves_no_other(more, ratio):
    before, after = split_documents(MANY, ratio), split_documents([*more, *MANY], ratio)
    for name in ("train", "val"):
        assert set(before[name]) <= set(after[name])


def test_the_order_of_documents_moves_none():
    forth, back = split_documents(MANY, 0.1), split_documents(MANY[::-1], 0.1)
    assert forth["val"] == back["val"][::-1]


def test_of_many_documents_about_the_asked_share_validates():
    documents = [f"document number {i}" for i in range(4000)]
    for ratio in (0.05, 0.1, 0.5):
        share = len(split_documents(documents, ratio)["val"]) / 4000
        assert abs(share - ratio) < 0.03


def test_the_same_text_goes_to_the_same_split():
    splits = split_documents([*MANY, *MANY], 0.3)
    assert not set(splits["train"]) & set(splits["val"])


def test_the_split_is_the_same_on_every_machine_and_in_every_release():
    validating = [1, 9, 13, 15, 16, 22, 25, 32, 39]
    expected = [f"document number {i}" for i in validating]
    assert split_documents(MANY[:40], 0.2)["val"] == expected


def test_a_larger_share_only_moves_documents_to_validation():
    less, more = split_documents(MANY, 0.1), split_documents(MANY, 0.3)
    assert set(less["val"]) < set(more["val"])


def test_a_draw_is_a_hash_of_both_ends_and_the_length():
    def expected(told: bytes, length: int) -> float:
        digest = hashlib.sha256(length.to_bytes(8, "little") + told).digest()
        return int.from_bytes(digest[:6], "big") / 2**48

    assert draw(b"short") == expected(b"short", 5)
    data = b"a" * 1000 + b"b" * 5000 + b"c" * 600
    assert draw(data) == expected(data[:512] + data[-512:], len(data))


def test_of_a_long_text_only_the_first_part_decides():
    data = bytes(range(256)) * (PART // 256)
    assert draw(data) == draw(data + b"more") == draw(data + b"and yet more")
    assert draw(data) != draw(data[:-1])


@given(FILLED, FILLED, st.integers(3, 9))
def test_a_document_that_comes_in_parts_goes_where_the_whole_goes(one, other, part):
    with small(part=part):
        data = (one * (part // len(one) + 2)).encode()
        assert draw(data) == draw(data[:part] + other.encode())


def test_a_plan_of_many_documents_looks_at_the_first_few_only():
    documents = Listed(MANY)
    assert plan_split(LookedThrough(documents), 0.5, SilentTask()) == SplitPlan(0.5)
    assert documents.consumed < documents.size / 10


def test_progress_counts_every_byte_that_is_looked_at():
    told = Told()
    with told.task("looking", 1, "byte") as task:
        plan_split(LookedThrough(Listed(["one long text " * 99], 10)), 0.1, task)
    assert sum(told.bars[0][3]) == len("one long text " * 99)


def test_whether_a_plan_is_of_all_documents():
    assert SplitPlan(0.0, 5).is_of_all(0.1)  # a longer text is cut elsewhere
    assert SplitPlan(0.25).is_of_all(0.1)  # chance was mended
    assert not SplitPlan(0.1).is_of_all(0.1)
    assert not SplitPlan(0.0).is_of_all(0)


def test_documents_whose_split_is_decided_stay_there():
    piece = Piece(b"text", True, True, Place(0, 4), "val")
    assert SplitPlan(0.0).split_of(piece) == "val"


@pytest.mark.parametrize(
    "value",
    [
        {"limit": 2}, {"limit": "0.1"}, {"limit": 0.1, "cut": -1}, {"limit": 0.1, "cut": 1.5},
        {"limit": True}, {}, {"limit": 0.1, "more": 1}, 7, None,
    ],
)  # fmt: skip
def test_a_plan_that_can_t_be_is_refused(value):
    with pytest.raises((ValueError, TypeError)):
        SplitPlan.of(value)


def test_a_plan_comes_back_from_json():
    assert SplitPlan.of({"limit": 0.25, "cut": None}) == SplitPlan(0.25)
    assert SplitPlan.of({"limit": 0.0, "cut": 7}) == SplitPlan(0.0, 7)


def test_a_text_that_changes_while_it_is_read_is_told(tmp_path: Path):
    listed = Listed(["abcdefgh"], 2)
    first = listed.pieces

    def pieces(start=BEGIN):
        yield from first(start) if start == BEGIN else ()

    listed.pieces = pieces
    with pytest.raises(DataError, match="changed while it was read"):
        plan_split(LookedThrough(listed), 0.3, SilentTask())
