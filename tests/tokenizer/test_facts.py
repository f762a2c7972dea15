"""Facts of a tokenizer: what is listed is what its tokens are."""

from __future__ import annotations

import yocto
from yocto.tokenizer.char import CharTokenizer
from yocto.tokenizer.facts import longest, token_table_of, tokenizer_facts
from yocto.tokenizer.word import WordTokenizer

TEXT = "Once the river, once the mountain. " * 20


def test_a_byte_bpe_tokenizer_tells_its_merges_its_pattern_and_its_longest_tokens() -> None:
    tokenizer = yocto.BPETrainer(vocab_size=290).train([TEXT])
    facts = tokenizer_facts(tokenizer, 3)
    sizes = sorted((len(token) for token in tokenizer.vocab), reverse=True)
    assert (facts.kind, facts.vocab_size, facts.tokens) == ("byte-bpe", tokenizer.vocab_size,
                                                            tokenizer.vocab_size)  # fmt: skip
    assert facts.merges == len(tokenizer.merges)
    assert (facts.pattern, facts.normalize) == ("gpt2", "none")
    assert facts.special_tokens == {"<|endoftext|>": tokenizer.end_id}
    assert [row.bytes for row in facts.longest] == sizes[:3]
    assert facts.longest[0].text == tokenizer.decode([facts.longest[0].id])
    assert facts.lengths == {n: sizes.count(n) for n in sorted(set(sizes))}
    assert facts.identity == tokenizer.sha256


def test_what_a_kind_does_not_have_is_none() -> None:
    facts = tokenizer_facts(CharTokenizer("ab\n"), 10)
    assert (facts.merges, facts.pattern, facts.normalize) == (None, None, "none")
    assert [row.text for row in facts.longest] == ["a", "b", "\\n"]
    word = tokenizer_facts(WordTokenizer.train([TEXT], vocab_size=9), 10)
    assert word.merges is None
    assert "<unk>" not in {row.text for row in word.longest}


def test_ids_that_no_token_has_are_left_out() -> None:
    tokenizer = WordTokenizer({"a": 5}, {"<unk>": 0})
    assert token_table_of(tokenizer, range(tokenizer.vocab_size)) == {0: b"<unk>", 5: b"a"}
    assert tokenizer_facts(tokenizer, 10).tokens == 2


def test_of_equally_long_tokens_the_lower_id_comes_first() -> None:
    assert longest({1: b"a", 4: b"bb", 3: b"cc"}, 2) == [3, 4]
