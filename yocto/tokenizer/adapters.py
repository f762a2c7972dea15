"""Tokenizers of other libraries as yocto's own: objects in, a BaseTokenizer out.

What yocto's own kinds can say exactly becomes one of them; the rest is held and asked.
"""

from __future__ import annotations

from typing import Any

from yocto.errors import TokenizerError, TokenizerFileError
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.huggingface import tokenizer_from_json
from yocto.tokenizer.tiktoken import bpe_from_encoding
from yocto.tokenizer.wrapped import guarded
from yocto.tokenizer.wrapped_object import Codec, ObjectTokenizer
from yocto.tokenizer.wrapped_sentencepiece import SentencePieceTokenizer
from yocto.tokenizer.wrapped_tokenizers import TokenizersTokenizer
from yocto.utils.files import parse_json


def adapt_tokenizer(tokenizer: BaseTokenizer | Codec) -> BaseTokenizer:
    """A tokenizer of another library as one of yocto's, with the same ids.

    Takes a tiktoken.Encoding, a tokenizers.Tokenizer, a fast tokenizer of transformers, a
    sentencepiece.SentencePieceProcessor, or any object with encode(text) -> ids and decode(ids) ->
    text; all but the last can be saved, and used by `yocto encode`, `train` and `sample`. Unlike in
    most of these libraries, text that spells a special token stays text unless `encode` is told
    otherwise. Raises TokenizerError for what can't be used.
    """
    theirs: Any = tokenizer
    if isinstance(theirs, BaseTokenizer):
        return theirs
    backend = getattr(theirs, "backend_tokenizer", None)  # of a fast tokenizer of transformers
    if _is(backend, "tokenizers", "Tokenizer"):
        theirs = backend
    if _is(theirs, "tokenizers", "Tokenizer"):
        return _from_tokenizers(theirs)
    if _is(theirs, "tiktoken", "Encoding"):
        try:
            return bpe_from_encoding(theirs)
        except TokenizerError:  # its ranks come from no merges
            return ObjectTokenizer(theirs)
    if _is(theirs, "sentencepiece", "SentencePieceProcessor"):
        return SentencePieceTokenizer(bytes(theirs.serialized_model_proto()))
    return ObjectTokenizer(theirs)


def _from_tokenizers(theirs: Any) -> BaseTokenizer:
    try:
        text = guarded("it can't be written", theirs.to_str)
    except TokenizerError:  # a part of it is written in Python
        return ObjectTokenizer(theirs)
    try:
        return tokenizer_from_json(parse_json(text.encode("utf-8")), "the tokenizer")
    except (TokenizerFileError, ValueError):
        return TokenizersTokenizer(text)


def _is(value: Any, package: str, name: str) -> bool:
    """Whether a value is of a library's class, without importing the library."""
    classes = [cls for cls in type(value).__mro__ if cls.__name__ == name]
    return any(cls.__module__.split(".")[0] == package for cls in classes)
