"""The whole way with tokenizers of other libraries: encode, train, sample, and nothing is lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import foreign
import numpy as np
import pytest
from conftest import SHAPE

import yocto as library
from yocto.cli.options import flag_of
from yocto.tokenizer.store import load_tokenizer

SMALL = [x for knob, value in {**SHAPE, "max_iters": 2, "eval_interval": 2}.items()
         for x in (flag_of(knob), str(value))]  # fmt: skip


def tokenizer_of(package: str):
    """An object of a library, and how the tokenizer made of it is called."""
    pytest.importorskip(package)
    if package == "tokenizers":
        return foreign.hugging_face("unigram"), "tokenizers"
    if package == "sentencepiece":
        from sentencepiece import SentencePieceProcessor

        model = foreign.sentencepiece_model("llama")
        return SentencePieceProcessor(model_proto=model), "sentencepiece"
    import tiktoken

    trained = library.train_tokenizer([foreign.__file__], vocab_size=300, special_tokens=[])
    assert isinstance(trained, library.BPETokenizer)
    special = {"<|endoftext|>": 300}
    encoding = tiktoken.Encoding(
        "small", pat_str=r"\w+|\s|[^\w\s]", mergeable_ranks=trained.vocab, special_tokens=special
    )
    return encoding, "byte-bpe"


@pytest.mark.parametrize("package", ["tokenizers", "sentencepiece", "tiktoken"])
def test_encode_train_and_sample_work_with_it(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many_documents: Path, yocto
) -> None:
    monkeypatch.chdir(tmp_path)
    theirs, kind = tokenizer_of(package)
    adapted = library.adapt_tokenizer(theirs)
    adapted.save("given")
    assert load_tokenizer("given").kind == adapted.kind == kind

    encoded = yocto("encode", "--tokenizer-path", "given", "--text-path", many_documents,
                    "--out-dir", "data/mine")  # fmt: skip
    assert encoded.exit_code == 0, encoded.stderr
    assert load_tokenizer("data/mine").sha256 == adapted.sha256
    ids = np.fromfile("data/mine/train.bin", "<u2")
    assert (ids == adapted.end_id).sum() > 20  # between documents
    first = many_documents.read_text("utf-8").split("<|endoftext|>\n")
    assert adapted.decode(ids[: ids.tolist().index(adapted.end_id)].tolist()) in [
        adapted.decode(adapted.encode(text)) for text in first
    ]

    trained = yocto("train", "--data-dir", "data/mine", "--run-name", "r", *SMALL)
    assert trained.exit_code == 0, trained.stderr
    shutil.rmtree("given")
    shutil.rmtree("data")  # a checkpoint needs nothing beside it
    lm = library.load("r")
    assert lm.tokenizer.sha256 == adapted.sha256
    assert lm.end_id == adapted.end_id
    for prompt in ("", "the river"):
        sampled = yocto("sample", "--ckpt", "r", "--max-new-tokens", "20", "--prompt", prompt,
                        "--seed", "1")  # fmt: skip
        assert sampled.exit_code == 0, sampled.stderr
        assert len(sampled.stdout.strip()) > len(prompt)
    text = "".join(lm.stream("the river", max_new_tokens=20, seed=1, ignore_eos=True))
    assert text == lm.generate("the river", max_new_tokens=20, seed=1, ignore_eos=True)
    assert lm.loss("the river") > 0


def test_train_finds_the_tokenizer_of_another_library_in_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_text: Path, yocto
) -> None:
    pytest.importorskip("sentencepiece")
    monkeypatch.chdir(tmp_path)
    Path("spiece").mkdir()
    Path("spiece/spiece.model").write_bytes(foreign.sentencepiece_model("llama"))
    encoded = yocto("encode", "--tokenizer-path", "spiece", "--text-path", small_text)
    assert encoded.exit_code == 0, encoded.stderr
    trained = yocto("train", "--data-dir", "spiece", "--run-name", "r", *SMALL)
    assert trained.exit_code == 0, trained.stderr
    resumed = yocto("train", "--data-dir", "spiece", "--run-name", "r", "--resume", "auto", *SMALL,
                    "--max-iters", "4")  # fmt: skip
    assert resumed.exit_code == 0, resumed.stderr
