r"""How text is cut into pieces before merging: the named split patterns, and any regex.

BPE never merges across pieces, so the pattern decides what a token can be: a word with its leading
space, a run of digits, a run of punctuation. The sources are the published patterns of GPT-2
(openai/gpt-2), cl100k and o200k (openai/tiktoken), Llama 3 (meta-llama) and Qwen2 (Qwen).

They are written so that Python's `regex`, Rust's engines and Oniguruma (which Hugging Face's
tokenizers uses) read them alike: `\p{N}{1,3}` instead of `\p{N}{1,3}+`, whose last sign means
"possessive" to one engine and "repeat" to another.

The named patterns cut by the frozen classes of yocto/utils/unicode_classes.py, not by those of the
`regex` that happens to be installed: one text has the same ids everywhere. A regex of the user's
own is read by `regex` as it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from threading import Lock

import regex

from yocto.config import nearest
from yocto.errors import TokenizerError
from yocto.tokenizer.normalize import check_text
from yocto.utils.unicode_classes import class_table

_CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_UPPER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}"
_LOWER = r"\p{Ll}\p{Lm}\p{Lo}\p{M}"

NAMED_PATTERNS: dict[str, str] = {
    "gpt2": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "gpt4": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    "gpt4o": rf"[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]*[{_LOWER}]+{_CONTRACTION}?"
    rf"|[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]+[{_LOWER}]*{_CONTRACTION}?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "llama3": rf"{_CONTRACTION}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "qwen2": rf"{_CONTRACTION}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}


# Runs of characters that the installed `regex` sees in one class. The number of the group that
# matches is the class's code in the frozen table; OTHER has none.
_INSTALLED = regex.compile(
    r"(\p{M}+)|(\p{N}+)|([^\S\r\n]+)|([\r\n]+)|([\p{Lu}\p{Lt}]+)|(\p{Ll}+)|([\p{Lm}\p{Lo}]+)"
    r"|[^\s\p{L}\p{M}\p{N}]+"
)
# For each code a character that every `regex` puts in that class, and that no pattern names.
_STAND_INS = "\u00a7\u0301\u0660\u3000\nЖж中"
_PAGE = 0x1000  # characters that are looked at together

_LONGEST = 10_000  # characters of a regex, and what the least counts of its repeats may multiply to
_SECONDS = 5.0  # that a regex of the user's own may take for a short text


def pattern_regex(pattern: str) -> str:
    """The regex behind a pattern's name; any other text is a regex already."""
    return NAMED_PATTERNS.get(pattern, pattern)


def pattern_name(expression: str) -> str:
    """The name of a regex that has one, else the regex itself."""
    for name, named in NAMED_PATTERNS.items():
        if named == expression:
            return name
    return expression


def make_splitter(pattern: str) -> Callable[[str], list[str]]:
    """A function that cuts text into pieces which, joined, are the text again.

    What a regex does not match becomes pieces of its own between the matches, as in Hugging Face's
    Split(behavior="isolated").
    """
    expression = pattern_regex(pattern)
    _check_size(expression)
    if regex.fullmatch(r"[A-Za-z0-9_-]+", expression):  # a word splits no text
        close = nearest(pattern, list(NAMED_PATTERNS))
        known = ", ".join(NAMED_PATTERNS)
        hint = f"Did you mean {close!r}? " if close else ""
        raise TokenizerError(
            f"there is no split pattern {pattern!r}", f"{hint}There are {known}, or any regex."
        )
    try:
        compiled = regex.compile(expression)
        if compiled.flags & regex.REVERSE:
            raise ValueError("it reads from the end")
    except (regex.error, ValueError, RecursionError, OverflowError) as error:
        known = ", ".join(NAMED_PATTERNS)
        raise TokenizerError(
            f"the split pattern {pattern!r} is no valid regex: {error}",
            f"Use one of {known}, or mend the regex.",
        ) from error
    if pattern_name(expression) in NAMED_PATTERNS:
        return _frozen(compiled)

    def split(text: str) -> list[str]:
        limit = _SECONDS + len(text) / 50_000  # a sound regex takes a hundredth of that
        try:
            return list(_with_gaps(compiled, text, limit))
        except TimeoutError:
            raise TokenizerError(
                f"the split pattern {pattern!r} takes for ever on this text",
                "Some regexes try exponentially many ways to match. Use a named pattern, or mend "
                "it: nested repeats like (a+)+ are the usual cause.",
            ) from None

    return split


