"""A tokenizer as the files that transformers' AutoTokenizer opens, with the same ids and text."""

from __future__ import annotations

import json
from typing import Any

from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.char import CharTokenizer
from yocto.tokenizer.char_json import char_json
from yocto.tokenizer.word import IN_WORD, WordTokenizer

# Private characters, one of which no vocabulary has.
_MARKS = range(0x10FFFD, 0x10F000, -1)


def tokenizer_files(tokenizer: BaseTokenizer) -> dict[str, bytes]:
    """The tokenizer's own files: name -> content; none of a model that works on ids."""
    if tokenizer.kind == "ids":
        return {}
    if isinstance(tokenizer, CharTokenizer):
        return {"tokenizer.json": char_json(tokenizer).encode("utf-8")}
    name, content = next(iter(tokenizer.files().items()))
    data = content if isinstance(content, bytes) else content.encode("utf-8")
    return {name: _with_spaces(data, tokenizer) if isinstance(tokenizer, WordTokenizer) else data}


def _with_spaces(data: bytes, tokenizer: WordTokenizer) -> bytes:
    """The tokenizer.json of a word tokenizer with a decoder that puts a space between two words.

    None of the library's decoders knows words from signs, but they can be made to: a mark before
    each token, all in one, the marks between two words to spaces, and the other marks away.
    """
    content = json.loads(data)
    taken = set("".join([*tokenizer.vocab, *tokenizer.special_tokens]))
    mark = next(chr(code) for code in _MARKS if chr(code) not in taken)
    word, unk = IN_WORD, "<unk>"
    between = rf"(?:(?<={word})|(?<={unk})){mark}(?={word}|{unk})"
    content["decoder"] = {"type": "Sequence", "decoders": [
        _replace({"Regex": "^"}, mark), {"type": "Fuse"}, _replace({"Regex": between}, " "),
        _replace({"String": mark}, ""),
    ]}  # fmt: skip
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def _replace(pattern: dict[str, str], content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": pattern, "content": content}


def tokenizer_config(tokenizer: BaseTokenizer, block_size: int) -> dict[str, Any]:
    """tokenizer_config.json: which class opens the files, and what the special tokens mean.

    The class is the one that takes tokenizer.json as it stands; a family's own would put its own
    split pattern in place of ours. A text of ours begins after what ended the one before it, so
    the token that ends a document begins one too.
    """
    special, end = tokenizer.special_tokens, tokenizer.end_token
    sentencepiece = tokenizer.kind == "sentencepiece"
    meanings = {
        "bos_token": end,
        "eos_token": end,
        "unk_token": "<unk>" if "<unk>" in special else None,
        "pad_token": "<pad>" if "<pad>" in special else end,
    }
    return {
        "tokenizer_class": "LlamaTokenizer" if sentencepiece else "PreTrainedTokenizerFast",
        **{name: token for name, token in meanings.items() if token is not None},
        "add_bos_token": False,
        "add_eos_token": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": block_size,
        "model_input_names": ["input_ids", "attention_mask"],
    }
