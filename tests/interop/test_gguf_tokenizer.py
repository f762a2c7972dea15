"""Which tokenizers a GGUF file can hold, under which name, and why not the others."""

from __future__ import annotations

import pytest
from gguf_models import every_pair, trained

from yocto.errors import ExportError
from yocto.interop.gguf_tokenizer import CONTROL, NORMAL, UNUSED, gguf_vocabulary
from yocto.tokenizer.bpe import BPETokenizer, byte_vocab
from yocto.tokenizer.byte_level import to_visible
from yocto.tokenizer.char import CharTokenizer
from yocto.tokenizer.char_bpe import CharBPETokenizer
from yocto.tokenizer.patterns import NAMED_PATTERNS
from yocto.tokenizer.word import WordTokenizer

PRES = {"gpt2": "gpt-2", "llama3": "llama-bpe", "qwen2": "qwen2", "gpt4o": "gpt-4o"}


def made(pattern: str = "llama3", *, special: tuple[str, ...] = ("<|e|>",), **options):
    """A tokenizer whose token "abc" its merges never reach: they take "bc" first."""
    vocab = {**byte_vocab(), b"bc": 256, b"ab": 257, b"abc": 258}
    merges = [(b"b", b"c"), (b"a", b"b"), (b"ab", b"c")]
    ids = {text: 259 + i for i, text in enumerate(special)}
    return BPETokenizer(vocab, merges, pattern, ids, **options)


@pytest.mark.parametrize("pattern", PRES)
def test_each_pattern_has_llama_cpps_name_by_its_regex_too(pattern):
    for tokenizer in (trained(pattern), every_pair(pattern)):
        assert gguf_vocabulary(tokenizer, tokenizer.vocab_size).pre == PRES[pattern]
    plain = trained(pattern)
    same = BPETokenizer(plain.vocab, plain.merges, NAMED_PATTERNS[pattern], plain.special_tokens)
    assert gguf_vocabulary(same, same.vocab_size).pre == PRES[pattern]


def test_tokens_types_and_merges_are_those_of_the_tokenizer():
    tokenizer = trained("qwen2", 600, "<|a|>")
    size = tokenizer.vocab_size
    found = gguf_vocabulary(tokenizer, size + 2)
    for token, i in tokenizer.vocab.items():
        assert (found.tokens[i], found.types[i]) == (to_visible(token), NORMAL)
    for text, i in tokenizer.special_tokens.items():
        assert (found.tokens[i], found.types[i]) == (text, CONTROL)
    assert found.tokens[size:] == [f"[PAD{size}]", f"[PAD{size + 1}]"]
    assert found.types[size:] == [UNUSED, UNUSED]
    pairs = [tuple(merge.split(" ")) for merge in found.merges]
    assert pairs == [(to_visible(a), to_visible(b)) for a, b in tokenizer.merges]
    assert found.never == [tokenizer.special_tokens["<|a|>"], size, size + 1]
    assert (found.bos, found.eos, found.eot, found.begins) == (*[tokenizer.end_id] * 3, False)


def test_ids_that_nothing_has_are_filled_by_names_that_nothing_has():
    vocab = {**byte_vocab(), b"bc": 256}
    tokenizer = BPETokenizer(vocab, [(b"b", b"c")], "qwen2", {"<|e|>": 259, "[PAD257]": 258})
    found = gguf_vocabulary(tokenizer, 261)
    assert found.tokens[256:] == ["bc", "[[PAD257]]", "[PAD257]", "<|e|>", "[PAD260]"]
    assert found.types[256:] == [NORMAL, UNUSED, CONTROL, CONTROL, UNUSED]


def test_of_a_merge_that_is_there_twice_the_last_one_counts_as_in_yocto():
    vocab = {**byte_vocab(), b"bc": 256, b"ab": 257}
    merges = [(b"b", b"c"), (b"a", b"b"), (b"b", b"c")]
    tokenizer = BPETokenizer(vocab, merges, "qwen2", {"<|e|>": 258})
    assert tokenizer.encode("abc") == [257, vocab[b"c"]]
    assert gguf_vocabulary(tokenizer, 259).merges == ["a b", "b c"]


