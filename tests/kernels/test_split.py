"""The kernels that cut text into pieces: the same pieces as the regexes of the named patterns."""

import os

import pytest
from hypothesis import given, settings
from pieces import PARTS, TEXTS, hard_texts, kernel_pieces, plain_pieces

import yocto
from yocto.tokenizer.bpe import BPETokenizer
from yocto.tokenizer.patterns import NAMED_PATTERNS

every_pattern = pytest.mark.parametrize("pattern", NAMED_PATTERNS)
BAD = b"\xff"  # ends a text, and is a piece of its own


def check(pattern: str, texts: list[str]) -> None:
    """Cut many texts by one call of the kernel."""
    filled = [text.encode() for text in texts if text]
    found = kernel_pieces(pattern, BAD.join(filled))
    expected = [piece for text in filled for piece in (BAD, *plain_pieces(pattern, text))][1:]
    if found != expected:
        for text in filled:
            assert kernel_pieces(pattern, text) == plain_pieces(pattern, text)
    assert found == expected


@every_pattern
@settings(deadline=None, max_examples=300)
@given(text=TEXTS)
def test_the_pieces_of_any_text_are_those_of_the_regex(pattern, text):
    data = text.encode()
    assert kernel_pieces(pattern, data) == plain_pieces(pattern, data)


@every_pattern
def test_each_character_and_each_two_are_cut_as_by_the_regex(pattern):
    check(pattern, PARTS)
    check(pattern, [a + b for a in PARTS for b in PARTS])


@every_pattern
@pytest.mark.parametrize("before", ["x", " ", ".", "中", "\n"])
def test_the_pieces_are_the_same_wherever_in_a_block_of_64_bytes_they_lie(pattern, before):
    samples = [
        "'s", "'sx", "'ll", "'llx", "'re.", "x've", "'l", "é's", "  \n x", "   x", " \u3000x",
        "\u3000 x", "\u3000\u3000", "🙂x", "x🙂", "12345x", "٠٠٠٠", "\u0301x", "x\u0301", "\u0085.",
        "\u00a0\u00a0a", " ", "  ", "\n", "\r\n\r\nx", "'", "'ſ", " \u2028", "中 中", "A中B",
    ]  # fmt: skip
    for sample in samples:
        for n in range(60 // len(before.encode()), 70):
            for after in ("", " ", "a", " 12 x" * 30):
                data = (before * n + sample + after).encode()
                assert kernel_pieces(pattern, data) == plain_pieces(pattern, data)


@every_pattern
def test_the_pieces_of_thousands_of_texts_drawn_at_random_are_those_of_the_regex(pattern):
    check(pattern, hard_texts(0, 3000))


@every_pattern
def test_every_character_of_unicode_is_cut_as_by_the_regex(pattern):
    points = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000 and c % 16 in (0, 5)]
    check(pattern, [f"a{c} {c}1{c}{c}B" for c in points[:: 1 if pattern == "gpt4o" else 4]])


@every_pattern
def test_runs_of_one_part_are_cut_as_by_the_regex(pattern):
    check(pattern, [part * n for part in PARTS for n in (63, 64, 65, 200)])


# --------------------------------------------------------------------------- millions of texts


@pytest.mark.slow
@every_pattern
def test_the_pieces_of_a_million_texts_are_those_of_the_regex(pattern):
    first = 1000 * (1 + list(NAMED_PATTERNS).index(pattern))  # other texts for each pattern
    for seed in range(first, first + 50):
        check(pattern, hard_texts(seed, 20_000))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["r50k_base", "cl100k_base", "o200k_base"])
def test_the_ids_of_hundreds_of_thousands_of_texts_are_tiktokens(name):
    tiktoken = pytest.importorskip("tiktoken")
    if "TIKTOKEN_CACHE_DIR" not in os.environ:
        pytest.skip("no rank files")
    try:
        theirs = tiktoken.get_encoding(name)
    except OSError:
        pytest.skip(f"the rank file of {name} is not there")
    ours = yocto.adapt_tokenizer(theirs)
    assert isinstance(ours, BPETokenizer)
    for seed in range(100, 120):
        texts = hard_texts(seed, 20_000)
        expected = theirs.encode_ordinary_batch(texts, num_threads=1)
        found = [ids.tolist() for ids in ours.encode_batch_to_numpy(texts)]
        if found != expected:
            for text, ids, right in zip(texts, found, expected, strict=True):
                assert (text, ids) == (text, right)
