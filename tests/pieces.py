"""Texts that are hard to cut, and the two ways to cut them that the tests hold against each other:
the kernels, and the regex of the pattern."""

from __future__ import annotations

import random
import re
from functools import cache
from itertools import pairwise

from hypothesis import strategies as st

from yocto.tokenizer.patterns import make_splitter
from yocto.tokenizer.windows import Windows, make_windows

PARTS = [
    # Contractions, whole and broken off, and what looks like one.
    "'s", "'S", "'ſ", "'t", "'T", "'re", "'RE", "'vE", "'Ve", "'m", "'ll", "'lL", "'LL", "'d", "'",
    "''", "'l", "'r", "'v", "'lé", "'sé", "’s", "s", "ll", "re", "ſ", "'\u0301s", "'Ŀ", "'ŀ",
    # Letters: both cases, title case, modifiers, without case, and what folds to others.
    "a", "Z", "ab", "The", "é", "É", "ß", "İ", "ı", "K", "ǅ", "ᾈ", "ʰ", "ː", "ˈ", "ª", "Ж", "ж",
    "Ωω", "中", "中文", "ひ", "ー", "々", "한", "\u1112\u1161\u11ab", "ع", "ก", "\U00010400",
    "\U00010428", "𝐀", "𝐚", "HelloWorld", "中AB", "AB中", "ABc", "aBC", "ʰA", "Aʰ",
    # Marks: combining, spacing, enclosing.
    "\u0301", "e\u0301", "\u0903", "\u20dd", "\u0e31", "\u0301\u0301", "\u0301A", "\u0301\u0301AB",
    "\ufe0f", "\U0001d165",
    # Numbers of several scripts and lengths.
    "1", "22", "333", "4444", "55555", "666666", "7777777", "٠", "٠١٢٣", "३", "½", "Ⅷ", "²",
    "５５５５", "𝟘𝟙𝟚𝟛", "1٠", "〇", "㊿",
    # White space, and what is none.
    " ", "  ", "   ", "\t", "\n", "\r", "\r\n", "\n\n", "\n ", " \n", "\r\r\n", "\x0b", "\x0c",
    "\x85", "\u00a0", "\u1680", "\u2003", "\u2028", "\u2029", "\u202f", "\u3000", "\u3000 ",
    " \u00a0", "\u200b", "\u180e", "\ufeff", "\x1c", "\x1f", "\x00", "\x7f",
    # Signs.
    "/", "//", "\\", "-", "_", ".", "!", "...", "…", "“", "€", "§", "!\n", "!/\n/", "./\r\n",
    "🙂", "👩‍👩‍👧", "🇩🇪", "\ud7fb", "@", "[", "`", "{", ":", "^", "\u0100",
    # Unassigned, private and no characters; letters and marks of later versions of Unicode.
    "\u0378", "\ue000", "\uffff", "\ufdd0", "\U0003fffd", "\U0010ffff", "\u088f", "\u0295",
    "\u1acf", "\ua7ce", "\U00011de0",
]  # fmt: skip
CHARACTERS = st.characters(exclude_categories=["Cs"])  # of all planes, assigned or not
_RUNS = st.builds(lambda part, n: part * n, st.sampled_from(PARTS), st.integers(1, 150))
TEXTS = st.one_of(
    st.lists(st.one_of(st.sampled_from(PARTS), _RUNS, CHARACTERS), max_size=25).map("".join),
    st.lists(st.sampled_from(PARTS), max_size=120).map("".join),
    st.text(CHARACTERS, max_size=200),
)
# The edges of what is a character in UTF-8, one too many and one byte too few.
EDGES = [
    b"\x7f", b"\x80", b"\xbf", b"\xc0\x80", b"\xc1\xbf", b"\xc2\x80", b"\xc2\x7f", b"\xc2\xc0",
    b"\xc3\xa9", b"\xdf\xbf", b"\xdf", b"\xe0\x80\x80", b"\xe0\x9f\xbf", b"\xe0\xa0\x80",
    b"\xe0\xa0", b"\xe4\xb8\xad", b"\xe4\xb8", b"\xe4\xb8\x7f", b"\xe4\x7f\xad", b"\xe4\xb8\xc0",
    b"\xed\x9f\xbf", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xee\x80\x80", b"\xef\xbf\xbf",
    b"\xef\xbf", b"\xf0\x80\x80\x80", b"\xf0\x8f\xbf\xbf", b"\xf0\x90\x80\x80", b"\xf0\x9f\x99\x82",
    b"\xf0\x9f\x99", b"\xf0\x9f", b"\xf0", b"\xf0\x9f\x99\x7f", b"\xf0\x9f\x7f\x82",
    b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xf7\xbf\xbf\xbf",
    b"\xf8\x88\x80\x80\x80", b"\xfc", b"\xfe", b"\xff", b"\xff\xff", b"\xc2\x85", b"\xe3\x80\x80",
    b"\xe3\x80", b"\xc5\xbf", b"'\xc5", b"'\xc5\xbf", b"\xcc\x81", b"\xcc",
]  # fmt: skip
BYTES = st.one_of(
    st.binary(max_size=300),
    TEXTS.map(str.encode),
    st.lists(
        st.one_of(
            st.sampled_from(EDGES),
            st.sampled_from(PARTS).map(str.encode),
            st.binary(min_size=1, max_size=3),
        ),
        max_size=80,
    ).map(b"".join),
)

