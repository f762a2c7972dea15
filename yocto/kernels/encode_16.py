"""The kernels of encode.py for ids of 16 bits."""

# mypy: ignore-errors
from __future__ import annotations

from yocto.kernels.compiler import mark_cached
from yocto.kernels.encode import make_kernels

merge_pieces, put_words = make_kernels(16)

mark_cached("encode_16")
