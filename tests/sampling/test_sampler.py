"""The sampler: what each knob does to the choice, and the draw."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from yocto.config import SamplingConfig
from yocto.sampling import sampler
from yocto.sampling.request import Request, make_generator
from yocto.sampling.sampler import Sampler

# No filter: what comes is drawn from the model's own shares.
PLAIN = {"temperature": 1.0, "top_p": 1.0}


def choose(
    logits: torch.Tensor,
    seen: list[int],
    config: SamplingConfig,
    generator: torch.Generator | None = None,
) -> int:
    """The id that follows those seen."""
    generator = generator or make_generator(config.seed)
    return Sampler(Request(seen, config, generator=generator)).choose(logits).id


def test_the_filters_work_together_as_in_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []

    def draw(shares: torch.Tensor, generator: torch.Generator) -> int:
        drawn.append(shares)
        return 0

    monkeypatch.setattr(sampler, "draw", draw)
    config = SamplingConfig(
        repetition_penalty=1.4, temperature=0.6, top_k=20, top_p=0.8, min_p=0.08
    )
    reference = LogitsProcessorList(
        [
            RepetitionPenaltyLogitsProcessor(1.4),
            TemperatureLogitsWarper(0.6),
            TopKLogitsWarper(20),
            TopPLogitsWarper(0.8),
            MinPLogitsWarper(0.08),
        ]
    )
    for seed in range(10):
        logits = 2 * torch.randn(60, generator=torch.Generator().manual_seed(seed))
        seen = [seed, 3, 3, 8]
        choose(logits, seen, config)
        expected = reference(torch.tensor([seen]), logits[None].clone()).softmax(dim=-1)[0]
        torch.testing.assert_close(drawn[-1], expected)


def test_the_draw_follows_the_shares() -> None:
    shares = [0.5, 0.3, 0.15, 0.05]
    generator = torch.Generator().manual_seed(0)
    config = SamplingConfig(**PLAIN)
    counts = Counter(choose(torch.tensor(shares).log(), [], config, generator) for _ in range(4000))
    for token, share in enumerate(shares):
        assert counts[token] / 4000 == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize("knobs", [{"greedy": True}, {"temperature": 0.0}, {"top_k": 1}])
def test_greedy_temperature_0_and_top_k_1_take_the_likeliest(knobs: dict) -> None:
    for seed in range(20):
        logits = torch.randn(30, generator=torch.Generator().manual_seed(seed))
        assert choose(logits, [], SamplingConfig(**knobs)) == int(logits.argmax())


def test_a_strong_penalty_makes_greedy_leave_what_it_said() -> None:
    logits = torch.tensor([2.0, 1.9, 0.0])
    penalised = SamplingConfig(greedy=True, repetition_penalty=1.5)
    assert choose(logits, [0], SamplingConfig(greedy=True)) == 0
    assert choose(logits, [0], penalised) == 1
    assert choose(logits, [], penalised) == 0
