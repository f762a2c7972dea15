"""The two kernels of one source that make ids of 16 and of 32 bits."""

import os
import subprocess
import sys
from typing import Any

import pytest

from yocto.kernels import encode_16, encode_32

ENCODE = """
from yocto.tokenizer.bulk import BulkEncoder

for bits in {bits}:
    encoder = BulkEncoder(list(range(256)), {{(97, 98): (0, 256)}}, "gpt2", bits)
    for _ in range(2):
        assert encoder.encode(b"abcab" + b"ab" * 50).tolist() == [256, 99, 256] + [256] * 50
"""


def called(kernel: Any) -> set[str]:
    """The names of what a kernel calls that was made together with it."""
    cells = [cell.cell_contents for cell in kernel.py_func.__closure__]
    return {held.py_func.__qualname__ for held in cells if hasattr(held, "py_func")}


def test_what_the_two_kernels_call_bears_two_names():
    # Numba links machine code by name: with one name, one kernel might call what is the other's.
    assert called(encode_16.merge_pieces)
    assert not called(encode_16.merge_pieces) & called(encode_32.merge_pieces)


@pytest.mark.slow
@pytest.mark.parametrize("order", [(16, 32), (32, 16)])
def test_kernels_that_several_processes_compiled_work_together(order, tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    parts = ["import yocto.kernels.encode", *(ENCODE.format(bits=[bits]) for bits in order)]
    for code in (*parts, ENCODE.format(bits=order), ENCODE.format(bits=order[::-1])):
        subprocess.run([sys.executable, "-c", code], env=environment, check=True)
