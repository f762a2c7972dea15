"""Each engine that is installed gives the ids, or the merges, that it is measured for."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tiny import make_text

from yocto.bench.encoders import ENCODERS, our_tokenizer
from yocto.bench.file_encoders import FILE_ENCODERS
from yocto.bench.job import Job, Unfit
from yocto.bench.peers import IN_MEMORY
from yocto.bench.tokenizer_trainers import TRAINERS
from yocto.bench.worker import read_job
from yocto.tokenizer.bpe import BPETokenizer
from yocto.tokenizer.bpe_train import BPETrainer


@pytest.fixture
def text(tmp_path: Path) -> str:
    text = make_text(40) + "It's 12 naïve cafés\r\n\n  <|endoftext|> in 日本語.\n"
    (tmp_path / "text.txt").write_bytes(text.encode())
    return text


def job(folder: Path, task: str, engine: str, pattern: str = "gpt2", threads: int = 1) -> Job:
    return Job(task, engine, threads, None, str(folder / "text.txt"),  # type: ignore[arg-type]
               str(folder / "tokenizer.json"), 300, pattern)  # fmt: skip


def needs(engine: str) -> None:
    if engine not in ("yocto", IN_MEMORY) and find_spec(engine) is None:
        pytest.skip(f"{engine} is not installed")


@pytest.mark.parametrize("pattern", ["gpt2", "gpt4"])
@pytest.mark.parametrize("engine", ENCODERS)
def test_an_encoder_gives_our_ids(tmp_path: Path, text: str, engine: str, pattern: str) -> None:
    needs(engine)
    tokenizer = BPETrainer(vocab_size=300, pattern=pattern, special_tokens=[]).train([text])
    tokenizer.save(tmp_path)
    encoder = ENCODERS[engine](job(tmp_path, "encode", engine, pattern))
    encode = encoder.load()
    expected = np.array(tokenizer.encode(text), dtype=np.uint32)
    for _ in range(2):
        ids = encoder.ids(encode())
        assert ids.dtype == np.uint32
        assert np.array_equal(ids, expected)


@pytest.mark.parametrize("engine", [name for name in ENCODERS if name != "yocto"])
def test_an_encoder_gives_our_ids_on_several_threads(
    tmp_path: Path, text: str, engine: str
) -> None:
    needs(engine)
    tokenizer = BPETrainer(vocab_size=300, special_tokens=[]).train([text])
    tokenizer.save(tmp_path)
    encoder = ENCODERS[engine](job(tmp_path, "encode", engine, threads=2))
    assert encoder.ids(encoder.load()()).tolist() == tokenizer.encode(text)


def test_an_encoder_is_loaded_anew_each_time(tmp_path: Path, text: str) -> None:
    BPETrainer(vocab_size=300, special_tokens=[]).train([text]).save(tmp_path)
    asked = job(tmp_path, "encode", "yocto")
    assert our_tokenizer(asked) is not our_tokenizer(asked)


def test_what_tiktoken_cannot_take_is_told(tmp_path: Path, text: str) -> None:
    needs("tiktoken")
    made = BPETrainer(vocab_size=300, special_tokens=[]).train([text])
    assert isinstance(made, BPETokenizer)
    last = {len(made.vocab) - 1: 256, 256: len(made.vocab) - 1}  # two tokens change places
    vocab = {token: last.get(i, i) for token, i in made.vocab.items()}
    BPETokenizer(vocab, made.merges).save(tmp_path)
    with pytest.raises(Unfit, match="not in the order of its merges"):
        ENCODERS["tiktoken"](job(tmp_path, "encode", "tiktoken"))
    BPETokenizer(made.vocab, made.merges, normalize="nfc").save(tmp_path)
    with pytest.raises(Unfit, match="can't normalize to nfc"):
        ENCODERS["tiktoken"](job(tmp_path, "encode", "tiktoken"))


@pytest.mark.parametrize("pattern", ["gpt2", "gpt4"])
@pytest.mark.parametrize("engine", ["yocto", "tokenizers"])
def test_a_trainer_learns_our_merges(tmp_path: Path, text: str, engine: str, pattern: str) -> None:
    needs(engine)
    ours = BPETrainer(vocab_size=300, pattern=pattern, special_tokens=[]).train([text])
    assert isinstance(ours, BPETokenizer)
    trainer = TRAINERS[engine](job(tmp_path, "train", engine, pattern))
    learnt = trainer.train()
    assert trainer.merges(learnt) == ours.merges
    assert trainer.tokens(learnt) == [left + right for left, right in ours.merges]


@pytest.mark.parametrize("engine", [n for n in TRAINERS if n not in ("yocto", "tokenizers")])
def test_a_trainer_that_may_break_ties_otherwise_learns_as_many(
    tmp_path: Path, text: str, engine: str
) -> None:
    needs(engine)
    trainer = TRAINERS[engine](job(tmp_path, "train", engine))
    tokens = trainer.tokens(trainer.train())
    assert len(tokens) == 300 - 256
    ours = BPETrainer(vocab_size=300, special_tokens=[]).train([text])
    assert isinstance(ours, BPETokenizer)
    assert tokens[0] == b"".join(ours.merges[0])


def test_gigatokens_trainer_refuses_other_patterns(tmp_path: Path, text: str) -> None:
    needs("gigatoken")
    with pytest.raises(Unfit, match="gpt2 only"):
        TRAINERS["gigatoken"](job(tmp_path, "train", "gigatoken", "gpt4"))


def test_a_job_comes_back_from_its_line(tmp_path: Path, text: str) -> None:
    asked = job(tmp_path, "train", "yocto")
    assert read_job(asked.line()) == asked
    assert asked.text == text
    assert hashlib.sha256(asked.data).digest() == hashlib.sha256(text.encode()).digest()


# ---------------------------------------------------------------------------------- file to .bin


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("engine", [name for name in FILE_ENCODERS if name != IN_MEMORY])
def test_a_file_encoder_leaves_the_ids_of_all_documents(
    tmp_path: Path, engine: str, threads: int
) -> None:
    needs(engine)
    documents = [make_text(i) + "It's 12 naïve cafés\r\n\n  in 日本語.\n" for i in (3, 40, 5)]
    (tmp_path / "text.txt").write_bytes("<|endoftext|>\n".join(documents).encode())
    tokenizer = BPETrainer(vocab_size=300, special_tokens=[]).train(documents)
    tokenizer.save(tmp_path)
    encoder = FILE_ENCODERS[engine](job(tmp_path, "file", engine, threads=threads))
    encode = encoder.load()
    expected = [i for document in documents for i in tokenizer.encode(document)]
    for _ in range(2):  # a second pass takes the place of the first one's file
        result = encode()
        assert encoder.ids(result).tolist() == expected
        digest = hashlib.sha256(np.array(expected, np.uint32).tobytes()).hexdigest()
        assert encoder.identity(result) == (len(expected), digest)


def test_the_same_text_in_memory_is_encoded_as_a_whole(tmp_path: Path, text: str) -> None:
    tokenizer = BPETrainer(vocab_size=300, special_tokens=[]).train([text])
    tokenizer.save(tmp_path)
    encoder = FILE_ENCODERS[IN_MEMORY](job(tmp_path, "file", IN_MEMORY))
    assert encoder.load()().tolist() == tokenizer.encode(text)
