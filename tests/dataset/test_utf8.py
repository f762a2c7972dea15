"""Bytes that have to be UTF-8."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yocto.dataset.sources import Source
from yocto.dataset.utf8 import check_utf8, is_utf8, whole_characters
from yocto.errors import DataError

SOURCE = Source("a b.txt", "text", "")
BYTES = st.lists(
    st.one_of(
        st.text("aé中🙂\n ", max_size=5).map(str.encode),
        st.binary(max_size=3),
        st.sampled_from([b"\xc0\xaf", b"\xed\xa0\x80", b"\xf0\x9f\x99", b"\xf4\x90\x80\x80"]),
    ),
    max_size=12,
).map(b"".join)


def in_blocks(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({min(place, len(data)) for place in places} | {len(data)})
    return [data[a:b] for a, b in zip([0, *ends], ends, strict=False)]


@settings(max_examples=300)
@given(BYTES, st.lists(st.integers(0, 60), max_size=8))
def test_blocks_become_whole_characters_or_an_error_at_the_first_bad_byte(data, places):
    blocks = in_blocks(data, places)
    found = []
    try:
        data.decode()
    except UnicodeDecodeError as error:
        with pytest.raises(DataError) as caught:
            found.extend(whole_characters(blocks, SOURCE, "strict", 1000))
        told = f"byte 0x{data[error.start]:02x} at offset {1000 + error.start}"
        assert caught.value.message == f"a b.txt is not valid UTF-8: {told}"
        assert data.startswith(b"".join(found))
    else:
        found.extend(whole_characters(blocks, SOURCE, "strict"))
        assert b"".join(found) == data
    for block in found:
        assert block
        block.decode()


@settings(max_examples=300)
@given(BYTES, st.lists(st.integers(0, 60), max_size=8))
def test_bad_bytes_are_replaced_as_python_does_wherever_blocks_end(data, places):
    found = list(whole_characters(in_blocks(data, places), SOURCE, "replace"))
    assert b"".join(found).decode() == data.decode("utf-8", "replace")
    assert all(found)


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        (SOURCE, "iconv -f LATIN1 -t UTF-8 'a b.txt' > converted.txt; or take U+FFFD"),
        (Source("a.csv", "csv", ""), "iconv -f LATIN1 -t UTF-8 a.csv"),
        (Source("a.gz", "text", "gz"), "Convert it to UTF-8 first; or take U+FFFD"),
        (Source("-", "text", ""), "Convert it to UTF-8 first; or take U+FFFD"),
        (Source("https://a/b.txt", "text", ""), "Convert it to UTF-8 first; or take U+FFFD"),
        (Source("a.parquet", "parquet", ""), "Convert it to UTF-8 first; or take U+FFFD"),
    ],
)
def test_the_hint_can_be_typed(source, hint):
    check_utf8("é".encode(), source, 0)
    with pytest.raises(DataError) as caught:
        check_utf8(b"ab\xe9", source, 5, "row 3 in ")
    assert (
        caught.value.message == f"row 3 in {source.path} is not valid UTF-8: byte 0xe9 at offset 7"
    )
    assert hint in caught.value.hint
    assert "--errors replace" in caught.value.hint


@settings(deadline=None)  # the first call loads the kernel
@given(BYTES)
def test_with_and_without_the_kernel_the_answer_is_the_same(data):
    import sys

    try:
        data.decode()
        wanted = True
    except UnicodeDecodeError:
        wanted = False
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(sys.modules, "yocto.kernels.encode", raising=False)
        assert is_utf8(data) == wanted
        patch.setitem(sys.modules, "yocto.kernels.encode", sys)
        assert is_utf8(data) == wanted
