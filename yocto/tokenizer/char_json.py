"""A char tokenizer as Hugging Face's tokenizer.json, written and read.

There, characters are a vocabulary of words (WordLevel) over a text that is cut into its characters.
The ids are equal for all texts whose characters the vocabulary has; another character is an error
there as here. Small letters and normal forms are those of each library's version of Unicode, so a
character that only one of the two knows yet may differ.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

from yocto.errors import TokenizerError, TokenizerFileError
from yocto.tokenizer.char import CharTokenizer
from yocto.tokenizer.normalize import Normalization

_STEP = {
    "type": "Split", "pattern": {"Regex": r"[\s\S]"}, "behavior": "Isolated", "invert": False,
}  # fmt: skip
_FORMS: tuple[Normalization, ...] = ("none", "nfc", "nfkc")
# Python writes a sigma that ends a word as ς; the other library knows no ends of words. Source: the
# Unicode Standard, table 3-17, Final_Sigma: a cased letter before it and none after, whatever is
# case-ignorable in between. A few characters, such as ʰ, are both, and count as ignorable.
_LETTER, _IGNORED = r"[\p{Cased}&&[^\p{Case_Ignorable}]]", r"\p{Case_Ignorable}*"
_SIGMA = {
    "type": "Replace",
    "pattern": {"Regex": f"(?<={_LETTER}{_IGNORED})Σ(?!{_IGNORED}{_LETTER})"},
    "content": "ς",
}


def char_json(tokenizer: CharTokenizer) -> str:
    """The content of tokenizer.json."""
    special = tokenizer.special_tokens
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": i, "content": text, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": True}
            for text, i in special.items()
        ],
        "normalizer": _normalizer(tokenizer.normalize, tokenizer.lowercase),
        "pre_tokenizer": _STEP,
        "post_processor": None,
        "decoder": {"type": "Fuse"},
        # No text is empty, so nothing unknown becomes the unknown token.
        "model": {"type": "WordLevel", "vocab": {**tokenizer.stoi, **special}, "unk_token": ""},
    }  # fmt: skip
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def char_from_tokenizer_json(content: Any, path: str) -> CharTokenizer | None:
    """The tokenizer of a tokenizer.json as `char_json` writes it; None for any other one."""
    if not isinstance(content, dict) or content.get("pre_tokenizer") != _STEP:
        return None
    model = content.get("model")
    vocab = model.get("vocab") if isinstance(model, dict) else None
    added = content.get("added_tokens")
    if not isinstance(vocab, dict) or not isinstance(added, list):
        return None
    for normalize, lowercase in itertools.product(_FORMS, (False, True)):
        if content.get("normalizer") == _normalizer(normalize, lowercase):
            texts = [str(token.get("content")) for token in added if isinstance(token, dict)]
            characters = [character for character in vocab if character not in texts]
            if list(vocab.values()) != list(range(len(vocab))) or list(vocab) != [
                *characters, *texts
            ]:  # fmt: skip
                return None
            try:
                return CharTokenizer(characters, texts, normalize, lowercase)
            except (TokenizerError, TypeError) as error:
                raise TokenizerFileError(f"{path}: {error}", "Export the model anew.") from error
    return None


def _normalizer(normalize: Normalization, lowercase: bool) -> dict[str, Any] | None:
    form = [] if normalize == "none" else [{"type": normalize.upper()}]
    steps: list[dict[str, Any]] = form
    if lowercase:
        steps = [*form, _SIGMA, {"type": "Lowercase"}, *form]
    return {"type": "Sequence", "normalizers": steps} if steps else None
