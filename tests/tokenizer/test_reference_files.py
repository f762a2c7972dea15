"""The files of GPT-2, GPT-4, GPT-4o and Qwen3 themselves: exact ids.

They are not part of the repository. They are looked for in the folder that YOCTO_REFERENCE names,
or in shared/reference beside the clone: hf-gpt2/tokenizer.json, hf-qwen3/tokenizer.json, and in
tiktoken/ what tiktoken keeps in its cache.
"""

import os
import random
from pathlib import Path

import pytest

import yocto
from yocto.tokenizer.bpe import BPETokenizer
from yocto.tokenizer.tiktoken import bpe_from_tiktoken, rank_file

ROOT = Path(__file__).parents[2]
REFERENCE = Path(os.environ.get("YOCTO_REFERENCE", ROOT.parent / "shared" / "reference"))
CORPUS = (ROOT / "data" / "philosophy.txt").read_text("utf-8")
CODE = Path(__file__).read_text("utf-8")


def mixed() -> list[str]:
    """Prose, code, several scripts, numbers, white space, and characters drawn at random."""
    rng = random.Random(0)
    ranges = [(32, 127), (0xA0, 0x250), (0x370, 0x5FF), (0x900, 0x97F), (0x4E00, 0x4F00),
              (0x1F600, 0x1F640), (9, 14)]  # fmt: skip
    drawn = "".join(chr(rng.randrange(*rng.choice(ranges))) for _ in range(5000))
    return [
        CORPUS[:50_000], CODE, drawn, "", " ", "a\n  ", "   x\n\n\n  y  \t\r\n",
        "l'été naïve Füße 🙂🙂👩‍👩‍👧 日本語 한국어 हिन्दी עברית e\u0301",
        "don't WE'LL I'M 3.14159 1234567 ½",
        "HelloWorld camelCase SCREAMING_SNAKE <|endoft ext|> <think>",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("folder", "pattern"), [("hf-gpt2", "gpt2"), ("hf-qwen3", "qwen2")], ids=["gpt2", "qwen3"]
)
def test_the_ids_of_tokenizer_json_are_those_of_tokenizers(folder, pattern):
    tokenizers = pytest.importorskip("tokenizers")
    file = REFERENCE / folder / "tokenizer.json"
    if not file.is_file():
        pytest.skip("no reference files")
    ours, theirs = yocto.load_tokenizer(file), tokenizers.Tokenizer.from_file(str(file))
    assert isinstance(ours, BPETokenizer)
    assert (ours.pattern, ours.end_token) == (pattern, "<|endoftext|>")
    for text in mixed():
        assert ours.encode(text, "all") == theirs.encode(text).ids
    marked = "".join(f"{token} a" for token in ours.special_tokens)
    assert ours.encode(marked, "all") == theirs.encode(marked).ids
    assert yocto.adapt_tokenizer(theirs).sha256 == ours.sha256


@pytest.mark.parametrize(
    ("name", "pattern"),
    [("gpt2", "gpt2"), ("r50k_base", "gpt2"), ("cl100k_base", "gpt4"), ("o200k_base", "gpt4o")],
)
def test_the_ids_of_a_tiktoken_encoding_are_its_own(name, pattern, monkeypatch):
    tiktoken = pytest.importorskip("tiktoken")
    if not (REFERENCE / "tiktoken").is_dir():
        pytest.skip("no reference files")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(REFERENCE / "tiktoken"))
    theirs = tiktoken.get_encoding(name)
    ours = yocto.adapt_tokenizer(theirs)
    assert isinstance(ours, BPETokenizer)
    assert (ours.pattern, ours.vocab_size) == (pattern, theirs.n_vocab)
    assert ours.special_tokens == theirs._special_tokens
    for text in mixed():
        assert ours.encode(text, "none") == theirs.encode(text, disallowed_special=())
    marked = "".join(f"{token} a" for token in ours.special_tokens)
    assert ours.encode(marked, "all") == theirs.encode(marked, allowed_special="all")
    # As a rank file, and back.
    again = bpe_from_tiktoken(rank_file(ours), name, pattern)
    assert (again.vocab, again.merges) == (ours.vocab, ours.merges)
