"""Statistics of token files, against plain Python over the same ids."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yocto.dataset import statistics
from yocto.dataset.statistics import IdStatistics, count_file, most_frequent
from yocto.errors import DataError

SIZE = 6
sequences = st.lists(st.lists(st.integers(0, SIZE - 1), max_size=12), max_size=6)


def counted(blocks: list[list[int]], end_id: int | None) -> IdStatistics:
    made = IdStatistics(np.zeros(SIZE, np.int64), end_id)
    for block in blocks:
        made.add(np.array(block, np.uint16))
    made.finish()
    return made


def documents_of(ids: list[int], end_id: int | None) -> list[tuple[int, int]]:
    """Start and length of each stretch between end ids that is not empty."""
    found, start = [], 0
    for at, i in enumerate([*ids, end_id]):
        if at == len(ids) or (i == end_id and end_id is not None):
            if at > start:
                found.append((start, at - start))
            start = at + 1
    return found


@given(sequences, st.sampled_from([None, 0, 5]))
def test_counts_and_documents_are_those_of_the_whole_however_it_is_cut(blocks, end_id):
    ids = [i for block in blocks for i in block]
    made = counted(blocks, end_id)
    documents = documents_of(ids, end_id)
    assert {i: n for i, n in enumerate(made.counts.tolist()) if n} == Counter(ids)
    assert made.tokens == len(ids)
    assert made.documents == len(documents)
    assert made.longest_document == max((length for _, length in documents), default=0)
    assert made.starts == [start for start, _ in documents][:3]


@given(st.lists(st.integers(0, SIZE - 1)), st.integers(0, 8))
def test_the_most_frequent_ids_are_those_of_a_counter_the_lower_one_first(ids, top):
    oracle = sorted(Counter(ids).items(), key=lambda item: (-item[1], item[0]))[:top]
    assert most_frequent(counted([ids], None).counts, top) == [i for i, _ in oracle]


def test_an_id_out_of_range_is_refused_before_memory_is_taken_for_it():
    made = IdStatistics(np.zeros(SIZE, np.int64), None)
    with pytest.raises(ValueError, match="id 4294967295 is not below 6"):
        made.add(np.array([1, (1 << 32) - 1], np.uint32))
    with pytest.raises(ValueError, match="id 6 is not below 6"):
        made.add(np.array([SIZE], np.uint16))


def test_a_file_is_counted_block_by_block_and_its_checksum_comes_from_the_same_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "BLOCK", 4)
    ids = np.array([0, 1, 2, 5, 3, 3, 5, 1, 1], "<u2")
    path = tmp_path / "train.bin"
    path.write_bytes(ids.tobytes())
    made = IdStatistics(np.zeros(SIZE, np.int64), 5)
    told: list[int] = []
    found = np.memmap(path, "<u2", mode="r")
    digest = count_file(path, found, made, told.append, digest=True)
    made.finish()
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert told == [4, 4, 1]
    assert made.counts.tolist() == [1, 3, 1, 2, 0, 2]
    assert (made.documents, made.starts) == (3, [0, 4, 7])
    assert count_file(path, found, made) == ""


def test_the_error_names_the_file(tmp_path: Path) -> None:
    made = IdStatistics(np.zeros(2, np.int64), None)
    ids = np.array([0, 7], "<u4")
    ids.tofile(tmp_path / "train.bin")
    with pytest.raises(DataError, match=r"train\.bin is damaged: id 7 is not below 2"):
        count_file(tmp_path / "train.bin", ids, made)
