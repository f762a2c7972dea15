"""Who trains: both loops against each other, and the loss that both are judged by."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from gpt2_weights import from_gpt2
from tiny import tiny_corpus

from yocto.bench.job import Unfit
from yocto.bench.learners import Learner, Transformers, Yocto, flops_per_token
from yocto.bench.recipes import GPT2_ADAMW, LONG, NANOGPT, SHORT, described, settings_of
from yocto.bench.training_job import TrainingJob
from yocto.config import TrainConfig, knobs
from yocto.model.gpt import GPT

TINY = {"n_layer": 2, "n_head": 2, "n_embd": 16, "block_size": 8, "batch_size": 3}
# A rate at which each part of the loop shows within a few steps.
QUICK = {**GPT2_ADAMW, **TINY, "learning_rate": 0.03, "warmup_iters": 2, "max_iters": 8}


def job(folder: Path, recipe: dict[str, Any], engine: str = "yocto", seed: int = 1) -> TrainingJob:
    corpus = tiny_corpus(train=300, val=77)
    np.save(folder / "train.npy", corpus.train)
    np.save(folder / "val.npy", corpus.val)
    settings = settings_of(recipe, seed).to_dict()
    return TrainingJob("learn", engine, 1, None, str(folder), 26, settings)


def test_with_the_same_first_weights_both_loops_have_the_same_losses(tmp_path: Path) -> None:
    recipe = {**QUICK, "grad_clip": 0.3, "weight_decay": 1.0}  # both matter in each step
    ours = Yocto(job(tmp_path, recipe))
    theirs = Transformers(job(tmp_path, recipe, "transformers"))
    ours.model.load_state_dict(from_gpt2(theirs.model.state_dict()))
    losses = []
    for _ in range(8):
        losses.append(ours.loss())
        assert losses[-1] == pytest.approx(theirs.loss(), abs=1e-4)
        ours.step()
        theirs.step()
    assert losses[-1] < losses[0] - 0.3  # and something was learnt
    assert ours.done == theirs.done == 8


def test_both_draw_the_same_batches_and_another_seed_draws_others(tmp_path: Path) -> None:
    ours = Yocto(job(tmp_path, NANOGPT))
    theirs = Transformers(job(tmp_path, NANOGPT, "transformers"))
    others = Yocto(job(tmp_path, NANOGPT, seed=2))
    same, different = [], []
    for _ in range(5):
        idx, targets = ours.trainer.batches.next()
        same += [
            torch.equal(a, b) for a, b in zip((idx, targets), theirs.batches.next(), strict=True)
        ]
        different.append(torch.equal(idx, others.trainer.batches.next()[0]))
        assert idx.shape == (12, 64)
    assert all(same)
    assert not any(different)


@pytest.mark.parametrize("engine", [Yocto, Transformers])
def test_the_loss_is_that_of_every_token_in_windows_side_by_side(
    tmp_path: Path, engine: type[Learner]
) -> None:
    learner = engine(job(tmp_path, QUICK))
    for _ in range(3):
        learner.step()
    val = torch.from_numpy(np.load(tmp_path / "val.npy").astype(np.int64))
    assert len(val) == 77  # nine windows of eight, and four tokens more
    losses = []
    with torch.no_grad():
        for start in range(0, len(val) - 1, 8):
            window = val[start : start + 9]
            logits = learner.logits(window[None, :-1])[0]
            losses += F.cross_entropy(logits, window[1:], reduction="none").tolist()
    assert len(losses) == 76
    assert learner.loss() == pytest.approx(sum(losses) / 76, abs=1e-5)
    assert learner.model.training


def test_a_loss_that_is_no_number_ends_it_with_a_reason(tmp_path: Path) -> None:
    learner = Yocto(job(tmp_path, QUICK))
    learner.step()
    with torch.no_grad():
        next(learner.model.parameters()).fill_(math.nan)
    with pytest.raises(Unfit, match="its loss is nan at step 1"):
        learner.loss()


def test_transformers_is_measured_as_a_gpt2_only(tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="GPT-2"):
        Transformers(job(tmp_path, {**QUICK, "family": "llama"}))


def test_a_token_costs_six_operations_a_weight_and_twelve_a_position_it_may_see(
    tmp_path: Path,
) -> None:
    ours, theirs = Yocto(job(tmp_path, QUICK)), Transformers(job(tmp_path, QUICK))
    # Embedding, two blocks of 12 C² + 13 C, the last norm; without the 8 positions.
    weights = 26 * 16 + 2 * (12 * 16**2 + 13 * 16) + 2 * 16
    for learner in (ours, theirs):
        assert learner.parameters == weights + 8 * 16
        assert flops_per_token(learner) == 6 * weights + 12 * 2 * 16 * 8
        assert learner.tokens == 24


# ---------------------------------------------------------------------------------------- recipes


def test_the_baseline_is_nanogpts_published_recipe() -> None:
    c = settings_of(NANOGPT, 1)
    assert (c.n_layer, c.n_head, c.n_embd, c.block_size, c.dropout) == (4, 4, 128, 64, 0.0)
    assert (c.batch_size, c.max_iters, c.gradient_accumulation_steps) == (12, 2000, 1)
    assert (c.learning_rate, c.min_lr, c.warmup_iters) == (1e-3, 1e-4, 100)
    assert (c.weight_decay, c.beta1, c.beta2, c.grad_clip) == (0.1, 0.9, 0.99, 1.0)
    assert (c.family, c.bias, c.device, c.dtype) == ("gpt2", False, "cpu", "float32")


def test_the_rate_of_the_baseline_is_nanogpts_get_lr(tmp_path: Path) -> None:
    learner = Yocto(job(tmp_path, {**NANOGPT, **TINY, "max_iters": 20, "warmup_iters": 4}))
    for step in range(20):
        learner.step()
        expected = 1e-3 * (step + 1) / 5
        if step >= 4:
            expected = 1e-4 + 0.5 * (1 + math.cos(math.pi * (step - 4) / 16)) * 9e-4
        for group in learner.trainer.engine.optimizers[0].param_groups:
            assert group["lr"] == pytest.approx(expected)


@pytest.mark.parametrize("recipe", [SHORT, LONG, NANOGPT])
def test_a_recipe_has_a_model_of_at_most_830_000_weights(recipe: dict[str, Any]) -> None:
    known = {f.name for f in knobs(TrainConfig)}
    assert set(recipe) <= known
    shape = TrainingJob("learn", "yocto", 1, None, "", 65, settings_of(recipe, 1).to_dict())
    assert GPT(shape.model_config).num_parameters() <= 830_000
    assert shape.config.block_size == 64


def test_a_recipe_can_be_made_shorter_but_not_empty() -> None:
    half, least = settings_of(NANOGPT, 7, 0.5), settings_of(NANOGPT, 7, 0.0001)
    assert (half.max_iters, half.warmup_iters, half.seed) == (1000, 50, 7)
    assert (least.max_iters, least.warmup_iters) == (1, 1)


def test_settings_are_told_in_words_that_python_reads() -> None:
    config = settings_of(NANOGPT, 5)
    assert eval(described(config), {"TrainConfig": TrainConfig}) == config
    assert "bias=False" in described(config)
    assert "grad_clip" not in described(config)  # 1.0 is the default
