"""Perplexity and bits per byte: those of transformers, and of a model that knows nothing."""

import math

import numpy as np
import pytest
import torch
from hf_models import opened
from tiny import Recorder, make_text, tiny_gpt

from yocto.checkpoint import Checkpoint, Run
from yocto.config import TextConfig
from yocto.dataset.tokens import TokenShards
from yocto.errors import DataError, TokenizerError
from yocto.evaluation.extent import extent_of
from yocto.evaluation.scoring import Scorer
from yocto.evaluation.text import Text, read_text, score_text
from yocto.interop.hf_folder import write_folder
from yocto.tokenizer.bpe import BPETokenizer
from yocto.tokenizer.bpe_train import BPETrainer
from yocto.tokenizer.char import CharTokenizer
from yocto.tokenizer.ids import IdsTokenizer
from yocto.tokenizer.word import WordTrainer
from yocto.utils.progress import SilentProgress


def text_file(tmp_path, text: str):
    path = tmp_path / "text.txt"
    path.write_bytes(text.encode())
    return str(path)


def read(tmp_path, text, tokenizer, progress=None, **knobs) -> Text:
    config = TextConfig(**knobs)
    return read_text(text_file(tmp_path, text), config, tokenizer, progress or SilentProgress())


@torch.no_grad()
def their_loss(theirs, ids: list[int], T: int, S: int) -> float:
    """The loop of Hugging Face's guide; with S = T each window predicts the token behind it."""
    total, before, n = 0.0, 1, len(ids)
    for begin in range(0, n, S):
        end = min(begin + T + (S == T), n)
        if end > before:
            window = torch.tensor([ids[begin:end]])
            logprobs = theirs(window[:, :-1]).logits.double().log_softmax(-1)[0]
            for place in range(before, end):
                total -= float(logprobs[place - begin - 1, ids[place]])
        before = end
        if end == n:
            break
    return total / (n - 1)


@pytest.mark.parametrize("family", ["gpt2", "llama", "qwen3"])
def test_the_perplexity_is_that_of_transformers_for_every_stride(tmp_path, family):
    text = make_text(40, 3)
    tokenizer = BPETrainer("byte-bpe", 300).train([text])
    model = tiny_gpt(family=family, block_size=24, vocab_size=tokenizer.vocab_size)
    checkpoint = Checkpoint.open(Run(tmp_path / "run").save(0, model, tokenizer, {}, 2))
    write_folder(checkpoint, tmp_path / "out", "float32", SilentProgress())
    theirs = opened(tmp_path / "out")
    ids = tokenizer.encode(text)
    for stride in (1, 7, 12, 23, 24):
        score = score_text(
            Scorer(model), tokenizer, read(tmp_path, text, tokenizer), SilentProgress(), stride
        )
        expected = their_loss(theirs, ids, 24, stride)
        assert score.loss == pytest.approx(expected, rel=1e-5)
        assert score.perplexity == pytest.approx(math.exp(expected), rel=1e-4)
        assert score.tokens == len(ids) - 1
        first = tokenizer.decode_bytes(ids[:1])
        assert score.bytes == len(text.encode()) - len(first)
        assert score.characters == len(text) - len(first)
        bits = expected * score.tokens / math.log(2)
        assert score.bits_per_byte == pytest.approx(bits / score.bytes, rel=1e-5)
        assert score.bits_per_character == pytest.approx(bits / score.characters, rel=1e-5)


@pytest.mark.parametrize("kind", ["char", "token"])
@pytest.mark.parametrize("stride", [1, 5, 16])
def test_a_model_that_knows_nothing_of_256_bytes_has_8_bits_per_byte(tmp_path, kind, stride):
    if kind == "char":
        tokenizer = CharTokenizer(map(chr, range(256)))
    else:
        tokenizer = BPETokenizer({bytes([i]): i for i in range(256)}, [], "gpt2", {})
    assert tokenizer.vocab_size == 256
    model = tiny_gpt(block_size=16, vocab_size=256, tie_weights=False)
    model.lm_head.weight.data.zero_()
    text = "".join(c for c in make_text(30) if c.isascii())
    score = score_text(
        Scorer(model), tokenizer, read(tmp_path, text, tokenizer), SilentProgress(), stride
    )
    assert score.bits_per_byte == pytest.approx(8.0, abs=1e-6)
    assert score.bits_per_character == pytest.approx(8.0, abs=1e-6)
    assert score.perplexity == pytest.approx(256.0, rel=1e-6)
    assert score.bytes == len(text) - 1


