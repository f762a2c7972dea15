"""Special tokens added to a tokenizer: all its ids stay, and its files know the new ones."""

from __future__ import annotations

from pathlib import Path

import foreign
import pytest
import tiny
import tokenizers

from yocto.chat.roles import ROLE_TOKENS
from yocto.errors import TokenizerError
from yocto.tokenizer.adapters import adapt_tokenizer
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.bpe_train import BPETrainer
from yocto.tokenizer.char import CharTokenizer
from yocto.tokenizer.store import load_tokenizer
from yocto.tokenizer.word import WordTrainer

TEXT = tiny.make_text(30)
MADE = {
    "byte-bpe": lambda: BPETrainer(vocab_size=300).train([TEXT]),
    "no special": lambda: BPETrainer(vocab_size=300, special_tokens=[]).train([TEXT]),
    "another end": lambda: BPETrainer(vocab_size=300, special_tokens=["<a>", "<b>"]).train([TEXT]),
    "no end": lambda: BPETrainer(vocab_size=300, special_tokens=["<pad>"]).train([TEXT]),
    "char-bpe": lambda: BPETrainer("char-bpe", vocab_size=200).train([TEXT]),
    "word": lambda: WordTrainer(vocab_size=200).train([TEXT]),
    "char": lambda: CharTokenizer.train([TEXT]),
    **{sort: (lambda sort=sort: adapt_tokenizer(foreign.hugging_face(sort)))
       for sort in foreign.WRAPPED},
}  # fmt: skip


@pytest.fixture(params=MADE, scope="module")
def old(request: pytest.FixtureRequest) -> BaseTokenizer:
    return MADE[request.param]()


def test_old_ids_stay_and_new_ones_follow(old: BaseTokenizer) -> None:
    new = old.with_special_tokens(ROLE_TOKENS)
    added = {t: i for t, i in new.special_tokens.items() if t not in old.special_tokens}
    assert set(ROLE_TOKENS) <= set(added)
    assert sorted(added.values()) == list(range(old.vocab_size, new.vocab_size))
    assert new.special_tokens.items() >= old.special_tokens.items()
    ids = old.encode(TEXT, allowed_special="none")
    assert new.encode(TEXT, allowed_special="none") == ids
    assert new.decode(ids) == old.decode(ids)
    assert new.frame == old.frame and new.kind == old.kind


def test_no_text_becomes_a_new_token_unless_the_caller_says_so(old: BaseTokenizer) -> None:
    new = old.with_special_tokens(ROLE_TOKENS)
    known = "".join(c for c in "<|user|>" if old.kind != "char" or c in TEXT)
    assert new.special_tokens["<|user|>"] not in new.encode(known, allowed_special="none")
    assert new.encode("<|user|>", allowed_special="all") == [new.special_tokens["<|user|>"]]


def test_the_end_of_a_document_stays_or_is_added(old: BaseTokenizer) -> None:
    new = old.with_special_tokens(ROLE_TOKENS)
    assert new.end_id is not None and new.end_token not in ROLE_TOKENS
    if old.end_token not in (None, "<pad>"):
        assert new.end_token == old.end_token


def test_files_know_the_new_tokens(old: BaseTokenizer, tmp_path: Path) -> None:
    new = old.with_special_tokens(ROLE_TOKENS)
    new.save(tmp_path)
    again = load_tokenizer(tmp_path)
    assert again.special_tokens == new.special_tokens and again.sha256 == new.sha256
    assert again.encode(TEXT, allowed_special="none") == new.encode(TEXT, allowed_special="none")
    if (tmp_path / "tokenizer.json").exists():
        theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
        for token, i in new.special_tokens.items():
            assert theirs.token_to_id(token) == i
        assert theirs.get_vocab_size() == len(theirs.get_vocab())
        ids = theirs.encode("<|user|>", add_special_tokens=False).ids
        assert ids == [new.special_tokens["<|user|>"]]


def test_a_second_time_adds_nothing(old: BaseTokenizer) -> None:
    new = old.with_special_tokens(ROLE_TOKENS)
    assert new.with_special_tokens(ROLE_TOKENS) is new


def test_a_sentencepiece_model_gets_control_symbols(tmp_path: Path) -> None:
    from yocto.tokenizer.wrapped_sentencepiece import SentencePieceTokenizer

    for sort in foreign.SENTENCEPIECE:
        old = SentencePieceTokenizer(foreign.sentencepiece_model(sort))
        new = old.with_special_tokens(ROLE_TOKENS)
        assert new.vocab_size >= old.vocab_size + len(ROLE_TOKENS)
        new.save(tmp_path / sort)
        again = load_tokenizer(tmp_path / sort)
        assert again.special_tokens == new.special_tokens
        for text in (foreign.TEXT, "a <|user|> b"):
            assert again.encode(text, allowed_special="none") == old.encode(
                text, allowed_special="none"
            )


def test_a_token_spelled_like_text_and_an_object_are_refused() -> None:
    with pytest.raises(TokenizerError, match="spelled like a token of text"):
        MADE["byte-bpe"]().with_special_tokens(["e"])

    class Codec:
        vocab_size = 256

        def encode(self, text: str) -> list[int]:
            return list(text.encode())

        def decode(self, ids: list[int]) -> str:
            return bytes(ids).decode()

    with pytest.raises(TokenizerError, match="takes no more special tokens") as caught:
        adapt_tokenizer(Codec()).with_special_tokens(ROLE_TOKENS)
    assert "yocto train-tokenizer" in caught.value.hint
