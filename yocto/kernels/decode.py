"""Ids to bytes, in bulk."""

# mypy: ignore-errors
from __future__ import annotations

from numba import types

from yocto.kernels.bits import address, copy_bytes, load64, put64
from yocto.kernels.compiler import kernel, mark_cached

BEYOND = 16  # bytes that may be read and written beyond what is asked for

_IDS = types.Array(types.uint32, 1, "C", readonly=True)
_ENDS = types.int64[::1]


@kernel(types.int64, _IDS, _ENDS)
def joined_size(ids, ends):
    """How many bytes the tokens have in all. ends: where token i ends, at place i + 1."""
    size = 0
    for token in ids:
        size += ends[token + 1] - ends[token]
    return size


@kernel(types.void, _IDS, _ENDS, types.uint8[::1], types.uint8[::1])
def join_tokens(ids, ends, contents_array, out_array):
    """Put the bytes of tokens one after the other into `out`.

    16 bytes are copied at once, most tokens being shorter: the next one overwrites what is too
    much. contents: the bytes of all tokens, and 16 more; out: room for the result, and 16 more.
    """
    contents, out = address(contents_array), address(out_array)
    n = 0
    for token in ids:
        start = ends[token]
        length = ends[token + 1] - start
        put64(out, n, load64(contents, start))
        put64(out, n + 8, load64(contents, start + 8))
        if length > 16:
            copy_bytes(out + n, contents + start, length)
        n += length


mark_cached("decode")
