"""OpenAI's tokenizers by name."""

from __future__ import annotations

import sys

import pytest
import tiktoken

from yocto.errors import TokenizerFileError
from yocto.tokenizer import named
from yocto.tokenizer.bpe import BPETokenizer
from yocto.tokenizer.byte_level import ALPHABET

TEXT = "The theme of the thesis.\n\n  Né 🙂 <|endoftext|>"


def small_encoding(name: str) -> tiktoken.Encoding:
    """An encoding as tiktoken would make it, with three merges."""
    ranks = {token: i for i, token in enumerate([*ALPHABET, b"th", b"the", b" the"])}
    pattern = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
    return tiktoken.Encoding(
        name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={"<|endoftext|>": len(ranks)}
    )


@pytest.mark.parametrize(
    ("name", "full"),
    [("gpt2", "r50k_base"), ("cl100k", "cl100k_base"), ("o200k", "o200k_base"),
     ("o200k_base", "o200k_base"), ("p50k_edit", "p50k_edit")],
)  # fmt: skip
def test_a_name_is_that_of_tiktoken_and_so_are_the_ids(name, full, monkeypatch) -> None:
    asked = []

    def get_encoding(encoding_name: str) -> tiktoken.Encoding:
        asked.append(encoding_name)
        return small_encoding(encoding_name)

    monkeypatch.setattr(tiktoken, "get_encoding", get_encoding)
    found = named.load_named(name)
    assert asked == [full]
    assert isinstance(found, BPETokenizer)
    assert found.encode(TEXT, "none") == small_encoding("x").encode(TEXT, disallowed_special=())


def test_every_name_is_one_that_tiktoken_knows() -> None:
    assert set(named.NAMES.values()) <= set(tiktoken.list_encoding_names())


def test_a_rank_file_that_cannot_be_had_is_an_error_that_tells_two_ways_out(monkeypatch) -> None:
    def get_encoding(name: str) -> tiktoken.Encoding:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(tiktoken, "get_encoding", get_encoding)
    with pytest.raises(TokenizerFileError, match=r"rank file of cl100k: .*no route") as caught:
        named.load_named("cl100k")
    assert "PATH/cl100k_base.tiktoken" in caught.value.hint
    assert "TIKTOKEN_CACHE_DIR" in caught.value.hint


def test_without_tiktoken_the_error_tells_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    with pytest.raises(TokenizerFileError, match="tiktoken, which is not installed") as caught:
        named.load_named("gpt2")
    assert "pip install tiktoken" in caught.value.hint
    assert "r50k_base.tiktoken" in caught.value.hint
