"""Kernels are there before the clock starts, where the text is long enough for them."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import sys
from yocto.bench.kernels import load_kernels
load_kernels({pattern!r}, {size}, {training}, {vocab_size})
print(*sorted(m.rpartition(".")[2] for m in sys.modules if m.startswith("yocto.kernels.")))
"""


@pytest.mark.parametrize(
    ("pattern", "size", "training", "vocab_size", "wanted", "unwanted"),
    [
        (
            "gpt2",
            10_000,
            False,
            50257,
            {"encode", "encode_16", "split_gpt2"},
            {"split_scan", "learn"},
        ),
        ("gpt2", 10_000, False, 65537, {"encode", "encode_32", "split_gpt2"}, {"encode_16"}),
        ("gpt4", 10_000, True, 8000, {"encode", "split_scan", "count", "learn"}, {"split_gpt2"}),
        (r"\w+|\W", 10_000, False, 8000, {"encode"}, {"split_gpt2", "split_scan"}),
        ("gpt2", 100, True, 8000, set(), {"encode", "split_gpt2", "count", "learn"}),
    ],
)
def test_what_a_pattern_takes_is_loaded(
    pattern: str,
    size: int,
    training: bool,
    vocab_size: int,
    wanted: set[str],
    unwanted: set[str],
) -> None:
    code = CODE.format(pattern=pattern, size=size, training=training, vocab_size=vocab_size)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert wanted <= loaded
    assert not unwanted & loaded
