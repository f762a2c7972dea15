"""Write yocto/utils/unicode_classes.txt: what each character is to the split patterns.

    python scripts/make_unicode_classes.py [--out FILE] [--unicode VERSION]

The characters' categories come from Python's unicodedata, or from the package unicodedata2
(`pip install unicodedata2==16.0.0`), whichever holds the version that is wanted. That is the frozen
one unless --unicode names another: with another table some texts get other ids, so a new version
also needs a new UNICODE_VERSION in yocto/utils/unicode_classes.py, and a word in the changelog.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import groupby
from pathlib import Path

from yocto.utils.unicode_classes import (
    CLASS_NAMES,
    CLASSES_FILE,
    CODE_POINTS,
    FORMAT,
    LETTER,
    LOWER,
    MARK,
    NEWLINE,
    NUMBER,
    OTHER,
    SPACE,
    UNICODE_VERSION,
    UPPER,
    ranges_digest,
)

HEADER = """\
# What each character is to the split patterns: FIRST LAST CLASS; code points in hex, LAST is in.
# What is not listed is OTHER. Written by scripts/make_unicode_classes.py; not to be edited.
# From the Unicode Character Database, (c) Unicode, Inc., https://www.unicode.org/license.txt
"""
CLASS_OF = {"M": MARK, "N": NUMBER, "Z": SPACE, "Lu": UPPER, "Lt": UPPER, "Ll": LOWER, "Lm": LETTER,
            "Lo": LETTER}  # fmt: skip
# PropList.txt: White_Space is the three categories Z* and these controls.
CONTROLS = {0x09: SPACE, 0x0A: NEWLINE, 0x0B: SPACE, 0x0C: SPACE, 0x0D: NEWLINE, 0x85: SPACE}


def categories(version: str) -> Callable[[str], str]:
    """The function that gives a character's General_Category in this version of Unicode."""
    found = []
    for name in ("unicodedata", "unicodedata2"):
        try:
            module = import_module(name)
        except ImportError:
            continue
        if module.unidata_version == version:
            return module.category
        found.append(f"{name} is of {module.unidata_version}")
    sys.exit(f"Unicode {version} is not installed ({', '.join(found)}).\n"
             f"Type: pip install unicodedata2=={version}")  # fmt: skip


def class_of(code_point: int, category: str) -> int:
    """The code of one code point."""
    if code_point in CONTROLS:
        return CONTROLS[code_point]
    return CLASS_OF.get(category, CLASS_OF.get(category[0], OTHER))


def ranges(category: Callable[[str], str]) -> Iterator[str]:
    """The lines of the file: runs of code points of one class."""
    codes = (class_of(c, category(chr(c))) for c in range(CODE_POINTS))
    for code, run in groupby(enumerate(codes), key=lambda item: item[1]):
        points = [c for c, _ in run]
        if code != OTHER:
            yield f"{points[0]:04X} {points[-1]:04X} {CLASS_NAMES[code]}\n"


def main() -> None:
    """Read the command line, write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=CLASSES_FILE)
    parser.add_argument("--unicode", default=UNICODE_VERSION, help="default: %(default)s, frozen")
    options = parser.parse_args()
    body = "".join(ranges(categories(options.unicode)))
    fields = {"format": FORMAT, "unicode": options.unicode, "sha256": ranges_digest(body)}
    head = HEADER + "".join(f"{name} {value}\n" for name, value in fields.items())
    options.out.write_bytes(f"{head}\n{body}".encode("ascii"))


if __name__ == "__main__":
    main()
