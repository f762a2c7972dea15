"""Long texts as pieces: window by window, as arrays of places, for the kernels to work on.

The kernels of the named patterns read bytes; a window ends where its text can be cut unnoticed. For
a regex of the user's own there is no such place: `regex` splits the whole text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
import regex
from numpy.typing import NDArray

from yocto.errors import TokenizerError
from yocto.tokenizer.patterns import make_splitter
from yocto.tokenizer.pay import split_module
from yocto.utils.cuts import spans
from yocto.utils.unicode_classes import class_table

SEPARATOR = b"\xff"  # ends a text among others: no UTF-8 holds it, so it is a piece of its own
WINDOW = 1 << 18  # bytes: text, places and ids of a window fit into a core's cache
_BEYOND = 128  # bytes that the kernels may read beyond a window
_BATCH = 1 << 16  # pieces of a user's own regex that are handed on together
_MOST = (1 << 31) - 256  # bytes of a window: the kernels count places in 32 bits


class Pieces(NamedTuple):
    """`number` pieces: number i is text[start + starts[i] : start + starts[i + 1]].

    128 bytes of `text` lie beyond the last one. The arrays are overwritten by the next window.
    """

    text: NDArray[np.uint8]
    start: int
    starts: NDArray[np.int32]
    number: int


class Windows(Protocol):
    """What cuts bytes into pieces. Keeps its arrays from call to call: one for each thread."""

    def __call__(self, data: bytes | memoryview) -> Iterator[Pieces]:
        """The pieces of a text in UTF-8; bytes that are no UTF-8 are pieces of their own."""


def make_windows(pattern: str) -> Windows:
    """What cuts bytes into pieces by a split pattern."""
    return RegexWindows(pattern) if split_module(pattern) is None else KernelWindows(pattern)


class KernelWindows:
    """Splits by a named pattern."""

    def __init__(self, pattern: str) -> None:
        self._split = _kernel(pattern)
        self._classes = np.frombuffer(class_table(), np.uint8)
        self._starts = np.empty(0, np.int32)
        self._copy = np.empty(0, np.uint8)  # of a window at the text's end

    def __call__(self, data: bytes | memoryview) -> Iterator[Pieces]:
        """The pieces, a window of text at a time."""
        text = np.frombuffer(data, np.uint8)
        for start, end in spans(memoryview(data), WINDOW):
            _check_size(end - start)
            if len(self._starts) < end - start + 64:
                self._starts = np.empty(end - start + 64, np.int32)
            if end + _BEYOND <= len(text):
                window, at = text, start
            else:
                if len(self._copy) < end - start + _BEYOND:
                    self._copy = np.zeros(end - start + _BEYOND, np.uint8)
                window, at = self._copy, 0
                window[: end - start] = text[start:end]
            count = self._split(window, at, at + end - start, self._classes, self._starts)
            yield Pieces(window, at, self._starts, count)


class RegexWindows:
    """Splits by a regex of the user's own."""

    def __init__(self, pattern: str) -> None:
        self._split = make_splitter(pattern)

    def __call__(self, data: bytes | memoryview) -> Iterator[Pieces]:
        """The pieces, some thousands at a time."""
        text = bytes(data).decode("utf-8", "surrogateescape")
        pieces: list[str] = []
        for run in regex.split(r"([\uDC80-\uDCFF]+)", text):
            if run and "\udc80" <= run[0] <= "\udcff":
                pieces.append(run)
            elif run:
                pieces += self._split(run)
        for i in range(0, len(pieces), _BATCH):
            batch = [piece.encode("utf-8", "surrogateescape") for piece in pieces[i : i + _BATCH]]
            _check_size(sum(map(len, batch)))
            starts = np.zeros(len(batch) + 1, np.int32)
            np.cumsum(np.fromiter(map(len, batch), np.int32, len(batch)), out=starts[1:])
            window = np.frombuffer(b"".join(batch) + bytes(_BEYOND), np.uint8)
            yield Pieces(window, 0, starts, len(batch))


def _check_size(size: int) -> None:
    """Raise a TokenizerError for a window whose places don't fit into 32 bits."""
    if size > _MOST:
        raise TokenizerError(
            f"the text goes on for {size:,} bytes without a place where it could be cut",
            "Is it text? Up to 2 GB of it may be without a space or a sign.",
        )


def _kernel(pattern: str) -> Any:
    """text, start, end, classes, starts -> how many pieces."""
    if pattern == "gpt2":
        from yocto.kernels.split_gpt2 import split_gpt2

        return split_gpt2
    from yocto.kernels.split_scan import split_gpt4, split_gpt4o

    if pattern == "gpt4o":
        return split_gpt4o
    digits = 1 if pattern == "qwen2" else 3

    return lambda *arguments: split_gpt4(*arguments, digits, pattern == "gpt4")


def word_table(rows: int) -> NDArray[np.uint64]:
    """An empty table of words: rows of four numbers, none of which lies in two cache lines."""
    space = np.zeros(4 * rows + 8, np.uint64)
    start = -(space.ctypes.data // 8) % 8
    return space[start : start + 4 * rows]
