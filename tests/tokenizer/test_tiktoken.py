"""*.tiktoken rank files."""

import base64
from pathlib import Path

import pytest

from yocto.errors import TokenizerError, TokenizerFileError
from yocto.tokenizer.bpe import BPETokenizer, byte_vocab
from yocto.tokenizer.bpe_train import BPETrainer
from yocto.tokenizer.char import CharTokenizer
from yocto.tokenizer.patterns import NAMED_PATTERNS
from yocto.tokenizer.store import load_tokenizer
from yocto.tokenizer.tiktoken import bpe_from_tiktoken, recover_merges

TEXT = (Path(__file__).parents[2] / "data" / "philosophy.txt").read_text("utf-8")
TRAINED = BPETrainer(vocab_size=900, special_tokens=()).train(TEXT[:60_000])
SAMPLE = TEXT[70_000:90_000] + " ünïcödé 🙂 12345"


def rank_file(vocab: dict[bytes, int]) -> bytes:
    lines = [base64.b64encode(token) + b" %d\n" % rank for token, rank in vocab.items()]
    return b"".join(lines)


def test_the_merges_behind_the_ranks_are_found_again():
    assert recover_merges(TRAINED.vocab) == TRAINED.merges


def test_a_rank_file_gives_the_ids_of_the_tokenizer_it_was_made_of(tmp_path):
    file = tmp_path / "small.tiktoken"
    file.write_bytes(rank_file(TRAINED.vocab))
    loaded = load_tokenizer(file)
    assert isinstance(loaded, BPETokenizer)
    assert loaded.vocab == TRAINED.vocab
    assert loaded.special_tokens == {}
    assert loaded.encode(SAMPLE) == TRAINED.encode(SAMPLE)


def test_the_pattern_is_given_by_whoever_loads_it(tmp_path):
    (tmp_path / "small.tiktoken").write_bytes(rank_file(TRAINED.vocab))
    assert load_tokenizer(tmp_path).pattern == "gpt2"
    assert load_tokenizer(tmp_path, pattern="llama3").pattern == "llama3"


@pytest.mark.parametrize("pattern", NAMED_PATTERNS)
def test_ids_equal_tiktokens(pattern):
    tiktoken = pytest.importorskip("tiktoken")
    peer = tiktoken.Encoding(
        "small",
        pat_str=NAMED_PATTERNS[pattern],
        mergeable_ranks=TRAINED.vocab,
        special_tokens={},
    )
    ours = bpe_from_tiktoken(rank_file(TRAINED.vocab), "small.tiktoken", pattern)
    assert ours.encode(SAMPLE) == peer.encode(SAMPLE)


def test_lines_may_end_in_carriage_returns():
    data = rank_file(TRAINED.vocab).replace(b"\n", b"\r\n")
    assert bpe_from_tiktoken(data, "f", "gpt2").merges == TRAINED.merges


GOOD = rank_file(byte_vocab())


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (GOOD + b"YWI=\n", "line 257 is not a base64 token and a rank"),
        (GOOD + b"YWI= 256 7\n", "line 257 is not"),
        (GOOD + b"YWI= x\n", "line 257 is not"),
        (GOOD + b"YW!= 256\n", "line 257 is not"),
        (GOOD + b"YWI 256\n", "line 257 is not"),
        (GOOD + "ä 256\n".encode(), "line 257 is not"),
        (b"\xff\xfe\x00", "line 1 is not"),
        (b"", "lacks the single byte"),
        (GOOD[: len(GOOD) // 2], "small.tiktoken"),
        (GOOD + b"YWI= 255\n", "same id"),
        (GOOD + b"YWI= -1\n", "small.tiktoken"),
        (GOOD + b"YWJj 256\n", "b'abc' is not made of two of lower rank"),
    ],
)
def test_a_damaged_rank_file_is_refused_by_name(tmp_path, data, fault):
    file = tmp_path / "small.tiktoken"
    file.write_bytes(data)
    with pytest.raises(TokenizerFileError) as caught:
        load_tokenizer(file)
    assert str(file) in caught.value.message
    assert fault in caught.value.message


# ----------------------------------------------------------------------------------------- written


def test_a_tokenizer_is_saved_as_a_rank_file_with_the_same_ids(tmp_path):
    file = tmp_path / "new" / "mine.tiktoken"
    TRAINED.save(file)
    assert file.read_bytes() == rank_file(TRAINED.vocab)
    assert sorted(file.parent.iterdir()) == [file]
    assert load_tokenizer(file).encode(SAMPLE) == TRAINED.encode(SAMPLE)


def test_tiktoken_reads_the_rank_file(tmp_path):
    tiktoken_load = pytest.importorskip("tiktoken.load")
    TRAINED.save(tmp_path / "mine.tiktoken")
    ranks = tiktoken_load.load_tiktoken_bpe(str(tmp_path / "mine.tiktoken"))
    assert ranks == TRAINED.vocab


def test_special_tokens_stay_out_of_it_and_leave_their_ids_free(tmp_path):
    special = BPETrainer(vocab_size=300).train(TEXT[:60_000])
    vocab = {token: i if i < 280 else i + 1 for token, i in special.vocab.items()}
    moved = BPETokenizer(vocab, special.merges, "gpt2", {"<|endoftext|>": 280})
    moved.save(tmp_path / "mine.tiktoken")
    loaded = load_tokenizer(tmp_path / "mine.tiktoken")
    assert loaded.special_tokens == {}
    assert loaded.encode(SAMPLE) == moved.encode(SAMPLE)


def test_ids_in_another_order_than_the_merges_are_refused_and_nothing_is_written(tmp_path):
    last, *others = reversed(TRAINED.vocab.items())
    vocab = {token: i + 1 if i > 255 else i for token, i in others} | {last[0]: 256}
    for bad in (
        BPETokenizer(vocab, TRAINED.merges),
        BPETokenizer(TRAINED.vocab, [*TRAINED.merges[1:], TRAINED.merges[0]]),
        BPETokenizer({**TRAINED.vocab, b" zyzzyva": 5000}, TRAINED.merges, ignore_merges=True),
    ):
        with pytest.raises(TokenizerError, match="order of the merges"):
            bad.save(tmp_path / "mine.tiktoken")
    assert list(tmp_path.iterdir()) == []


def test_a_normalization_and_another_kind_are_refused(tmp_path):
    normalized = BPETokenizer(TRAINED.vocab, TRAINED.merges, normalize="nfc")
    with pytest.raises(TokenizerError, match="brought into nfc"):
        normalized.save(tmp_path / "mine.tiktoken")
    with pytest.raises(TokenizerError, match="not char ones") as caught:
        CharTokenizer("abc").save(tmp_path / "mine.tiktoken")
    assert "folder" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_byte_order_mark_before_the_ranks_is_no_rank():
    data = b"\xef\xbb\xbf" + rank_file(TRAINED.vocab)
    assert bpe_from_tiktoken(data, "f", "gpt2").merges == TRAINED.merges


def test_llama_3_keeps_its_ranks_in_a_tokenizer_model(tmp_path):
    (tmp_path / "tokenizer.model").write_bytes(rank_file(TRAINED.vocab))
    loaded = load_tokenizer(tmp_path)
    assert isinstance(loaded, BPETokenizer)
    assert (loaded.pattern, loaded.vocab) == ("llama3", TRAINED.vocab)
    assert load_tokenizer(tmp_path, pattern="gpt4").pattern == "gpt4"