def test_start_ids_let_the_first_token_be_scored_too(tmp_path):
    tokenizer = CharTokenizer("ab", special_tokens=["<s>"])
    model = tiny_gpt(vocab_size=3)
    text = read(tmp_path, "abba" * 9, tokenizer)
    score = score_text(Scorer(model), tokenizer, text, SilentProgress(), start_ids=[2])
    assert (score.tokens, score.bytes, score.characters) == (36, 36, 36)
    one = Text("one", np.array([1], np.uint16), 1)
    score = score_text(Scorer(model), tokenizer, one, SilentProgress(), start_ids=[2])
    with torch.no_grad():
        expected = -float(model(torch.tensor([[2]]))[0, 0].log_softmax(0)[1])
    assert score.loss == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("count", "has"), [(0, "no token"), (1, "one token")])
def test_a_text_of_which_nothing_is_left_to_predict_is_refused(count, has):
    text = Text("a.txt", np.zeros(count, np.uint16), count)
    with pytest.raises(DataError, match=f"a.txt has {has}"):
        score_text(Scorer(tiny_gpt()), CharTokenizer("a"), text, SilentProgress())


def test_documents_are_encoded_with_the_end_token_between_which_is_no_text(tmp_path):
    docs = [make_text(5, seed) for seed in range(4)]
    tokenizer = BPETrainer("byte-bpe", 300).train(docs)
    text = read(tmp_path, "<|endoftext|>\n".join(docs) + " <|endoftext|> inside", tokenizer)
    ids = text.tokens[:].tolist()
    assert ids.count(tokenizer.end_id) == 3
    assert text.bytes == sum(len(d.encode()) for d in docs) + len(" <|endoftext|> inside")
    size, characters = extent_of(tokenizer, text.tokens, 0, len(ids))
    assert (size, characters) == (text.bytes, text.characters)


@pytest.mark.parametrize("kind", ["word", "char-bpe"])
def test_what_a_tokenizer_drops_makes_no_figure_better(tmp_path, kind):
    learnt, text = make_text(60), make_text(20, 9) + " 日本語日本語 zebra" * 20
    if kind == "word":
        tokenizer = WordTrainer(60).train([learnt])
    else:
        tokenizer = BPETrainer("char-bpe", 300).train(["".join(c for c in learnt if c.isascii())])
    progress = Recorder()
    found = read(tmp_path, text, tokenizer, progress)
    model = tiny_gpt(vocab_size=tokenizer.vocab_size)
    score = score_text(Scorer(model), tokenizer, found, progress)
    unknown = int((found.tokens[:] == tokenizer.unk_id).sum())
    assert unknown
    assert score.bytes < len(text.encode()) - 6 * 20 * 3
    assert any("does not keep all of it" in notice for notice in progress.notices)


def test_a_text_that_a_normal_form_makes_longer_counts_as_it_was(tmp_path):
    text = "a\ufdfa" * 20  # one character becomes eighteen
    tokenizer = CharTokenizer.train([text], normalize="nfkc")
    found = read(tmp_path, text, tokenizer)
    model = tiny_gpt(vocab_size=tokenizer.vocab_size)
    score = score_text(Scorer(model), tokenizer, found, SilentProgress())
    assert score.bytes == len(text.encode()) - 1
    assert score.characters <= len(text)


def test_a_character_that_a_char_model_lacks_is_an_error(tmp_path):
    with pytest.raises(TokenizerError, match="not in the vocabulary"):
        read(tmp_path, "abc!", CharTokenizer("abc"))


def test_ids_without_a_text_have_a_loss_and_no_bits_per_byte():
    text = Text("ids", np.arange(20, dtype=np.uint16), 50)
    score = score_text(Scorer(tiny_gpt()), IdsTokenizer(26), text, SilentProgress())
    assert (score.bits_per_byte, score.bytes, score.characters) == (None, 0, 0)
    assert score.tokens == 19


def test_blocks_of_tokens_stand_for_the_same_text_as_the_whole(monkeypatch):
    from yocto.evaluation import extent

    text = make_text(30)
    for tokenizer in (BPETrainer("byte-bpe", 300).train([text]), WordTrainer(500).train([text])):
        ids = np.array(tokenizer.encode(text), np.uint16)
        whole = extent_of(tokenizer, ids, 0, len(ids))
        monkeypatch.setattr(extent, "_BLOCK", 7)
        assert extent_of(tokenizer, TokenShards([ids[:9], ids[9:]]), 0, len(ids)) == whole
        head, rest = extent_of(tokenizer, ids, 0, 3), extent_of(tokenizer, ids, 3, len(ids))
        assert (head[0] + rest[0], head[1] + rest[1]) == whole
        monkeypatch.undo()