def _frozen(compiled: regex.Pattern[str]) -> Callable[[str], list[str]]:
    """A splitter by a named pattern and the frozen classes.

    The pattern matches every character, so there is nothing between the matches.
    """

    def split(text: str) -> list[str]:
        if text.isascii():
            return compiled.findall(text)
        disputed = _disputes.among(text)
        if not disputed:
            return compiled.findall(text)
        pieces, end = [], 0
        for piece in compiled.findall(text.translate(disputed)):  # as long as the text
            start, end = end, end + len(piece)
            pieces.append(text[start:end])
        return pieces

    return split


class _Disputes:
    """The characters that the installed `regex` classes otherwise than the frozen table.

    They are looked for when first needed, a page of characters at a time. Threads share them.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._pages: set[int] = set()  # that were looked at
        self._agreed = [r"\x00-\x7f"]  # ranges of characters, as in a regex
        self._doubtful = re.compile(r"[^\x00-\x7f]")  # what is not in them; `re` finds it quickest
        self._stand_ins: dict[int, str] = {}

    def among(self, text: str) -> dict[int, str]:
        """Code point -> stand-in, for the disputed characters of a text; mostly there are none."""
        if not self._doubtful.search(text):
            return {}
        points = set(map(ord, text))
        with self._lock:
            pages = {c // _PAGE for c in points} - self._pages
            for page in pages:
                self._look_at(page * _PAGE)
            if pages:
                self._pages |= pages
                self._doubtful = re.compile(f"[^{''.join(self._agreed)}]")
        return {c: self._stand_ins[c] for c in points if c in self._stand_ins}

    def _look_at(self, start: int) -> None:
        codes = class_table()[start : start + _PAGE]
        found = bytearray()
        for run in _INSTALLED.finditer("".join(map(chr, range(start, start + _PAGE)))):
            found += bytes([run.lastindex or 0]) * len(run[0])
        first = start
        for c, (frozen, installed) in enumerate(zip(codes, found, strict=True), start):
            if frozen != installed:
                self._stand_ins[c] = _STAND_INS[frozen]
                self._agree(first, c)
                first = c + 1
        self._agree(first, start + _PAGE)

    def _agree(self, first: int, end: int) -> None:
        if first < end:
            self._agreed.append(rf"\U{first:08x}-\U{end - 1:08x}")


_disputes = _Disputes()


def _check_size(expression: str) -> None:
    """Raise a TokenizerError for a regex whose compilation may take minutes or gigabytes: `regex`
    writes the repeats of (?:ab){99} out, and those within them too."""
    check_text(expression)
    counts = [n.lstrip("0")[:9] or "1" for n in regex.findall(r"\{\s*([0-9]+)", expression)]
    if len(expression) > _LONGEST or math.prod(map(int, counts)) > _LONGEST:
        raise TokenizerError(
            "the split pattern is too large",
            f"A regex may have up to {_LONGEST:,} characters, and so many once its repeats, as in "
            "(?:ab){99}, are written out.",
        )


def _with_gaps(compiled: regex.Pattern[str], text: str, limit: float) -> Iterator[str]:
    end = 0
    for match in compiled.finditer(text, timeout=limit):
        start, stop = match.span()
        if start == stop:
            continue
        if start > end:
            yield text[end:start]
        yield text[start:stop]
        end = stop
    if end < len(text):
        yield text[end:]
