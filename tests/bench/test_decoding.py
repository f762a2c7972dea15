"""bench decode's turns, rows and ratios: with decoders and workers that only tell figures."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from yocto.bench import decoding_turns, timing
from yocto.bench.contest import Contest
from yocto.bench.decoders import random_model, weight_bytes
from yocto.bench.decoding import Told, shape_of
from yocto.bench.decoding_job import DecodingJob
from yocto.bench.decoding_turns import decode, sweep, ways_to_read
from yocto.bench.peers import (
    BATCH,
    INT8,
    MEMORY,
    NO_CACHE,
    OURS,
    TRANSFORMERS,
    TRANSFORMERS_BATCH,
)  # fmt: skip
from yocto.bench.worker import read_job
from yocto.config import BenchDecodeConfig, GPTConfig
from yocto.errors import RunError
from yocto.utils.progress import SilentTask

SETTINGS = GPTConfig(family="gpt2", n_layer=1, n_head=1, n_embd=8, block_size=8, vocab_size=9)
SIDES = [OURS, INT8, BATCH, NO_CACHE, TRANSFORMERS, TRANSFORMERS_BATCH, MEMORY]


def job(task: Any = "decode", engine: str = OURS, threads: int = 1) -> DecodingJob:
    return DecodingJob(task, engine, threads, None, SETTINGS.to_dict(), 2, 4)


def asked(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    monkeypatch.setattr(decoding_turns.sys, "stdin", io.StringIO("again\n" * times))


class Clock:
    now = 0.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that only tests move; the processor works for half of the time."""
    Clock.now = 0.0
    monkeypatch.setattr(timing.time, "perf_counter", lambda: Clock.now)
    monkeypatch.setattr(timing.time, "process_time", lambda: Clock.now / 2)


class Slow:
    """A decoder that takes four seconds for 12 tokens, and more for what does not count."""

    weight_bytes, parameters = 100, 25
    begun = 0

    def begin(self) -> None:
        self.begun += 1
        Clock.now += 1000

    def texts(self) -> list[list[int]]:
        Clock.now += 1000
        return [[1, 2]]

    def turn(self) -> int:
        Clock.now += 4
        return 12


# ------------------------------------------------------------------------------------------- turns


@pytest.mark.parametrize(("threads", "speed"), [(1, 6.0), (2, 3.0)])
def test_a_turn_is_timed_without_what_comes_before_it(
    monkeypatch: pytest.MonkeyPatch, clock: None, threads: int, speed: float
) -> None:
    asked(monkeypatch, 2)
    slow: Any = Slow()
    answers: Iterator[dict[str, Any]] = decode(job(threads=threads), slow)
    assert next(answers) == {"texts": [[1, 2]], "weight_bytes": 100, "parameters": 25}
    assert list(answers) == [{"tokens_per_second": speed}] * 2
    assert slow.begun == 2


def test_memory_is_read_in_every_way_and_the_quickest_counts(
    monkeypatch: pytest.MonkeyPatch, clock: None
) -> None:
    asked(monkeypatch, 1)
    monkeypatch.setattr(decoding_turns, "AT_LEAST", 6.0)

    def taking(seconds: float) -> Any:
        def call() -> None:
            Clock.now += seconds

        return call

    sizes = []

    def ways(rows: int, columns: int) -> Any:
        sizes.append((rows, columns))
        return {"a": taking(4), "b": taking(2)}, 1000

    monkeypatch.setattr(decoding_turns, "ways_to_read", ways)
    ready, answer = sweep(job("memory", MEMORY))
    assert ready == {}
    # Half of the clock's seconds are the processor's.
    assert answer == {"ways": {"a": 500.0, "b": 1000.0}, "bytes_per_second": 1000.0}
    ((rows, columns),) = sizes
    size = weight_bytes(random_model(SETTINGS))
    assert columns == 8
    assert 0 <= 4 * rows * columns - size < 4 * columns


def test_each_way_reads_the_same_matrix_whole() -> None:
    ways, size = ways_to_read(300, 24)
    assert size == 4 * 300 * 24
    kernel, mv, total = (call() for call in ways.values())
    torch.testing.assert_close(kernel[0], mv, atol=1e-4, rtol=1e-4)
    assert mv.shape == (300,)
    assert total.dim() == 0


def test_a_large_matrix_is_multiplied_by_the_kernel_of_generation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ready = []
    monkeypatch.setattr(
        decoding_turns, "for_generation", lambda layer, **knobs: ready.append((layer, knobs))
    )
    ways_to_read(30, 24)
    ((layer, knobs),) = ready
    assert layer.weight.shape == (30, 24)
    assert not knobs["int8"]


