"""The sampler: what each knob does to the choice, and the draw."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    SequenceBiasLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

from yocto.config import SamplingConfig
from yocto.errors import CheckpointError, ConfigError
from yocto.sampling.logits import apply_top_p, nucleus
from yocto.sampling.request import Request, make_generator
from yocto.sampling.sampler import Sampler, choose_all, draw

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


CHAINS = [
    {"repetition_penalty": 1.4, "temperature": 0.6, "top_k": 20, "top_p": 0.8, "min_p": 0.08},
    {"temperature": 1.3, "top_p": 0.9, "typical_p": 0.7},
    {"temperature": 0.8, "top_k": 300, "top_p": 1.0, "typical_p": 0.4, "min_p": 0.01},
    {"logit_bias": ("5=4", "9=-inf", "3=-2.5"), "repetition_penalty": 0.7, "top_p": 0.5},
    {"temperature": 4.0, "top_p": 0.99},  # more tokens stay than are looked at first
]


def in_transformers(config: SamplingConfig) -> LogitsProcessorList:
    """The same knobs, in the order of transformers' generate."""
    c = config
    chain = LogitsProcessorList()
    if c.logit_bias:
        chain.append(SequenceBiasLogitsProcessor([[[i], bias] for i, bias in c.biases().items()]))
    chain.append(RepetitionPenaltyLogitsProcessor(c.repetition_penalty))
    chain.append(TemperatureLogitsWarper(c.temperature))
    chain.extend([] if c.top_k is None else [TopKLogitsWarper(c.top_k)])
    chain.extend([TopPLogitsWarper(c.top_p), MinPLogitsWarper(c.min_p)])
    chain.extend([TypicalLogitsWarper(c.typical_p)] if c.typical_p < 1 else [])
    return chain


@pytest.mark.parametrize("vocab_size", [60, 3000])
@pytest.mark.parametrize("knobs", CHAINS, ids=lambda knobs: "-".join(knobs))
def test_the_filters_work_together_as_in_transformers(knobs: dict, vocab_size: int) -> None:
    config = SamplingConfig(**knobs)
    reference = in_transformers(config)
    for seed in range(10):
        logits = 2 * torch.randn(vocab_size, generator=torch.Generator().manual_seed(seed))
        seen = [seed, 3, 3, 8]
        got = Sampler(Request(seen, config)).shares(logits)
        expected = reference(torch.tensor([seen]), logits[None].clone()).softmax(dim=-1)[0]
        torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("knobs", [*CHAINS, {"top_p": 1.0}], ids=lambda knobs: "-".join(knobs))
def test_what_is_drawn_is_one_of_the_shares_and_takes_one_number(knobs: dict) -> None:
    config = SamplingConfig(**knobs)
    generator, numbers = make_generator(5), make_generator(5)
    sampler = Sampler(Request([1, 2], config, generator=generator))
    for seed in range(30):
        logits = 2 * torch.randn(2000, generator=torch.Generator().manual_seed(seed))
        sums = sampler.shares(logits).double().cumsum(dim=0)
        at = torch.rand((), dtype=torch.float64, generator=numbers) * sums[-1]
        assert sampler.choose(logits).id == int((sums <= at).sum())


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32), st.sampled_from([30, 1600, 13000]), st.floats(0.01, 6),
    st.floats(1e-6, 0.9999), st.booleans(),
)  # fmt: skip
def test_looking_at_the_likeliest_first_gives_the_nucleus_to_the_last_token(
    seed: int, vocab_size: int, spread: float, top_p: float, has_ties: bool
) -> None:
    logits = spread * torch.randn(vocab_size, generator=torch.Generator().manual_seed(seed))
    if has_ties:
        logits = logits.round()
    expected = set((apply_top_p(logits, top_p) > -torch.inf).nonzero().flatten().tolist())
    found = nucleus(logits, top_p)
    if found is not None:
        assert set(found.tolist()) == expected
        assert len(found) == len(expected)
    elif not has_ties:
        assert len(expected) > 500 or vocab_size < 1536
    shares = Sampler(Request([0], SamplingConfig(temperature=1.0, top_p=top_p))).shares(logits)
    assert set(shares.nonzero().flatten().tolist()) <= expected


def test_penalties_count_what_was_generated_and_not_the_prompt() -> None:
    logits = torch.randn(40, generator=torch.Generator().manual_seed(1))
    config = SamplingConfig(
        presence_penalty=0.7, frequency_penalty=-0.3, repetition_penalty=1.5, greedy=True
    )
    sampler, ids = Sampler(Request([7, 7, 8], config)), []
    for _ in range(200):
        slow = logits.clone()
        for i in range(40):
            if i in (7, 8, *ids):
                slow[i] = slow[i] / 1.5 if slow[i] > 0 else slow[i] * 1.5
            slow[i] -= 0.7 * (i in ids) - 0.3 * ids.count(i)
        before = logits.clone()
        ids.append(sampler.choose(logits).id)
        assert ids[-1] == int(slow.argmax())
        assert torch.equal(logits, before)
    assert len(set(ids)) > 1


