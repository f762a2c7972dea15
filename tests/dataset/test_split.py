"""Which text trains and which validates."""

from hypothesis import given
from hypothesis import strategies as st

from yocto.dataset.split import split_documents

RATIOS = st.floats(0.01, 0.9)
MANY = [f"document number {i}" for i in range(400)]


@given(st.text(min_size=1), st.floats(0, 0.9))
def test_one_document_is_cut_where_nanogpt_cuts_it(text, ratio):
    splits = split_documents([text], ratio)
    cut = int(len(text) * (1 - ratio))  # nanoGPT: data[:int(n*0.9)], data[int(n*0.9):]
    assert "".join(splits["train"]) == text[:cut]
    assert "".join(splits["val"]) == text[cut:]
    assert all(splits["train"]) and all(splits["val"])


def test_nanogpts_own_cut():
    text = "x" * 1_115_394  # tiny Shakespeare: 1,003,854 and 111,540 characters
    splits = split_documents([text], 0.1)
    assert [len(splits["train"][0]), len(splits["val"][0])] == [1_003_854, 111_540]


def test_without_validation_all_of_one_document_trains():
    assert split_documents(["text"], 0) == {"train": ["text"], "val": []}


@given(st.lists(st.text(), min_size=2), st.floats(0, 0.9))
def test_many_documents_each_go_whole_to_one_split_and_keep_their_order(documents, ratio):
    splits = split_documents(documents, ratio)
    assert sorted(splits["train"] + splits["val"]) == sorted(documents)
    for split in splits.values():
        places = iter(documents)
        assert all(document in places for document in split)


@given(st.lists(st.text(), min_size=2, unique=True), RATIOS)
def test_of_a_few_documents_neither_split_is_empty(documents, ratio):
    splits = split_documents(documents, ratio)
    assert splits["train"] and splits["val"]


@given(st.lists(st.text(), min_size=2))
def test_without_validation_all_documents_train(documents):
    assert split_documents(documents, 0) == {"train": documents, "val": []}


@given(st.lists(st.text(), max_size=20), st.sampled_from([0.05, 0.1, 0.5]))
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
    validating = [2, 7, 17, 22]
    expected = [f"document number {i}" for i in validating]
    assert split_documents(MANY[:40], 0.2)["val"] == expected


def test_a_larger_share_only_moves_documents_to_validation():
    less, more = split_documents(MANY, 0.1), split_documents(MANY, 0.3)
    assert set(less["val"]) < set(more["val"])
