"""The logits filters against transformers' and against loops that are plainly right."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

from yocto.sampling.logits import (
    apply_frequency_penalty,
    apply_logit_bias,
    apply_min_p,
    apply_presence_penalty,
    apply_repetition_penalty,
    apply_temperature,
    apply_top_k,
    apply_top_p,
    apply_typical_p,
)

NONE = torch.zeros(1, 0, dtype=torch.int64)  # transformers' filters want ids, most without use


def random_logits(seed: int, rows: int = 16, vocab_size: int = 60) -> torch.Tensor:
    return 3 * torch.randn(rows, vocab_size, generator=torch.Generator().manual_seed(seed))


def shares_of(row: torch.Tensor) -> list[float]:
    top = max(row.tolist())
    weights = [math.exp(x - top) for x in row.tolist()]
    return [w / sum(weights) for w in weights]


def kept(logits: torch.Tensor) -> list[set[int]]:
    return [{i for i, x in enumerate(row.tolist()) if x != -math.inf} for row in logits]


# -------------------------------------------------------------------------------- transformers


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        *((lambda x, t=t: apply_temperature(x, t), TemperatureLogitsWarper(t)) for t in (0.3, 1.7)),
        *((lambda x, k=k: apply_top_k(x, k), TopKLogitsWarper(k)) for k in (1, 7, 60, 1000)),
        *((lambda x, p=p: apply_top_p(x, p), TopPLogitsWarper(p)) for p in (0.01, 0.5, 0.9, 0.99)),
        *((lambda x, p=p: apply_min_p(x, p), MinPLogitsWarper(p)) for p in (0.01, 0.1, 0.9)),
        *(
            (lambda x, p=p: apply_typical_p(x, p), TypicalLogitsWarper(p))
            for p in (0.01, 0.3, 0.8, 0.999)
        ),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "__dict__") else None,
)
def test_a_filter_gives_what_that_of_transformers_gives(ours, theirs, seed: int) -> None:
    logits = random_logits(seed)
    torch.testing.assert_close(ours(logits), theirs(NONE, logits.clone()))


@pytest.mark.parametrize("penalty", [0.5, 1.3, 5.0])
def test_the_repetition_penalty_is_that_of_transformers(penalty: float) -> None:
    logits = random_logits(1)
    seen = torch.tensor([3, 9, 9, 11])
    expected = RepetitionPenaltyLogitsProcessor(penalty)(seen.expand(16, 4), logits.clone())
    got = apply_repetition_penalty(logits, seen.unique(), penalty)
    torch.testing.assert_close(got, expected)


FAMILIES = {
    "temperature": (apply_temperature, TemperatureLogitsWarper, st.floats(0.05, 50)),
    "top_k": (apply_top_k, TopKLogitsWarper, st.integers(1, 100)),
    "top_p": (apply_top_p, TopPLogitsWarper, st.floats(1e-6, 0.9999)),
    "min_p": (apply_min_p, MinPLogitsWarper, st.floats(0.0, 1.0)),
    "typical_p": (apply_typical_p, TypicalLogitsWarper, st.floats(1e-6, 0.9999)),
}


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_the_logits_a_filter_is_that_of_transformers(name: str, data) -> None:
    ours, theirs, values = FAMILIES[name]
    value = data.draw(values)
    seed, width = data.draw(st.integers(0, 2**32)), data.draw(st.integers(1, 80))
    logits = data.draw(st.floats(0.01, 20)) * random_logits(seed, 3, width)
    banned = data.draw(st.integers(0, width - 1))  # another filter may have come first
    logits[:, :banned] = -math.inf
    expected = theirs(value)(NONE, logits.clone())
    got = ours(logits, value)
    # Where rounding decides, one token may be in for one and out for the other.
    differing = ((got == -math.inf) != (expected == -math.inf)).sum(dim=-1)
    assert differing.max() <= (1 if name in ("top_p", "typical_p", "min_p") else 0)
    both = (got != -math.inf) & (expected != -math.inf)
    torch.testing.assert_close(got[both], expected[both])
    assert (got != -math.inf).any(dim=-1).all()


# --------------------------------------------------------------------------------- plain loops


@pytest.mark.parametrize("k", [1, 2, 10, 60])
def test_top_k_keeps_the_k_likeliest(k: int) -> None:
    logits = random_logits(2)
    for row, ids in zip(logits, kept(apply_top_k(logits, k)), strict=True):
        assert ids == set(sorted(range(60), key=lambda i: -row[i].item())[:k])


def test_top_k_keeps_all_that_are_as_likely_as_the_last() -> None:
    assert kept(apply_top_k(torch.tensor([[1.0, 3.0, 2.0, 2.0, 0.0]]), 2)) == [{1, 2, 3}]


@pytest.mark.parametrize("p", [1e-6, 0.3, 0.8, 0.97])
def test_top_p_keeps_the_fewest_that_make_up_p(p: float) -> None:
    logits = random_logits(3)
    for row, ids in zip(logits, kept(apply_top_p(logits, p)), strict=True):
        shares, expected, total = shares_of(row), set(), 0.0
        for i in sorted(range(60), key=lambda i: -shares[i]):
            expected.add(i)
            total += shares[i]
            if total >= p:
                break
        assert ids == expected


@pytest.mark.parametrize("p", [0.001, 0.2, 1.0])
def test_min_p_drops_what_is_less_likely_than_a_share_of_the_likeliest(p: float) -> None:
    logits = random_logits(4)
    for row, ids in zip(logits, kept(apply_min_p(logits, p)), strict=True):
        shares = shares_of(row)
        assert ids == {i for i in range(60) if shares[i] >= p * max(shares)}


def test_the_repetition_penalty_makes_both_signs_less_likely() -> None:
    logits = torch.tensor([2.0, -2.0, 1.0, 0.0])
    got = apply_repetition_penalty(logits, torch.tensor([0, 1, 3]), 2.0)
    assert got.tolist() == [1.0, -4.0, 1.0, 0.0]


def test_biases_and_penalties_are_plain_sums() -> None:
    logits = random_logits(3)
    ids, biases = torch.tensor([4, 0, 7]), torch.tensor([1.5, -math.inf, -2.0])
    counts = torch.arange(60) % 3
    biased = apply_logit_bias(logits, ids, biases)
    presence = apply_presence_penalty(logits, counts, 0.6)
    frequency = apply_frequency_penalty(logits, counts, -0.25)
    for row in range(16):
        for i in range(60):
            x = logits[row, i].item()
            assert biased[row, i].item() == pytest.approx(
                x + {4: 1.5, 0: -math.inf, 7: -2}.get(i, 0)
            )
            assert presence[row, i].item() == pytest.approx(x - 0.6 * (i % 3 > 0), abs=1e-6)
            assert frequency[row, i].item() == pytest.approx(x + 0.25 * (i % 3), abs=1e-6)


# ------------------------------------------------------------------------------------- for all


FILTERS = {
    "temperature": lambda x: apply_temperature(x, 0.5),
    "top_k": lambda x: apply_top_k(x, 3),
    "top_p": lambda x: apply_top_p(x, 0.5),
    "min_p": lambda x: apply_min_p(x, 0.5),
    "typical_p": lambda x: apply_typical_p(x, 0.5),
    "repetition_penalty": lambda x: apply_repetition_penalty(x, torch.tensor([1]), 2.0),
    "presence_penalty": lambda x: apply_presence_penalty(x, torch.arange(60), 0.5),
    "frequency_penalty": lambda x: apply_frequency_penalty(x, torch.arange(60), 0.5),
    "logit_bias": lambda x: apply_logit_bias(x, torch.tensor([1, 5]), torch.tensor([1.0, -1.0])),
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_leaves_its_input_as_it_is(name: str) -> None:
    logits = random_logits(5)
    before = logits.clone()
    FILTERS[name](logits)
    assert torch.equal(logits, before)


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_treats_each_row_alone_whatever_the_shape(name: str) -> None:
    logits = random_logits(6, rows=4)
    flat = torch.stack([FILTERS[name](row) for row in logits])
    torch.testing.assert_close(FILTERS[name](logits.view(2, 2, 60)).view(4, 60), flat)


@pytest.mark.parametrize("name", ["top_k", "top_p", "min_p", "typical_p"])
def test_a_filter_changes_no_logit_that_it_keeps(name: str) -> None:
    logits = random_logits(7)
    got = FILTERS[name](logits)
    stays = got != -math.inf
    assert torch.equal(got[stays], logits[stays])
    assert not stays.all()


@pytest.mark.parametrize(
    "strictest",
    [
        lambda x: apply_top_k(x, 1),
        lambda x: apply_top_p(x, 1e-6),
        lambda x: apply_min_p(x, 1.0),
    ],
    ids=["top_k", "top_p", "min_p"],
)
def test_the_likeliest_token_always_stays(strictest) -> None:
    logits = random_logits(8)
    assert kept(strictest(logits)) == [{int(i)} for i in logits.argmax(dim=-1)]