_splitter = cache(make_splitter)


def hard_texts(seed: int, count: int) -> list[str]:
    """Texts drawn at random, the same for the same seed."""
    rng = random.Random(seed)

    def any_character() -> str:
        c = rng.randrange(rng.choice([0x80, 0x800, 0x10000, 0x110000]))
        return "%" if 0xD800 <= c < 0xE000 else chr(c)

    def text() -> str:
        sort = rng.randrange(8)
        if sort < 4:
            return "".join(rng.choices(PARTS, k=rng.randrange(30)))
        if sort == 4:  # a few parts only, often beside each other
            return "".join(rng.choices(rng.sample(PARTS, 4), k=rng.randrange(60)))
        if sort == 5:
            return "".join(any_character() for _ in range(rng.randrange(30)))
        if sort == 6:
            return "".join(rng.choice(PARTS) * rng.randrange(1, 9) for _ in range(rng.randrange(9)))
        return rng.choice("a .\n") * rng.randrange(70) + "".join(rng.choices(PARTS, k=6))

    return [text() for _ in range(count)]


def hard_bytes(seed: int, count: int) -> list[bytes]:
    """Bytes drawn at random, UTF-8 and not."""
    rng = random.Random(seed)
    parts = [*EDGES, *(part.encode() for part in PARTS)]

    def data() -> bytes:
        sort = rng.randrange(4)
        if sort == 0:
            return rng.randbytes(rng.randrange(150))
        if sort == 1:
            return b"".join(rng.choices(EDGES, k=rng.randrange(60)))
        whole = b"".join(rng.choices(parts, k=rng.randrange(60)))
        if sort == 2:
            return whole
        start = rng.randrange(len(whole) + 1)
        return whole[start : rng.randrange(start, len(whole) + 1)]  # cut anywhere

    return [data() for _ in range(count)]


def kernel_pieces(pattern: str, data: bytes | memoryview) -> list[bytes]:
    """The pieces of any bytes by what long texts are cut with."""
    return pieces_of(make_windows(pattern), data)


def pieces_of(windows: Windows, data: bytes | memoryview) -> list[bytes]:
    """The pieces of all windows, which overwrite each other's arrays."""
    pieces: list[bytes] = []
    for window in windows(data):
        ends = (window.starts[: window.number + 1] + window.start).tolist()
        text = window.text[: ends[-1]].tobytes()
        pieces += [text[a:b] for a, b in pairwise(ends)]
    return pieces


def plain_pieces(pattern: str, data: bytes) -> list[bytes]:
    """The pieces by the pattern's regex. Runs of bytes that are no UTF-8 are pieces of their own,
    and the text before them ends there."""
    pieces: list[str] = []
    for run in re.split("([\udc80-\udcff]+)", data.decode("utf-8", "surrogateescape")):
        is_bad = "\udc80" <= run[:1] <= "\udcff"
        pieces += [run] if is_bad else _splitter(pattern)(run)
    return [piece.encode("utf-8", "surrogateescape") for piece in pieces]
