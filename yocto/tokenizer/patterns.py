r"""How text is cut into pieces before merging: the named split patterns, and any regex.

BPE never merges across pieces, so the pattern decides what a token can be: a word with its leading
space, a run of digits, a run of punctuation. The sources are the published patterns of GPT-2
(openai/gpt-2), cl100k and o200k (openai/tiktoken), Llama 3 (meta-llama) and Qwen2 (Qwen).

They are written so that Python's `regex`, Rust's engines and Oniguruma (which Hugging Face's
tokenizers uses) read them alike: `\p{N}{1,3}` instead of `\p{N}{1,3}+`, whose last sign means
"possessive" to one engine and "repeat" to another.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import regex

from yocto.config import nearest
from yocto.errors import TokenizerError
from yocto.tokenizer.normalize import check_text
from yocto.tokenizer.special import split_special

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
        return compiled.findall  # matches every character, so there is nothing between the matches

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


def count_pieces(
    texts: Iterable[str],
    special: Sequence[str],
    normalized: Callable[[str], str],
    split: Callable[[str], list[str]],
) -> Counter[str]:
    """How often each piece occurs in texts; special tokens are no text, and are left out."""
    counts: Counter[str] = Counter()
    for text in texts:
        check_text(text)
        for part in split_special(text, special):
            if part not in special:
                counts.update(split(normalized(part)))
    return counts


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