def test_a_job_comes_back_from_its_line() -> None:
    again = read_job(job().line())
    assert isinstance(again, DecodingJob)
    assert again == job()
    assert again.config == SETTINGS


# -------------------------------------------------------------------------------------------- rows


def told(monkeypatch: pytest.MonkeyPatch, without: tuple[str, ...] = ()) -> Told:
    """Two rounds, the second one on a machine half as fast."""
    monkeypatch.setattr("yocto.bench.contest.version_of", lambda name: "1")
    contest = Contest(SIDES, 2, SilentTask(), RunError)
    contest.out = dict.fromkeys(without, "it ended")
    speeds = {OURS: 100, INT8: 150, BATCH: 400, NO_CACHE: 5, TRANSFORMERS: 50,
              TRANSFORMERS_BATCH: 200}  # fmt: skip
    contest.answers = {
        name: [{"tokens_per_second": speed / slow} for slow in (1, 2)]
        for name, speed in speeds.items()
        if name not in without
    }
    contest.answers[MEMORY] = [
        {"bytes_per_second": 8e5 / slow, "ways": {"a": 1e5 / slow, "b": 8e5 / slow}}
        for slow in (1, 2)
    ]
    texts = {OURS: [[1, 2, 3]], INT8: [[1, 9, 3]], BATCH: [[1, 2, 3], [4, 5, 6]],
             NO_CACHE: [[1, 2, 3]], TRANSFORMERS: [[1, 2, 8]],
             TRANSFORMERS_BATCH: [[1, 2, 3], [4, 7, 6]]}  # fmt: skip
    ready = {
        name: {"texts": text, "weight_bytes": 1000 if name == INT8 else 4000, "parameters": 1000}
        for name, text in texts.items()
    }
    return Told(contest, ready, BenchDecodeConfig(batch_size=2))


def test_ratios_and_shares_are_taken_round_by_round(monkeypatch: pytest.MonkeyPatch) -> None:
    ratios = told(monkeypatch).ratios()
    assert list(ratios.values()) == [20, 2, 0.5, 1.5, 4, 2]
    assert list(ratios)[2] == "yocto of the memory's bound"


def test_a_row_has_its_share_of_memory_by_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = told(monkeypatch)
    ours = bench.row(OURS, job())
    assert (ours.tokens_per_second, ours.ratio, ours.share) == (75, 1, 0.5)
    int8 = bench.row(INT8, job(engine=INT8))
    assert (int8.share, int8.weight_bytes) == (150 * 1000 / 8e5, 1000)
    two = DecodingJob("decode", BATCH, 1, None, {}, 2, 4, batch_size=2)
    assert bench.row(BATCH, two).share == 400 / 2 * 4000 / 8e5
    memory = bench.row(MEMORY, job("memory", MEMORY))
    assert (memory.share, memory.ratio, memory.tokens_per_second) == (1.0, 2, 150)
    assert memory.gb_per_second == {"b": 0.0006, "a": pytest.approx(0.000075)}
    assert list(memory.gb_per_second) == ["b", "a"]


def test_tokens_are_the_same_up_to_the_first_that_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = told(monkeypatch)
    same = {side: bench.same_ids(side) for side in SIDES if side != MEMORY}
    assert same == {OURS: 3, INT8: 1, BATCH: 3, NO_CACHE: 3, TRANSFORMERS: 2, TRANSFORMERS_BATCH: 1}


def test_a_batch_is_held_against_the_text_that_was_made_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = told(monkeypatch)
    bench.ready[BATCH]["texts"][0] = [0, 2, 3]
    assert bench.same_ids(BATCH) == 0


def test_without_transformers_its_rows_tell_why_and_ratios_are_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = told(monkeypatch, (TRANSFORMERS, TRANSFORMERS_BATCH))
    row = bench.row(TRANSFORMERS, job())
    assert (row.reason, row.tokens_per_second, row.batch_size) == ("it ended", None, 1)
    missing = {what for what, ratio in bench.ratios().items() if ratio is None}
    assert missing == {"yocto / transformers", "batch / transformers' batch"}


@pytest.mark.parametrize("side", [INT8, BATCH, NO_CACHE, MEMORY])
def test_no_side_of_our_own_may_fail(monkeypatch: pytest.MonkeyPatch, side: str) -> None:
    with pytest.raises(RunError, match=f"the side '{side}' could not be measured: it ended"):
        told(monkeypatch, (side,))


def test_the_shape_is_what_was_asked_for() -> None:
    config = BenchDecodeConfig(family="llama", n_layer=3, n_head=2, n_embd=8, vocab_size=77)
    shape = shape_of(config)
    assert (shape.family, shape.n_layer, shape.n_head, shape.n_embd) == ("llama", 3, 2, 8)
    assert (shape.block_size, shape.vocab_size) == (512, 77)
