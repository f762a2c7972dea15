"""Who writes texts: the same text on every side, and what each is timed at."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from yocto.bench.decoders import (
    DECODERS,
    NoCache,
    Transformers,
    Yocto,
    YoctoInt8,
    random_model,
    weight_bytes,
)  # fmt: skip
from yocto.bench.decoding_job import DecodingJob
from yocto.bench.peers import BATCH, OURS
from yocto.config import FAMILIES, GPTConfig
from yocto.model.gpt import GPT
from yocto.model.linear import Int8Linear, Linear

SHAPE = {"n_layer": 2, "n_head": 2, "n_embd": 16, "block_size": 64, "vocab_size": 90}


def job(family: str = "gpt2", engine: str = OURS, **more: Any) -> DecodingJob:
    settings = GPTConfig(family=family, **SHAPE).to_dict()
    sizes = {"prompt_tokens": 5, "new_tokens": 40, **more}
    return DecodingJob("decode", engine, 1, None, settings, **sizes)


@torch.no_grad()
def slow_text(model: GPT, prompt: list[int], n: int) -> list[int]:
    ids = list(prompt)
    for _ in range(n):
        ids.append(int(model(torch.tensor([ids]))[0, -1].argmax()))
    return ids[len(prompt) :]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_side_writes_the_same_text(family: str) -> None:
    ours = Yocto(job(family))
    (text,) = ours.texts()
    assert text == slow_text(random_model(ours.job.config), ours.prompts[0], 40)
    assert len(set(text)) > 5  # no model that repeats itself
    assert NoCache(job(family)).texts() == [text]
    assert Transformers(job(family)).texts() == [text]
    batch = Yocto(job(family, batch_size=3)).texts()
    assert batch[0] == text
    assert len({tuple(one) for one in batch}) == 3
    assert Transformers(job(family, batch_size=3)).texts() == batch


def test_larger_batches_than_generation_takes_of_itself_go_in_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decoder = Yocto(job(batch_size=20, new_tokens=3))
    rows = []
    real = decoder.engine.read

    def read(texts: Any) -> torch.Tensor:
        rows.append(len(texts))
        return real(texts)

    monkeypatch.setattr(decoder.engine, "read", read)
    assert [len(text) for text in decoder.texts()] == [3] * 20
    assert rows == [20, 20, 20]


def test_each_turn_begins_with_an_engine_that_has_read_nothing() -> None:
    decoder = Yocto(job())
    decoder.texts()
    before = decoder.engine
    decoder.begin()
    assert decoder.engine is not before
    assert decoder.turn() == 40


@pytest.mark.parametrize(
    ("new_tokens", "places"),
    [(1, [0]), (3, [0, 1, 2]), (8, list(range(8))), (40, [2, 7, 12, 17, 22, 27, 32, 37])],
)
def test_the_loop_without_a_cache_is_timed_evenly_over_the_text(
    monkeypatch: pytest.MonkeyPatch, new_tokens: int, places: list[int]
) -> None:
    decoder = NoCache(job(new_tokens=new_tokens))
    lengths = []
    real = decoder.engine.read

    def read(texts: Any) -> torch.Tensor:
        lengths.append(len(texts[0]))
        return real(texts)

    monkeypatch.setattr(decoder.engine, "read", read)
    assert decoder.turn() == len(places)
    assert lengths == [5 + place for place in places]
    assert not decoder.engine.use_cache


def test_a_wrong_choice_without_a_cache_shows_in_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = NoCache(job())
    monkeypatch.setattr(decoder, "next_token", lambda place: -1)
    assert [i for i, token in enumerate(decoder.texts()[0]) if token == -1] == decoder.places


def test_int8_is_int8() -> None:
    decoder = YoctoInt8(job())
    assert isinstance(decoder.model.lm_head, Int8Linear)
    assert len(decoder.texts()[0]) == 40
    assert DECODERS[BATCH] is Yocto


@pytest.mark.parametrize("family", FAMILIES)
def test_a_step_reads_every_weight_but_tables_that_it_looks_rows_up_in(family: str) -> None:
    model = random_model(GPTConfig(family=family, **SHAPE))
    tables = 64 * 16 if family == "gpt2" else 90 * 16  # positions; an embedding of its own
    assert weight_bytes(model) == 4 * (model.num_parameters() - tables)
    matrices = [part.weight for part in model.modules() if isinstance(part, Linear)]
    saved = sum(3 * matrix.numel() - 4 * matrix.shape[0] for matrix in matrices)
    assert weight_bytes(model, int8=True) == weight_bytes(model) - saved
