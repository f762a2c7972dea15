"""Special tokens: which a kind has, what they are for, and how they may be spelled."""

import pytest

from yocto.config import END_OF_TEXT
from yocto.errors import TokenizerError, TokenizerFileError
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.bpe import BPETokenizer
from yocto.tokenizer.byte_level import to_visible
from yocto.tokenizer.char import CharTokenizer
from yocto.tokenizer.char_bpe import CharBPETokenizer
from yocto.tokenizer.special import (
    STANDARD,
    check_special_tokens,
    check_spelling,
    end_token_of,
    separator_of,
    special_tokens_of,
    split_special,
)
from yocto.tokenizer.store import load_tokenizer
from yocto.tokenizer.word import WordTokenizer

TEXT = "the theme of the thesis, the end"
KINDS: dict[str, type[BaseTokenizer]] = {
    "char": CharTokenizer, "byte-bpe": BPETokenizer, "char-bpe": CharBPETokenizer,
    "word": WordTokenizer,
}  # fmt: skip
every_kind = pytest.mark.parametrize("kind", KINDS)


# ------------------------------------------------------------------------------- which there are


@pytest.mark.parametrize(
    ("kind", "wanted", "expected"),
    [
        ("byte-bpe", None, [END_OF_TEXT]),
        ("byte-bpe", [], []),
        ("byte-bpe", ["<a>", "<b>"], ["<a>", "<b>"]),
        ("char-bpe", None, [*STANDARD]),
        ("char-bpe", [], [*STANDARD]),
        ("char-bpe", ["<a>", "<eos>", "<b>"], [*STANDARD, "<a>", "<b>"]),
        ("word", None, [*STANDARD]),
        ("word", [], [*STANDARD]),
        ("word", ["<a>", "<eos>", "<b>"], [*STANDARD, "<a>", "<b>"]),
    ],
)
def test_byte_bpe_has_what_is_asked_for_and_the_older_kinds_four_more(kind, wanted, expected):
    assert special_tokens_of(kind, wanted) == expected
    options = {} if wanted is None else {"special_tokens": wanted}
    assert list(KINDS[kind].train([TEXT], **options).special_tokens) == expected


