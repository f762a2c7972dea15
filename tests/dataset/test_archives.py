"""Compressed files: whole ones come through, damaged ones are told."""

import builtins
import io
import lzma
import random
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packed import COMPRESS, KINDS

from yocto.dataset import archives
from yocto.dataset.archives import Archive, DamagedError
from yocto.errors import DataError


def read(packed: bytes, kind: str, size: int = 1 << 16) -> bytes:
    file = io.BufferedReader(Archive(io.BytesIO(packed), kind, "a"), size)
    found = []
    while data := file.read(size):
        found.append(data)
    return b"".join(found)


def some_text(size: int = 3000) -> bytes:
    return random.Random(1).randbytes(size) + b"the same again " * (size // 15)


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=60)
@given(
    parts=st.lists(
        st.one_of(st.binary(max_size=300), st.just(b"a" * 5000)), min_size=1, max_size=4
    ),
    sizes=st.tuples(*[st.integers(1, 400)] * 4),
)
def test_several_members_are_read_as_one_wherever_blocks_end(kind, parts, sizes):
    packed = b"".join(map(COMPRESS[kind], parts))
    with pytest.MonkeyPatch.context() as patch:
        for name, size in zip(("_READ", "_MOST", "_SLICE"), sizes, strict=False):
            patch.setattr(archives, name, size)
        assert read(packed, kind, sizes[3]) == b"".join(parts)


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_is_cut_off_at_any_place_but_between_members(kind):
    data = some_text(60)
    first, second = COMPRESS[kind](data), COMPRESS[kind](b"more")
    packed = first + second
    for size in range(len(packed)):
        if size == len(first):
            assert read(packed[:size], kind) == data
        else:
            with pytest.raises((EOFError, DamagedError)):
                read(packed[:size], kind)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_read_before_the_end_is_missed_is_right(kind):
    data = some_text(1_200_000)
    packed = COMPRESS[kind](data)
    file = Archive(io.BytesIO(packed[: len(packed) * 9 // 10]), kind, "a")
    found = b""
    with pytest.raises(EOFError):
        while block := file.read(1000):
            found += block
    assert found and data.startswith(found)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "garbage", [b"garbage that is no archive", b"x", b"\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c"]
)
def test_garbage_behind_the_end_is_told(kind, garbage):
    packed = COMPRESS[kind](b"some text")
    with pytest.raises((DamagedError, EOFError)):
        read(packed + garbage, kind)
    with pytest.raises((DamagedError, EOFError)):
        read(packed + garbage + packed, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_of_nothing_is_empty_and_a_file_of_nothing_is_cut_off(kind):
    assert read(COMPRESS[kind](b""), kind) == b""
    assert read(COMPRESS[kind](b"") * 3, kind) == b""
    with pytest.raises(EOFError):
        read(b"", kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_bit_does_not_go_unnoticed(kind):
    data = some_text(300)
    packed = bytearray(COMPRESS[kind](data))
    noticed = 0
    for place in range(len(packed)):
        packed[place] ^= 4
        try:
            # The name of a file or its time in a gzip header may change: the text must not.
            assert read(bytes(packed), kind) == data
        except (DamagedError, EOFError):
            noticed += 1
        packed[place] ^= 4
    assert noticed > len(packed) - 16


def test_zeros_may_follow_where_the_format_allows_it():
    for kind in ("gz", "xz"):
        packed = COMPRESS[kind](b"text")
        assert read(packed + bytes(512), kind) == b"text"
        assert read(packed + bytes(512) + packed, kind) == b"texttext"
    for kind in {"bz2", "zst"} & set(KINDS):
        with pytest.raises((DamagedError, EOFError)):
            read(COMPRESS[kind](b"text") + bytes(512), kind)


def test_frames_of_zst_that_hold_no_text_are_skipped():
    pytest.importorskip("zstandard")
    frame, text = b"\x50\x2a\x4d\x18\x04\0\0\0abcd", COMPRESS["zst"](b"text")
    assert read(frame + text + frame + text + frame, "zst") == b"texttext"


@pytest.mark.parametrize("kind", KINDS)
def test_much_in_little_does_not_fill_the_memory(kind):
    packed = COMPRESS[kind](bytes(150_000_000))
    file = io.BufferedReader(Archive(io.BytesIO(packed), kind, "a"), 1 << 18)
    tracemalloc.start()
    try:
        size = 0
        while data := file.read(1 << 18):
            size += len(data)
        assert tracemalloc.get_traced_memory()[1] < 80_000_000
    finally:
        tracemalloc.stop()
    assert size == 150_000_000


def test_an_archive_that_asks_for_too_much_memory_is_refused():
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 29}]
    with pytest.raises(DamagedError, match=r"[Mm]emory"):
        read(lzma.compress(b"text", filters=filters), "xz")


def test_a_missing_package_is_named(monkeypatch):
    imported = builtins.__import__

    def refuse(name, *rest):
        if name == "zstandard":
            raise ImportError(name)
        return imported(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(DataError, match=r"a\.zst takes the package zstandard") as caught:
        Archive(io.BytesIO(), "zst", "a.zst")
    assert caught.value.hint == "pip install 'yocto[data]'"
