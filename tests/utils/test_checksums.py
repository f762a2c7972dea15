"""Checksums beside a file, as sha256sum writes them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from yocto.errors import DataError
from yocto.utils.checksums import hash_file, recorded_sha256

DIGEST = hashlib.sha256(b"text").hexdigest()
OTHER = "0" * 64


@pytest.mark.parametrize(
    "content",
    [
        f"{DIGEST}  my book.txt\n", f"{DIGEST} *my book.txt\n", f"{DIGEST}\n", DIGEST.upper(),
        f"{OTHER}  else.txt\n{DIGEST}  ./folder/my book.txt\n", f"\ufeff{DIGEST}  my book.txt\r\n",
    ],
)  # fmt: skip
def test_the_line_of_this_file_counts(tmp_path: Path, content: str) -> None:
    (tmp_path / "my book.txt.sha256").write_text(content, encoding="utf-8")
    assert recorded_sha256(tmp_path / "my book.txt") == DIGEST


def test_without_a_record_there_is_none(tmp_path: Path) -> None:
    assert recorded_sha256(tmp_path / "book.txt") is None


@pytest.mark.parametrize(
    "content", ["", "\n", "abc  book.txt", f"{DIGEST}  other.txt", f"{DIGEST}0  book.txt"]
)
def test_a_record_that_does_not_tell_is_an_error_that_names_it(
    tmp_path: Path, content: str
) -> None:
    (tmp_path / "book.txt.sha256").write_text(content)
    with pytest.raises(DataError, match=r"book\.txt\.sha256 holds no SHA-256 of book\.txt"):
        recorded_sha256(tmp_path / "book.txt")


def test_a_file_is_hashed_and_its_bytes_are_told(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"text")
    told: list[int] = []
    assert hash_file(tmp_path / "t", told.append) == DIGEST
    assert told == [4]
