"""Speed by a clock that the test winds, and operations against torch's own counter."""

from __future__ import annotations

import pytest
import torch
from tiny import tiny_config
from torch.utils.flop_counter import FlopCounterMode

from yocto.config import FAMILIES, GPTConfig
from yocto.model.gpt import GPT
from yocto.training.meter import Meter, flops_per_token, matmul_rate

CPU = torch.device("cpu")


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def make_meter(flops: int = 1000, rate: float = 1e6) -> tuple[Meter, Clock]:
    meter, clock = Meter(CPU, flops), Clock()
    meter.rate = rate
    meter.clock = clock
    meter.restart()
    return meter, clock


def take(meter: Meter, clock: Clock, tokens: int, busy: float, idle: float = 0.0) -> None:
    with meter.step(tokens):
        clock.now += busy
    clock.now += idle


def test_a_line_tells_tokens_a_second_utilisation_and_the_share_of_work() -> None:
    meter, clock = make_meter()
    for _ in range(10):
        take(meter, clock, 200, busy=0.75, idle=0.25)
    line = meter.line()
    assert line.pop("memory") > 1e7  # bytes of this process
    # 2000 tokens in 10 s; 200 x 1000 operations a second of a million
    assert line == {"tokens_per_second": 200.0, "utilisation": 0.2, "busy": 0.75}


def test_each_line_begins_anew() -> None:
    meter, clock = make_meter()
    take(meter, clock, 100, busy=1.0)
    meter.line()
    take(meter, clock, 100, busy=0.5, idle=1.5)
    line = meter.line()
    assert (line["tokens_per_second"], line["busy"]) == (50.0, 0.25)


def test_what_comes_between_restarts_does_not_count() -> None:
    meter, clock = make_meter()
    clock.now += 1000.0  # an evaluation
    meter.restart()
    take(meter, clock, 100, busy=1.0)
    assert meter.line()["tokens_per_second"] == 100.0


def test_a_line_of_no_time_does_not_divide_by_zero() -> None:
    meter, _ = make_meter()
    assert meter.line()["tokens_per_second"] == 0.0


# ------------------------------------------------------------------------------------ operations


def counted(config: GPTConfig, attention: bool) -> float:
    """What torch's counter finds in forward and backward, per token."""
    model, (batch, time) = GPT(config), (2, config.block_size)
    idx = torch.zeros(batch, time, dtype=torch.int64)
    with FlopCounterMode(display=False) as counter:
        model(idx).sum().backward()
    found = counter.get_flop_counts()["Global"]
    names = ("mm", "addmm", "bmm", *(["attention"] if attention else []))
    total = sum(n for op, n in found.items() if str(op).split(".")[1] in names)
    return total / (batch * time)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("tied", [True, False])
def test_operations_of_the_weights_are_those_that_torch_counts(family: str, tied: bool) -> None:
    config = tiny_config(family=family, n_embd=32, n_layer=3, tie_weights=tied, block_size=16)
    attention = 12 * 3 * 32 * 16
    expected = flops_per_token(config) - attention
    # Norms and biases are counted as weights, too: they are few.
    model = GPT(config)
    vectors = sum(p.numel() for p in model.parameters() if p.dim() == 1)
    if config.position == "learned":
        assert expected + 6 * 16 * 32 == 6 * model.num_parameters() - (
            0 if tied else 6 * config.vocab_size * 32
        )
    assert counted(config, attention=False) == pytest.approx(expected - 6 * vectors, rel=1e-9)


def test_operations_of_attention_are_two_products_three_times() -> None:
    short, long = (
        flops_per_token(tiny_config(n_embd=32, n_layer=3, block_size=size, position="rope"))
        for size in (16, 48)
    )
    # Scores and sums: 2 D T each for each head, in forward once and in backward twice.
    assert long - short == 3 * (2 + 4) * 2 * 32 * (48 - 16)


def test_the_rate_of_a_matrix_product_is_a_machines() -> None:
    assert 1e8 < matmul_rate(CPU, torch.float32) < 1e14
