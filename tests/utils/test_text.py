"""Text for a terminal: nothing that it would obey, and nothing lost."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yocto.utils.text import (
    count_text,
    duration,
    escaped,
    one_line,
    size_text,
    without_control,
)


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


def read_back(text: str) -> bytes:
    """What an escaped text stands for."""
    data = b""
    for part in re.findall(r"\\x..|\\u....|\\U........|\\.|[^\\]+", text):
        if part.startswith("\\x"):
            data += bytes([int(part[2:], 16)])
        elif part[:2] in ("\\u", "\\U"):
            data += chr(int(part[2:], 16)).encode()
        elif part.startswith("\\"):
            data += {"\\n": b"\n", "\\r": b"\r", "\\t": b"\t", "\\\\": b"\\"}[part]
        else:
            data += part.encode()
    return data


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8")))
def test_escaped_bytes_come_back_and_all_of_them_can_be_printed(data):
    text = escaped(data)
    assert text.isprintable()
    assert text == without_control(text)
    assert read_back(text) == data


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b" the", " the"), (b"\n\t\r", r"\n\t\r"), (b"\x1b[31m", r"\x1b[31m"), (b"\xff", r"\xff"),
        ("é日🙂".encode(), "é日🙂"), ("\u202e\u00a0".encode(), r"\u202e\u00a0"), (b"\\n", r"\\n"),
        (b"\x00", r"\x00"), ("\U000e0001".encode(), r"\U000e0001"),
    ],
)  # fmt: skip
def test_what_can_not_be_seen_is_spelt(data, text):
    assert escaped(data) == text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"), (8.4, "8 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"),
        (3599.7, "1 h 0 min"), (7500, "2 h 5 min"),
    ],
)  # fmt: skip
def test_a_duration_is_told_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (950, "950"), (999.6, "1.0K"), (12_345, "12.3K"), (99_500, "100K"),
     (999_499, "999K"), (4_321_000, "4.3M"), (1.2e9, "1.2B"), (5e15, "5000T")],
)  # fmt: skip
def test_a_count_takes_few_characters(count, text):
    assert count_text(count) == text


@given(st.text())
def test_one_line_is_one_line_that_can_be_seen(text):
    line = one_line(text)
    assert line.isprintable()
    assert line == " ".join(line.split())
    assert [c for c in line if c != " "] == [c for c in text if c.isprintable() and not c.isspace()]


def test_a_text_that_turns_the_line_around_is_left_to_right():
    assert one_line("a\u202eb\tc\r\n\x1b]0;d\x07") == "ab c ]0;d"
