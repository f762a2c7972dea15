"""tokenizer.json in Hugging Face's format, GPT-2's vocab.json + merges.txt: how they are written.

What is written here has the same ids in `tokenizers` and `transformers`; huggingface.py reads it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from yocto.tokenizer.base import sorted_by_id
from yocto.tokenizer.byte_level import to_visible
from yocto.tokenizer.char_bpe import SUFFIX
from yocto.tokenizer.huggingface_frame import with_frame
from yocto.tokenizer.patterns import pattern_regex
from yocto.tokenizer.special import UNK
from yocto.tokenizer.word import BETWEEN_WORDS, PIECES

if TYPE_CHECKING:
    from yocto.tokenizer.bpe import BPETokenizer
    from yocto.tokenizer.char_bpe import CharBPETokenizer
    from yocto.tokenizer.word import WordTokenizer

_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}

# What cuts a text for a word tokenizer: see word.py.
WORD_STEPS = [
    {"type": "Split", "pattern": {"Regex": BETWEEN_WORDS}, "behavior": "Removed", "invert": False},
    {"type": "Split", "pattern": {"Regex": PIECES}, "behavior": "Isolated", "invert": False},
]


def bpe_files(tokenizer: BPETokenizer) -> dict[str, str]:
    """tokenizer.json, vocab.json and merges.txt: name -> content."""
    vocab = {to_visible(token): i for token, i in tokenizer.vocab.items()}
    vocab |= tokenizer.special_tokens
    vocab = sorted_by_id(vocab)
    merges = [f"{to_visible(left)} {to_visible(right)}" for left, right in tokenizer.merges]
    content = _content(
        tokenizer,
        pre_tokenizer=_pre_tokenizer(tokenizer.pattern),
        post_processor=with_frame(
            tokenizer, {**_BYTE_LEVEL, "trim_offsets": False, "use_regex": False}
        ),
        decoder={**_BYTE_LEVEL, "use_regex": False},
        model=_bpe_model(vocab, merges, ignore_merges=tokenizer.ignore_merges),
    )
    return {
        "tokenizer.json": content,
        "vocab.json": json.dumps(vocab, ensure_ascii=False) + "\n",
        "merges.txt": "\n".join(["#version: 0.2", *merges]) + "\n",
    }


def char_bpe_json(tokenizer: CharBPETokenizer) -> str:
    """The tokenizer.json of char-bpe."""
    decoders: list[dict[str, Any]] = [
        {"type": "Replace", "pattern": {"String": SUFFIX}, "content": ""}, {"type": "Fuse"},
    ]  # fmt: skip
    if tokenizer.byte_fallback:
        decoders.insert(0, {"type": "ByteFallback"})
    return _content(
        tokenizer,
        pre_tokenizer=_split(pattern_regex(tokenizer.pattern)),
        post_processor=with_frame(tokenizer, None),
        decoder={"type": "Sequence", "decoders": decoders},
        model=_bpe_model(
            sorted_by_id(tokenizer.vocab | tokenizer.special_tokens),
            [list(pair) for pair in tokenizer.merges],  # pairs: these tokens hold spaces
            unk_token=UNK, end_of_word_suffix=SUFFIX, byte_fallback=tokenizer.byte_fallback,
        ),
    )  # fmt: skip


def word_json(tokenizer: WordTokenizer) -> str:
    """The tokenizer.json of a word tokenizer. The ids are equal in `tokenizers`; its decode writes
    a space between all tokens, for none of its decoders knows words from signs."""
    vocab = sorted_by_id(tokenizer.vocab | tokenizer.special_tokens)
    return _content(
        tokenizer,
        pre_tokenizer={"type": "Sequence", "pretokenizers": WORD_STEPS},
        post_processor=with_frame(tokenizer, None),
        decoder=None,
        model={"type": "WordLevel", "vocab": vocab, "unk_token": UNK},
    )


def _content(tokenizer: BPETokenizer | CharBPETokenizer | WordTokenizer, **parts: Any) -> str:
    """tokenizer.json with what all kinds have in common."""
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
        **parts,
    }  # fmt: skip
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _bpe_model(vocab: dict[str, int], merges: Sequence[Any], **changed: Any) -> dict[str, Any]:
    return {
        "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
        "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
        "ignore_merges": False, **changed, "vocab": vocab, "merges": merges,
    }  # fmt: skip


def _pre_tokenizer(pattern: str) -> dict[str, Any]:
    if pattern == "gpt2":
        return {**_BYTE_LEVEL, "use_regex": True}
    steps = [_split(pattern_regex(pattern)), {**_BYTE_LEVEL, "use_regex": False}]
    return {"type": "Sequence", "pretokenizers": steps}


def _split(expression: str) -> dict[str, Any]:
    pattern = {"Regex": expression}
    return {"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False}
