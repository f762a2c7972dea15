r"""What each character is to the split patterns: a letter, a number, white space, …, frozen.

Every version of Unicode adds letters, and now and then one changes its class (U+0295 did in 17.0).
If this were looked up in whatever `regex` or Python is installed, an upgrade could change the ids
of a text. So the table is a file of the package, unicode_classes.txt, and belongs to one version.
It is the one in tiktoken 0.14 and Hugging Face's tokenizers 0.23, so ids agree with theirs.

Source: General_Category and White_Space of the Unicode Character Database (UAX #44).
scripts/make_unicode_classes.py writes the file.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from yocto.errors import TokenizerFileError

UNICODE_VERSION = "16.0.0"
FORMAT = 1  # of unicode_classes.txt

# The codes are part of the format: compiled code may have them built in.
OTHER = 0  # everything else: punctuation, symbols, controls, surrogates, unassigned
MARK = 1  # \p{M}
NUMBER = 2  # \p{N}
SPACE = 3  # \s, but for the two of NEWLINE
NEWLINE = 4  # \r and \n
UPPER = 5  # \p{Lu} and \p{Lt}
LOWER = 6  # \p{Ll}
LETTER = 7  # \p{Lm} and \p{Lo}

CLASS_NAMES = ("OTHER", "MARK", "NUMBER", "SPACE", "NEWLINE", "UPPER", "LOWER", "LETTER")
CODE_POINTS = 0x110000
CLASSES_FILE = Path(__file__).with_name("unicode_classes.txt")


@cache
def class_table() -> bytes:
    """The code of each code point, from 0 to 0x10FFFF.

    Raises TokenizerFileError if the file is not the one that came with this yocto.
    """
    try:
        return parse_classes(CLASSES_FILE.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise TokenizerFileError(
            f"{CLASSES_FILE} can't be used: {error}",
            "It is part of yocto, and without it ids would be wrong. Install yocto again.",
        ) from error


def parse_classes(text: str) -> bytes:
    """The table in the text of unicode_classes.txt; a ValueError tells what is wrong with it."""
    head, _, body = text.partition("\n\n")
    fields = {name: value for name, _, value in (s.partition(" ") for s in head.splitlines())}
    wanted = {"format": str(FORMAT), "unicode": UNICODE_VERSION, "sha256": ranges_digest(body)}
    for name, value in wanted.items():
        if fields.get(name) != value:
            raise ValueError(f"its {name} is {fields.get(name)}, not {value}")
    table = bytearray(CODE_POINTS)
    codes = {name: bytes([code]) for code, name in enumerate(CLASS_NAMES)}
    for line in body.splitlines():
        first, last, name = line.split(" ")
        start, stop = int(first, 16), int(last, 16) + 1
        table[start:stop] = codes[name] * (stop - start)
    return bytes(table)


def ranges_digest(body: str) -> str:
    """The SHA-256 of the lines with the ranges, in hex; the file holds it, so that half a file is
    not taken for a whole one."""
    return hashlib.sha256(body.encode("ascii")).hexdigest()
