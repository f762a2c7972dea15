"""Texts to measure on, in parts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import make_text

from yocto.dataset import text as text_module
from yocto.dataset.documents import Piece, Place, open_texts
from yocto.errors import DataError
from yocto.evaluation.corpora import Corpus, between, corpus_names, count_corpus
from yocto.utils.progress import SilentProgress


def pieces(documents: list[list[str]]) -> list[Piece]:
    """Documents, each in parts, as a reader gives them."""
    return [
        Piece(part.encode(), i == 0, i == len(parts) - 1, Place())
        for parts in documents
        for i, part in enumerate(parts)
    ]


@settings(deadline=None)
@given(
    st.lists(st.lists(st.text(alphabet="aé🙂 \n", max_size=6), min_size=1, max_size=3), max_size=5),
    st.integers(0, 40), st.integers(0, 40) | st.none(),
)  # fmt: skip
def test_what_lies_between_two_characters_is_a_slice_of_all_documents(
    documents, begin, end
) -> None:
    whole = "".join(part for parts in documents for part in parts)
    found = list(between(pieces(documents), begin, end))
    assert "".join(part.text for part in found) == whole[begin:end]
    assert all(part.text.encode() == part.data and part.text for part in found)


def test_the_part_that_begins_in_a_document_starts_one() -> None:
    found = list(between(pieces([["ab", "cd"], ["ef"]]), 3, None))
    assert [(part.text, part.starts) for part in found] == [("d", True), ("ef", True)]
    found = list(between(pieces([["ab", "cd"], ["ef"]]), 2, None))
    assert [(part.text, part.starts) for part in found] == [("cd", True), ("ef", True)]
    found = list(between(pieces([["ab", "cd"], ["ef"]]), 0, 5))
    assert [part.starts for part in found] == [True, False, True]


def corpus(folder: Path, content: str, **where: int) -> Corpus:
    (folder / "text.txt").write_bytes(content.encode())
    return Corpus("text.txt", open_texts([folder / "text.txt"]), **where)


def test_a_text_that_is_read_in_parts_has_the_counts_of_the_whole(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(text_module, "PART", 100)
    text = make_text(300) + " \t wide space\x1c\x85mark's end"
    found = count_corpus(corpus(tmp_path, text), SilentProgress())
    assert found.bytes == len(text.encode())
    assert found.characters == len(text)
    assert found.words == len(text.split())
    assert found.documents == 1


def test_documents_are_counted_and_their_separators_are_no_text(tmp_path) -> None:
    text = "one two\n<|endoftext|>\nthree <|endoftext|> four\n<|endoftext|>\n \n<|endoftext|>\nfive"
    found = count_corpus(corpus(tmp_path, text), SilentProgress())
    assert (found.documents, found.words) == (3, 6)
    assert found.characters == len("one two\nthree <|endoftext|> four\nfive")


def test_a_part_of_a_text_is_counted_alone(tmp_path) -> None:
    text = make_text(30)
    found = count_corpus(corpus(tmp_path, text, begin=100), SilentProgress())
    assert found.words == len(text[100:].split())
    assert found.characters == len(text) - 100


def test_a_part_with_nothing_in_it_is_an_error(tmp_path) -> None:
    with pytest.raises(DataError, match=r"text\.txt holds no text to measure on"):
        count_corpus(corpus(tmp_path, "abc", begin=3), SilentProgress())


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["data/a.txt", "b.md"], ["a.txt", "b.md"]),
        (["x/a.txt", "y/a.txt", "b.txt"], ["x/a.txt", "y/a.txt", "b.txt"]),
        (["p/x/a.txt", "q/x/a.txt"], ["p/x/a.txt", "q/x/a.txt"]),
        (["a.txt", "x/a.txt"], ["a.txt", "x/a.txt"]),
        (["a.txt", "a.txt"], ["a.txt", "a.txt (2)"]),
        (["https://example.org/books/a.txt?x=1", "-", "corpus/"],
         ["a.txt", "standard input", "corpus"]),
    ],
)  # fmt: skip
def test_a_corpus_is_named_by_its_file(paths, names) -> None:
    assert corpus_names(paths) == names


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a.txt", "x/a.txt", "y/a.txt", "y/x/a.txt", "b", "-"])))
def test_no_two_corpora_have_the_same_name(paths: list[str]) -> None:
    assert len(set(corpus_names(paths))) == len(paths)
