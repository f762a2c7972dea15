"""Text before it is cut into pieces: one Unicode form, and no halves of characters."""

from __future__ import annotations

import ctypes
import unicodedata
from collections.abc import Callable
from typing import Literal, cast

from yocto.errors import TokenizerError

_as_utf8 = ctypes.pythonapi.PyUnicode_AsUTF8AndSize
_as_utf8.restype = ctypes.c_void_p

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
    utf8(text)


def utf8(text: str) -> bytes:
    """A text in UTF-8. Raises a TokenizerError as check_text does."""
    if not isinstance(text, str):
        raise TokenizerError(
            f"a text is needed, not {type(text).__name__}", "Bytes are for encode_bytes."
        )
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise _lone_surrogate(text, error) from error


def utf8_view(text: str) -> memoryview:
    """The same without a copy, for long texts: the bytes that Python keeps of a text. Those of an
    ASCII text are the text itself, those of another one are made once. Valid while `text` lives."""
    size = ctypes.c_ssize_t()
    try:
        at = _as_utf8(ctypes.py_object(text), ctypes.byref(size))
    except UnicodeEncodeError as error:
        raise _lone_surrogate(text, error) from error
    return memoryview((ctypes.c_ubyte * size.value).from_address(at)).cast("B")


def _lone_surrogate(text: str, error: UnicodeEncodeError) -> TokenizerError:
    return TokenizerError(
        f"character {error.start} is a lone surrogate, U+{ord(text[error.start]):04X}",
        "Such text comes from a faulty decoding step; decode it with errors='replace'.",
    )
