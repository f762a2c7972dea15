"""tokenizer.json in Hugging Face's format, and GPT-2's vocab.json + merges.txt: both ways.

Only what byte-level BPE needs is understood. A file with anything else in it is refused by name:
reading on would give other ids without a word.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from yocto.errors import TokenizerError, TokenizerFileError
from yocto.tokenizer.base import sorted_by_id
from yocto.tokenizer.byte_level import CHAR_TO_BYTE, from_visible, to_visible
from yocto.tokenizer.patterns import pattern_name, pattern_regex

if TYPE_CHECKING:
    from yocto.tokenizer.bpe import BPETokenizer, Normalization

# ---------------------------------------------------------------------------------------- write


def bpe_files(tokenizer: BPETokenizer) -> dict[str, str]:
    """tokenizer.json, vocab.json and merges.txt: name -> content."""
    vocab = {to_visible(token): i for token, i in tokenizer.vocab.items()}
    vocab |= tokenizer.special_tokens
    vocab = sorted_by_id(vocab)
    merges = [f"{to_visible(left)} {to_visible(right)}" for left, right in tokenizer.merges]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": i, "content": text, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": True}
            for text, i in tokenizer.special_tokens.items()
        ],
        "normalizer": None if tokenizer.normalize == "none" else {
            "type": tokenizer.normalize.upper()
        },
        "pre_tokenizer": _pre_tokenizer(tokenizer.pattern, byte_level),
        "post_processor": {**byte_level, "trim_offsets": False, "use_regex": False},
        "decoder": {**byte_level, "use_regex": False},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
            "ignore_merges": tokenizer.ignore_merges, "vocab": vocab, "merges": merges,
        },
    }  # fmt: skip
    return {
        "tokenizer.json": json.dumps(content, ensure_ascii=False, indent=1) + "\n",
        "vocab.json": json.dumps(vocab, ensure_ascii=False) + "\n",
        "merges.txt": "\n".join(["#version: 0.2", *merges]) + "\n",
    }


def _pre_tokenizer(pattern: str, byte_level: dict[str, Any]) -> dict[str, Any]:
    if pattern == "gpt2":
        return {**byte_level, "use_regex": True}
    split = {
        "type": "Split",
        "pattern": {"Regex": pattern_regex(pattern)},
        "behavior": "Isolated",
        "invert": False,
    }
    return {"type": "Sequence", "pretokenizers": [split, {**byte_level, "use_regex": False}]}


# ----------------------------------------------------------------------------------------- read


def bpe_from_json(content: Any, path: str) -> BPETokenizer:
    """Make a tokenizer of what a tokenizer.json holds; a TokenizerFileError names the fault."""
    from yocto.tokenizer.bpe import BPETokenizer

    try:
        model = _table(content, "model")
        if model.get("type") not in ("BPE", None):
            raise _Fault(f"its model is {model.get('type')!r}, not BPE")
        for key in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "unk_token"):
            if model.get(key):
                raise _Fault(f"model.{key} is {model[key]!r}, which byte-level BPE has not")
        if model.get("byte_fallback"):
            raise _Fault("model.byte_fallback is on, which byte-level BPE has not")
        special = _added_tokens(content.get("added_tokens"))
        vocab = _vocab(_table(model, "vocab"), special)
        merges = [_merge(merge) for merge in _list(model, "merges")]
        return BPETokenizer(
            vocab,
            merges,
            _pattern(content.get("pre_tokenizer")),
            special,
            _normalizer(content.get("normalizer")),
            bool(model.get("ignore_merges")),
        )
    except _Fault as fault:
        raise TokenizerFileError(f"{path}: {fault}", _HINT) from None
    except TokenizerError as error:
        raise TokenizerFileError(f"{path}: {error.message}", _HINT) from error


def bpe_from_gpt2_files(vocab: Any, merges: str, path: str, pattern: str) -> BPETokenizer:
    """Make a tokenizer of vocab.json and merges.txt.

    These files don't name the special tokens: they are what no merge makes and is no single byte.
    """
    from yocto.tokenizer.bpe import BPETokenizer

    try:
        if not isinstance(vocab, dict):
            raise _Fault("vocab.json is not a table")
        lines = merges.split("\n")
        if lines and lines[0].startswith("#version"):
            lines = lines[1:]
        pairs = [_merge(line.removesuffix("\r")) for line in lines if line.strip("\r")]
        made = {left + right for left, right in pairs}
        special = {}
        for text, i in vocab.items():
            single = len(text) == 1 and text in CHAR_TO_BYTE
            if not single and not (_is_visible(text) and from_visible(text) in made):
                special[text] = _id(i, text)
        return BPETokenizer(_vocab(vocab, special), pairs, pattern, special)
    except _Fault as fault:
        raise TokenizerFileError(f"{path}: {fault}", _HINT) from None
    except TokenizerError as error:
        raise TokenizerFileError(f"{path}: {error.message}", _HINT) from error


_HINT = "Make it anew with yocto train-tokenizer, or fetch it again from where it came."


class _Fault(Exception):
    """What is wrong with a file, before its name is put in front."""


def _table(content: Any, key: str) -> dict[str, Any]:
    value = content.get(key) if isinstance(content, dict) else None
    if not isinstance(value, dict):
        raise _Fault(f"{key!r} is missing or not a table")
    return value


def _list(content: Mapping[str, Any], key: str) -> list[Any]:
    value = content.get(key)
    if not isinstance(value, list):
        raise _Fault(f"{key!r} is missing or not a list")
    return value


def _id(value: Any, text: str) -> int:
    if type(value) is not int or not 0 <= value < 1 << 24:
        raise _Fault(f"the id of {text!r} is {value!r}")
    return value


def _is_visible(text: str) -> bool:
    return all(character in CHAR_TO_BYTE for character in text)


def _vocab(vocab: Mapping[str, Any], special: Mapping[str, int]) -> dict[bytes, int]:
    tokens = {}
    for text, i in vocab.items():
        if text in special:
            if special[text] != i:
                raise _Fault(f"{text!r} has the ids {special[text]} and {i}")
        elif not text or not _is_visible(text):
            raise _Fault(f"the token {text!r} is not in GPT-2's byte alphabet")
        else:
            tokens[from_visible(text)] = _id(i, text)
    return tokens


def _merge(merge: Any) -> tuple[bytes, bytes]:
    parts = merge.split(" ") if isinstance(merge, str) else merge
    if (
        not isinstance(parts, Sequence)
        or len(parts) != 2
        or not all(isinstance(part, str) and part and _is_visible(part) for part in parts)
    ):
        raise _Fault(f"the merge {merge!r} is not a pair of tokens")
    return from_visible(parts[0]), from_visible(parts[1])


def _added_tokens(added: Any) -> dict[str, int]:
    if not isinstance(added, list | None):
        raise _Fault("'added_tokens' is not a list")
    special = {}
    for token in added or []:
        if not isinstance(token, dict) or not isinstance(token.get("content"), str):
            raise _Fault(f"the added token {token!r} has no content")
        text = token["content"]
        for key in ("single_word", "lstrip", "rstrip"):
            if token.get(key):
                raise _Fault(f"the added token {text!r} has {key!r}, which is not supported")
        if text in special:
            raise _Fault(f"the added token {text!r} is there twice")
        special[text] = _id(token.get("id"), text)
    return special


def _normalizer(normalizer: Any) -> Normalization:
    if normalizer is None:
        return "none"
    kind = normalizer.get("type") if isinstance(normalizer, dict) else normalizer
    if kind == "NFC":
        return "nfc"
    if kind == "NFKC":
        return "nfkc"
    raise _Fault(f"the normalizer {kind!r} is not supported; NFC and NFKC are")


def _pattern(pre_tokenizer: Any) -> str:
    """The split pattern: of ByteLevel alone, or of a Split before it."""
    steps = pre_tokenizer
    if isinstance(pre_tokenizer, dict):
        is_sequence = pre_tokenizer.get("type") == "Sequence"
        steps = pre_tokenizer.get("pretokenizers") if is_sequence else [pre_tokenizer]
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise _Fault("'pre_tokenizer' is missing or not a table")
    kinds = [step.get("type") for step in steps]
    if (
        not kinds
        or kinds[-1] != "ByteLevel"
        or kinds not in (["ByteLevel"], ["Split", "ByteLevel"])
    ):
        raise _Fault(f"the pre-tokenizer {kinds} is not supported; Split and ByteLevel are")
    if steps[-1].get("add_prefix_space"):
        raise _Fault("the pre-tokenizer adds a space before the text, which is not supported")
    if kinds == ["ByteLevel"]:
        return "gpt2" if steps[0].get("use_regex", True) else r"[\s\S]+"
    if steps[1].get("use_regex", True):
        raise _Fault("the pre-tokenizer splits twice, which is not supported")
    split = steps[0]
    expression = split["pattern"].get("Regex") if isinstance(split.get("pattern"), dict) else None
    isolated = split.get("behavior") == "Isolated"
    matches = split.get("behavior") == "Removed" and split.get("invert") is True
    if not isinstance(expression, str) or not (isolated or matches):
        raise _Fault("the pre-tokenizer's Split is not a regex whose matches are the pieces")
    return pattern_name(expression)