@pytest.mark.parametrize(
    ("tokens", "end", "separator"),
    [
        ([], None, END_OF_TEXT),
        (["<a>", "<b>"], "<a>", "<a>"),
        (["<a>", "<eos>"], "<a>", "<a>"),
        (["<eos>"], "<eos>", "<eos>"),
        (["<a>", "<eos>", END_OF_TEXT], END_OF_TEXT, END_OF_TEXT),
        ([*STANDARD], "<eos>", END_OF_TEXT),
        ([*STANDARD, "<stop>"], "<eos>", "<stop>"),
        ([*STANDARD, END_OF_TEXT], END_OF_TEXT, END_OF_TEXT),
        # As other programs have them.
        (["<unk>", "<s>", "</s>"], "</s>", END_OF_TEXT),
        (["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"], "<|end_of_text|>", END_OF_TEXT),
        (["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], "[SEP]", END_OF_TEXT),
        (["<s>"], "<s>", "<s>"),
    ],
)
def test_a_document_ends_with_endoftext_or_else_eos_or_else_the_first(tokens, end, separator):
    assert end_token_of(tokens) == end
    assert separator_of(tokens) == separator
    tokenizer = CharTokenizer("ab", tokens)
    assert (tokenizer.end_token, tokenizer.separator) == (end, separator)
    assert tokenizer.end_id == (None if end is None else tokenizer.special_tokens[end])


# -------------------------------------------------------------------------------------- their ids


@pytest.mark.parametrize("kind", ["char-bpe", "word"])
def test_the_older_kinds_have_ids_for_all_four(kind):
    tokenizer = KINDS[kind].train([TEXT])
    assert (tokenizer.unk_id, tokenizer.pad_id, tokenizer.bos_id, tokenizer.eos_id) == (0, 1, 2, 3)
    assert tokenizer.end_id == 3


@pytest.mark.parametrize("kind", ["char", "byte-bpe"])
def test_the_other_kinds_have_ids_for_those_that_were_asked_for(kind):
    tokenizer = KINDS[kind].train([TEXT], special_tokens=[END_OF_TEXT])
    end = tokenizer.special_tokens[END_OF_TEXT]
    assert (tokenizer.unk_id, tokenizer.pad_id, tokenizer.bos_id) == (None, None, None)
    assert tokenizer.eos_id == tokenizer.end_id == end
    asked = KINDS[kind].train([TEXT], special_tokens=[END_OF_TEXT, "<eos>", "<bos>", "<pad>"])
    first = asked.special_tokens[END_OF_TEXT]
    assert (asked.end_id, asked.eos_id) == (first, first + 1)
    assert (asked.bos_id, asked.pad_id) == (first + 2, first + 3)


@pytest.mark.parametrize("kind", ["char", "byte-bpe"])
def test_without_special_tokens_nothing_ends_a_document(kind):
    tokenizer = KINDS[kind].train([TEXT], special_tokens=[])
    assert (tokenizer.end_token, tokenizer.end_id, tokenizer.eos_id) == (None, None, None)


@every_kind
def test_add_special_tokens_puts_bos_before_and_eos_after(kind):
    tokenizer = KINDS[kind].train([TEXT], special_tokens=["<bos>", "<eos>"])
    ids = tokenizer.encode(TEXT)
    marked = [tokenizer.bos_id, *ids, tokenizer.eos_id]
    assert tokenizer.encode(TEXT, add_special_tokens=True) == marked
    assert tokenizer.encode("", add_special_tokens=True) == [tokenizer.bos_id, tokenizer.eos_id]
    assert tokenizer.decode(marked) == f"<bos>{TEXT}<eos>"


@pytest.mark.parametrize("kind", ["char", "byte-bpe"])
@pytest.mark.parametrize("special", [[END_OF_TEXT], [], ["<a>"]])
def test_add_special_tokens_adds_nothing_where_there_is_no_bos_or_eos(kind, special):
    tokenizer = KINDS[kind].train([TEXT], special_tokens=special)
    assert tokenizer.encode(TEXT, add_special_tokens=True) == tokenizer.encode(TEXT)


def test_add_special_tokens_may_add_one_of_the_two():
    assert CharTokenizer("ab", ["<eos>"]).encode("ab", add_special_tokens=True) == [0, 1, 2]
    assert CharTokenizer("ab", ["<bos>"]).encode("ab", add_special_tokens=True) == [2, 0, 1]


@every_kind
def test_text_makes_a_special_id_only_where_the_caller_says_so(kind):
    text = "ab<eos>"
    tokenizer = KINDS[kind].train(["a b ab < e o s > eos"], special_tokens=["<eos>"])
    with pytest.raises(TokenizerError, match="'<eos>' at character 2"):
        tokenizer.encode(text)
    assert tokenizer.eos_id not in tokenizer.encode(text, "none")
    assert tokenizer.decode(tokenizer.encode(text, "none")) == text
    assert tokenizer.encode(text, "all") == [*tokenizer.encode("ab"), tokenizer.eos_id]


# ----------------------------------------------------------------------------------- how they look


@pytest.mark.parametrize(
    ("tokens", "fault"),
    [
        (["<a>", "<a>"], "'<a>' is there twice"),
        (["<a>", ""], "'' is empty"),
        (["\ud800"], "U\\+D8"),
    ],
)
@pytest.mark.parametrize("kind", ["byte-bpe", "char-bpe", "word"])
def test_empty_repeated_or_broken_ones_are_refused(kind, tokens, fault):
    for check in (check_special_tokens, lambda tokens: special_tokens_of(kind, tokens)):
        with pytest.raises(TokenizerError, match=fault):
            check(tokens)


def test_a_special_token_that_is_spelled_like_a_token_of_text_is_refused():
    check_spelling(["<a>"], ["a", "b"])
    with pytest.raises(TokenizerError, match="'a' is spelled like a token of text") as caught:
        check_spelling(["<a>", "a"], iter(["a", "b"]))
    assert "<|a|>" in caught.value.hint


@pytest.mark.parametrize("token", ["a", "é", "Ġ", "<"])
def test_byte_bpe_refuses_a_special_token_that_tokenizer_json_writes_for_a_byte(token):
    with pytest.raises(TokenizerError, match=f"'{token}' is spelled like"):
        BPETokenizer.train([TEXT], special_tokens=[token])


def test_byte_bpe_learns_no_token_that_tokenizer_json_writes_like_a_special_one(tmp_path):
    tokenizer = BPETokenizer.train([" the" * 9], special_tokens=["Ġt", "Ġthe"])
    assert {to_visible(token) for token in tokenizer.vocab}.isdisjoint(["Ġt", "Ġthe"])
    tokenizer.save(tmp_path)
    assert load_tokenizer(tmp_path).encode(" the the Ġt", "all") == tokenizer.encode(
        " the the Ġt", "all"
    )


# ------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("old", KINDS)
@pytest.mark.parametrize("new", KINDS)
def test_training_one_kind_where_another_was_trained_takes_its_files_away(tmp_path, old, new):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "corpus.json").write_text("{}")  # train-tokenizer was here
    KINDS[old].train([TEXT]).save(tmp_path)
    tokenizer = KINDS[new].train([TEXT])
    tokenizer.save(tmp_path)
    there = {file.name for file in tmp_path.iterdir()} - {"corpus.json", "notes.txt"}
    assert there == set(tokenizer.files())
    loaded = load_tokenizer(tmp_path)
    assert loaded.kind == new
    assert loaded.encode(TEXT) == tokenizer.encode(TEXT)


def test_somebody_else_s_files_are_left_where_they_are(tmp_path):
    (tmp_path / "vocab.json").write_text("theirs")
    (tmp_path / "merges.txt").write_text("theirs")
    KINDS["word"].train([TEXT]).save(tmp_path)
    assert (tmp_path / "vocab.json").read_text() == "theirs"
    assert load_tokenizer(tmp_path).kind == "word"


def test_a_tokenizer_that_another_would_hide_is_not_saved(tmp_path):
    (tmp_path / "tokenizer.json").write_text("theirs")
    with pytest.raises(TokenizerFileError, match=r"holds another tokenizer's tokenizer\.json"):
        KINDS["char"].train([TEXT]).save(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["tokenizer.json"]


# ------------------------------------------------------------------------------------------ cutting


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("ab", ["ab"]),
        ("<a>", ["<a>"]),
        ("x<a><a>b", ["x", "<a>", "<a>b"]),
        ("<a>.<b>", ["<a>", ".", "<b>"]),
        (".*", [".*"]),
    ],
)
def test_text_is_cut_at_special_tokens_the_longer_first(text, parts):
    assert list(split_special(text, ["<a>", "<a>b", "<b>", ".*"])) == parts
