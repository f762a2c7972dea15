"""Text for a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yocto.utils.text import size_text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1.0 kB"), (1_115_394, "1.1 MB"),
     (9_949_999, "9.9 MB"), (9_950_000, "10 MB"), (999_499, "999 kB"), (999_500, "1.0 MB"),
     (2_227_753_162, "2.2 GB"), (5 * 10**15, "5000 TB")],
)  # fmt: skip
def test_a_size_is_told_in_two_or_three_digits(count, text):
    assert size_text(count) == text


@given(st.integers(1000, 10**15))
def test_a_size_is_near_what_it_tells(count):
    number, unit = size_text(count).split()
    scale = {"kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}[unit]
    assert abs(float(number) * scale - count) <= 0.051 * count
