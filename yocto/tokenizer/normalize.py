"""Text before it is cut into pieces: one Unicode form, and no halves of characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Literal, cast

from yocto.errors import TokenizerError

Normalization = Literal["none", "nfc", "nfkc"]


def make_normalizer(form: Normalization) -> Callable[[str], str]:
    """A function that brings text into a Unicode form; "none" leaves it as it is.

    nfc writes é as one character, however it was typed; nfkc also makes ﬁ of one character two, and
    full-width letters plain ones. Source: Unicode Standard Annex 15.
    """
    if form == "none":
        return lambda text: text
    if form not in ("nfc", "nfkc"):
        raise TokenizerError(f"there is no normalization {form!r}", "Use none, nfc or nfkc.")
    unicode_form = cast(Literal["NFC", "NFKC"], form.upper())
    return lambda text: unicodedata.normalize(unicode_form, text)


def check_text(text: str) -> None:
    """Raise a TokenizerError for what is no text, and for a lone surrogate: half a character, which
    UTF-8 can't hold."""
    if not isinstance(text, str):
        raise TokenizerError(
            f"a text is needed, not {type(text).__name__}", "Bytes are for encode_bytes."
        )
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise TokenizerError(
            f"character {error.start} is a lone surrogate, U+{ord(text[error.start]):04X}",
            "Such text comes from a faulty decoding step; decode it with errors='replace'.",
        ) from error