@pytest.mark.parametrize("knobs", [{"greedy": True}, {}, PLAIN, {"top_k": 3}, {"typical_p": 0.5}])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_logits_that_are_no_numbers_are_told(knobs: dict, value: float) -> None:
    for places in ([4], range(8)):
        logits = torch.zeros(8)
        logits[list(places)] = value
        with pytest.raises(CheckpointError, match="not a number"):
            choose(logits, [1], SamplingConfig(**knobs))


@pytest.mark.parametrize("knobs", [{"greedy": True}, {}])
def test_biases_that_ban_all_are_told(knobs: dict) -> None:
    config = SamplingConfig(logit_bias=("0=-inf", "2=-inf"), **knobs)
    with pytest.raises(ConfigError, match="bans them all"):
        Sampler(Request([0], config, banned=[1])).choose(torch.zeros(3))
    assert Sampler(Request([0], config)).choose(torch.zeros(3)).id == 1


@pytest.mark.parametrize("asked", [0, 1, 5, 20])
def test_logprobs_are_the_models_before_any_knob(asked: int) -> None:
    logits = torch.randn(12, generator=torch.Generator().manual_seed(0))
    config = SamplingConfig(temperature=0.1, logit_bias=("3=50",), repetition_penalty=2.0)
    token = Sampler(Request([3], config, banned=[1], logprobs=asked)).choose(logits)
    all_ = logits.double().log_softmax(dim=0)
    assert token.id == 3
    assert token.logprob == pytest.approx(float(all_[3]), abs=1e-5)
    assert [i for i, _ in token.top] == all_.argsort(descending=True)[:asked].tolist()
    for token_id, logprob in token.top:
        assert logprob == pytest.approx(float(all_[token_id]), abs=1e-5)


def test_without_being_asked_no_logprob_is_told() -> None:
    token = Sampler(Request([3], SamplingConfig())).choose(torch.zeros(5))
    assert (token.logprob, token.top) == (None, ())


def test_a_number_that_rounds_up_to_the_whole_sum_draws_the_last_that_may_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch, "rand", lambda *_, **__: torch.tensor(1.0, dtype=torch.float64))
    assert draw(torch.tensor([0.5, 0.5, 0.0]), make_generator(0)) == 1


def test_the_draw_follows_the_shares() -> None:
    shares = [0.5, 0.3, 0.15, 0.05]
    generator = torch.Generator().manual_seed(0)
    config = SamplingConfig(**PLAIN)
    counts = Counter(choose(torch.tensor(shares).log(), [], config, generator) for _ in range(4000))
    for token, share in enumerate(shares):
        assert counts[token] / 4000 == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize(
    "knobs",
    [{"greedy": True}, {"temperature": 0.0}, {"temperature": 1e-46}, {"temperature": 1e-6},
     {"top_k": 1}],
)  # fmt: skip
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


TEXTS = [
    {"greedy": True},
    {"temperature": 0.0, "logit_bias": ("1=-inf", "7=-0.5")},
    {"greedy": True, "logit_bias": ("3=6",)},
    {"greedy": True, "repetition_penalty": 3.0},
    {"greedy": True, "presence_penalty": 1.5, "frequency_penalty": 0.5},
    {"temperature": 1.0, "seed": 5},
]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_several_texts_get_the_tokens_that_each_gets_alone(seed: int, has_ties: bool) -> None:
    def samplers() -> list[Sampler]:
        return [
            Sampler(Request([1, 2], config, banned=[4, 5], generator=make_generator(config.seed)))
            for config in (SamplingConfig(**values) for values in TEXTS)
        ]

    together, alone, numbers = samplers(), samplers(), torch.Generator().manual_seed(seed)
    for _ in range(6):
        logits = torch.randn(len(TEXTS), 12, generator=numbers)
        logits = logits.round() if has_ties else logits
        found = choose_all(logits, together)
        assert found == [sampler.choose(row) for sampler, row in zip(alone, logits, strict=True)]


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_a_text_among_several_whose_logits_are_no_numbers_is_told_of(broken: float) -> None:
    logits = torch.zeros(2, 9)
    logits[1, 3] = broken
    texts = [Sampler(Request([1], SamplingConfig(greedy=True))) for _ in range(2)]
    with pytest.raises(CheckpointError, match="not a number"):
        choose_all(logits, texts)
