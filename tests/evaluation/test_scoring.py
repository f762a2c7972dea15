"""The core: log-probabilities in batches are those of one sequence at a time."""

import math

import numpy as np
import pytest
import torch
from eval_oracle import token_logprobs
from tiny import tiny_gpt

from yocto.errors import CheckpointError, DataError
from yocto.evaluation import likelihood
from yocto.evaluation.scoring import Row, Scorer, batches


def some_rows(count: int, vocab_size: int = 26, block_size: int = 8) -> list[Row]:
    rng = np.random.default_rng(4)
    rows = []
    for _ in range(count):
        ids = rng.integers(0, vocab_size, rng.integers(2, block_size + 2)).astype(np.uint16)
        rows.append(Row(ids, int(rng.integers(1, len(ids)))))
    return rows


@pytest.mark.parametrize("batch_tokens", [1, 20, 1000])
@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_scores_are_those_of_each_row_by_itself(batch_tokens, family):
    model, rows = tiny_gpt(family=family), some_rows(50)
    scores = dict(Scorer(model, batch_tokens=batch_tokens).batched(rows, greedy=True))
    assert sorted(scores) == list(range(50))
    for i, row in enumerate(rows):
        logprobs, likeliest = token_logprobs(model, row.ids.tolist())
        wanted = row.ids.tolist()[row.begin :]
        assert scores[i].logprob == pytest.approx(sum(logprobs[row.begin - 1 :]), abs=1e-4)
        assert scores[i].tokens == len(wanted)
        assert scores[i].greedy == (likeliest[row.begin - 1 :] == wanted)


def test_greedy_choices_come_out_of_both_sorts():
    model = tiny_gpt()
    rows = []
    for row in some_rows(40):
        ids = row.ids.copy()
        ids[-1] = token_logprobs(model, ids.tolist())[1][-1]
        rows.append(Row(ids, len(ids) - 1))
    assert all(score.greedy for _, score in Scorer(model).batched(rows, greedy=True))
    assert not any(score.greedy for _, score in Scorer(model).batched(rows))


def test_the_parts_of_a_large_vocabulary_add_up(monkeypatch):
    torch.manual_seed(0)
    features, weight = torch.randn(50, 16), torch.randn(1000, 16)
    targets = torch.randint(1000, (50,))
    weight[900] = weight[70]  # of equals the first one is the likeliest
    targets[0] = 70
    features[0] = weight[70] * 10
    expected = torch.log_softmax((features @ weight.T).double(), dim=1)
    for rows, numbers in ((7, 10), (50, 6400), (1 << 10, 1 << 21)):
        monkeypatch.setattr(likelihood, "_ROWS", rows)
        monkeypatch.setattr(likelihood, "_CPU_LOGITS", numbers)
        monkeypatch.setattr(likelihood, "chunk_rows", lambda v, device, n=numbers: max(1, n // v))
        found, hits = likelihood.token_logprobs(features, weight, targets, greedy=True)
        assert torch.allclose(found.double(), expected[range(50), targets], atol=1e-4)
        assert torch.equal(hits, expected.argmax(1) == targets)
        assert hits[0]


@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_sums_of_powers_of_two_are_those_of_e(scale):
    torch.manual_seed(0)
    logits = torch.randn(40, 3000) * scale
    expected = (logits.double() * math.log(2)).logsumexp(dim=1) / math.log(2)
    assert torch.allclose(likelihood._log2_sum(logits).double(), expected, rtol=1e-6, atol=1e-6)


def test_many_rows_of_a_small_vocabulary_fit_into_memory():
    torch.manual_seed(0)
    features, weight = torch.randn(40_000, 4), torch.randn(65, 4)
    targets = torch.randint(65, (40_000,))
    found, _ = likelihood.token_logprobs(features, weight, targets)
    expected = torch.log_softmax((features @ weight.T).double(), dim=1)
    assert torch.allclose(found.double(), expected[range(40_000), targets], atol=1e-5)


def test_documents_are_kept_apart_where_training_did_so():
    model, ids = tiny_gpt(), [3, 4, 5, 0, 6, 7]
    ((score,),) = Scorer(model, document_start=0).stream([Row(np.array(ids), 5)])
    alone, _ = token_logprobs(model, ids)
    segments = torch.tensor([[0, 0, 0, 1, 1]])
    with torch.no_grad():
        logits = model(torch.tensor([ids[:-1]]), segments=segments)
    assert score.logprob == pytest.approx(float(logits[0, -1].log_softmax(0)[7]), abs=1e-5)
    assert score.logprob != pytest.approx(alone[-1], abs=1e-3)


def test_batches_hold_as_many_tokens_as_allowed():
    rows = [Row(np.zeros(n + 1, np.int64), 1) for n in (8, 8, 4, 4, 2, 8)]
    assert [len(batch) for batch in batches(rows, 16)] == [2, 3, 1]
    assert [len(batch) for batch in batches(rows, 1)] == [1] * 6
    assert [len(batch) for batch in batches(rows, 100, most=4)] == [4, 2]
    assert [*batches([], 16)] == []


def test_an_id_beyond_the_vocabulary_and_weights_that_are_no_numbers_are_told():
    with pytest.raises(DataError, match="there is id 26"):
        [*Scorer(tiny_gpt()).stream([Row(np.array([1, 26]), 1)])]
    model = tiny_gpt()
    model.norm.weight.data[0] = float("nan")
    with pytest.raises(CheckpointError, match="no numbers"):
        [*Scorer(model).stream([Row(np.array([1, 2]), 1)])]
