"""GPT-2's way to write bytes as visible characters, in which its files hold their tokens.

Source: openai/gpt-2, `bytes_to_unicode`. Printable Latin-1 bytes stand for themselves; the other 68
are shifted to U+0100 and above, so that a space reads Ġ and a newline Ċ.
"""

from __future__ import annotations

import re

_VISIBLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_HIDDEN = [b for b in range(256) if b not in _VISIBLE]

BYTE_TO_CHAR = {b: chr(b) for b in _VISIBLE} | {b: chr(0x100 + i) for i, b in enumerate(_HIDDEN)}
CHAR_TO_BYTE = {character: byte for byte, character in BYTE_TO_CHAR.items()}

_TO_LATIN = {ord(character): byte for byte, character in BYTE_TO_CHAR.items()}
_ALL_VISIBLE = re.compile(f"[{re.escape(''.join(CHAR_TO_BYTE))}]*")

# The 256 single bytes in the order of their characters: the first 256 ids of a trained vocabulary,
# as GPT-2 and Hugging Face's BpeTrainer give them.
ALPHABET = [bytes([b]) for b in sorted(BYTE_TO_CHAR, key=BYTE_TO_CHAR.__getitem__)]


def to_visible(data: bytes) -> str:
    """Bytes as visible characters."""
    return "".join(map(BYTE_TO_CHAR.__getitem__, data))


def is_visible(text: str) -> bool:
    """Whether every character stands for a byte."""
    return _ALL_VISIBLE.fullmatch(text) is not None


def from_visible(text: str) -> bytes:
    """Visible characters as bytes; a KeyError holds a character that stands for none."""
    if not is_visible(text):
        raise KeyError(next(character for character in text if character not in CHAR_TO_BYTE))
    return text.translate(_TO_LATIN).encode("latin-1")