def test_tokens_out_of_reach_choose_between_the_names_of_one_pattern():
    assert gguf_vocabulary(made(), 260).pre == "smaug-bpe"
    assert gguf_vocabulary(made(ignore_merges=True), 260).pre == "llama-bpe"
    assert gguf_vocabulary(made("gpt2"), 260).pre == "gpt-2"
    # "a b" is out of reach too, but no piece of a text: nobody would take it whole.
    apart = BPETokenizer(
        {**byte_vocab(), b" b": 256, b"a ": 257, b"a b": 258},
        [(b" ", b"b"), (b"a", b" "), (b"a ", b"b")], "llama3", {"<|e|>": 259},
    )  # fmt: skip
    assert gguf_vocabulary(apart, 260).pre == "llama-bpe"


def test_ignored_merges_that_a_pattern_has_no_name_for_are_refused_where_they_matter():
    with pytest.raises(ExportError, match="the piece 'abc' whole"):
        gguf_vocabulary(made("qwen2", ignore_merges=True), 260)
    whole = trained("qwen2")
    same = BPETokenizer(
        whole.vocab, whole.merges, "qwen2", whole.special_tokens, ignore_merges=True
    )
    assert gguf_vocabulary(same, same.vocab_size).pre == "qwen2"


def test_a_special_token_that_is_one_piece_of_text_is_not_looked_up_there():
    tokenizer = trained("llama3", 600, "STOP")
    assert gguf_vocabulary(tokenizer, tokenizer.vocab_size).pre == "smaug-bpe"
    with pytest.raises(ExportError, match="whole"):
        gguf_vocabulary(made(special=("<|e|>", "STOP"), ignore_merges=True), 261)


def test_what_begins_and_ends_a_text_or_an_answer_has_its_place():
    tokenizer = trained("llama3", 600, "<|a|>", "<|b|>")
    size, a, b = tokenizer.vocab_size, *(tokenizer.special_tokens[t] for t in ("<|a|>", "<|b|>"))
    found = gguf_vocabulary(tokenizer, size, [a], [b])
    end = tokenizer.end_id
    assert (found.bos, found.begins, found.eos, found.eot) == (a, True, end, b)
    assert found.never == [a]
    with pytest.raises(ExportError, match="several"):
        gguf_vocabulary(tokenizer, size, [a, b])


@pytest.mark.parametrize(
    ("tokenizer", "reason"),
    [
        (CharTokenizer("abc"), "kind char"),
        (WordTokenizer.train(["a b c"]), "kind word"),
        (CharBPETokenizer.train(["a b c"], vocab_size=20), "kind char-bpe"),
        (trained("gpt4"), "split pattern gpt4"),
        (trained(r"\p{L}+|\P{L}+"), "regex"),
        (trained("llama3", 600, normalize="nfc"), "form nfc"),
        (trained("llama3", 600, normalize="nfkc"), "form nfkc"),
        (BPETokenizer(byte_vocab(), [], "llama3", {"<|e|>": 256}), "no merges"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_what_llama_cpp_would_read_otherwise_is_refused_with_the_way_out(tokenizer, reason):
    with pytest.raises(ExportError, match=reason) as told:
        gguf_vocabulary(tokenizer, 1000)
    assert "yocto train-tokenizer --pattern llama3" in told.value.hint


def test_a_tokenizer_without_an_end_is_refused():
    with pytest.raises(ExportError, match="token 11"):
        gguf_vocabulary(made(special=()), 259)
    assert gguf_vocabulary(made(special=()), 259, ends=[7]).eos == 7


def test_a_special_token_that_is_spelled_like_one_of_text_is_refused():
    with pytest.raises(ExportError, match="'ab' is spelled like a token of text"):
        gguf_vocabulary(made(special=("<|e|>", "ab")), 261)


def test_only_gpt4os_pattern_has_something_to_tell():
    for pattern in PRES:
        notes = gguf_vocabulary(trained(pattern), 1000).notes()
        assert bool(notes) == (pattern == "gpt4o")
