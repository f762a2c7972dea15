"""The memory that a run is said to take is what it takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import tiny_config, tiny_gpt, train_config

from yocto.config import GPTConfig
from yocto.model.gpt import GPT
from yocto.training.memory import (
    kept_by_block,
    kept_by_pass,
    optimizer_states,
    training_memory,
    update_intermediates,
)
from yocto.training.optimizer import make_optimizers

WORKER = Path(__file__).parents[1] / "memory_worker.py"


# --------------------------------------------------------------------------- counted and compared


def numbers_kept(config: GPTConfig, batch: int) -> float:
    """Numbers a token that a block keeps for its backward pass, asked of autograd."""
    model = GPT(config).train()
    own = [*model.parameters(), *model.buffers()]
    always = {x.untyped_storage().data_ptr() for x in own}
    kept: dict[int, torch.Tensor] = {}

    def keep(x: torch.Tensor) -> torch.Tensor:
        if x.untyped_storage().data_ptr() not in always:
            kept[x.untyped_storage().data_ptr()] = x  # held, so that no other gets its place
        return x

    T = config.block_size
    x = torch.randn(batch, T, config.n_embd, requires_grad=True) + 0
    rope = config.position == "rope"
    rotary = (model.get_buffer("cos"), model.get_buffer("sin")) if rope else None
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        model.blocks[0](x, rotary, None, None)
    return sum(x.untyped_storage().nbytes() for x in kept.values()) / 4 / (batch * T)


@pytest.mark.parametrize("family", ["gpt2", "llama", "qwen3"])
@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_what_a_block_keeps_is_counted_to_the_number(family: str, dropout: float) -> None:
    for mlp, norm, qk_norm, kv in product(
        ("gelu", "relu2", "swiglu"), ("layernorm", "rmsnorm"), (True, False), (4, 2)
    ):
        config = tiny_config(
            family=family, dropout=dropout, mlp=mlp, norm=norm, qk_norm=qk_norm, n_head=4,
            n_kv_head=kv, n_embd=48, block_size=24,
        )  # fmt: skip
        assert numbers_kept(config, batch=2) == kept_by_block(config), config


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("family", ["gpt2", "llama", "qwen3"])
def test_what_the_optimizers_keep_is_counted_to_the_number(family: str, optimizer: str) -> None:
    model = tiny_gpt(family=family, n_head=4, n_kv_head=2)
    config = train_config(optimizer=optimizer)
    optimizers = make_optimizers(model, config)
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    numbers = 0
    for each in optimizers:
        each.step()
        states = [state for kept in each.state.values() for state in kept.values()]
        numbers += sum(x.numel() for x in states if x.dim())
    assert optimizer_states(model.config, config) == numbers


def test_an_update_by_muon_takes_memory_and_one_by_adamw_none() -> None:
    model = tiny_config()
    assert update_intermediates(model, train_config(optimizer="adamw")) == 0
    # two blocks of swiglu: six matrices (16, 48), and eight (16, 16)
    wide, square = 6 * 16 * 48, 6 * 16 * 16
    expected = max(2 * wide + 5 * square, 3 * wide + 3 * square, 7 * 8 * 16 * 16)
    assert update_intermediates(model, train_config(optimizer="muon")) == expected


def test_recomputation_keeps_less_the_deeper_a_model_is() -> None:
    deep, plain = tiny_config(n_layer=12), train_config()
    recomputed = train_config(activation_checkpointing=True)
    assert kept_by_pass(deep, recomputed) < kept_by_pass(deep, plain) / 6
    assert training_memory(deep, recomputed) < training_memory(deep, plain)


def test_memory_grows_with_the_batch_and_a_larger_one_takes_more_than_more_passes() -> None:
    model = tiny_config(n_layer=2, block_size=64, n_embd=64)
    one, two, four = (training_memory(model, train_config(batch_size=b)) for b in (64, 128, 256))
    assert four - two == 2 * (two - one) > 0
    passes = train_config(batch_size=128, gradient_accumulation_steps=2)
    assert two < training_memory(model, passes) < four


def test_keeping_documents_apart_takes_one_mask_for_all_blocks() -> None:
    def mask(block_size: int, layers: int) -> float:
        model = tiny_config(block_size=block_size, n_layer=layers)
        apart, plain = train_config(respect_documents=True), train_config()
        return kept_by_pass(model, apart) - kept_by_pass(model, plain)

    assert mask(8, 1) == mask(8, 3) == 4 * 8 * 8
    assert mask(16, 1) == 4 * mask(8, 1)


# --------------------------------------------------------------------------------------- measured


def measured_and_told(**settings: Any) -> tuple[int, int]:
    if not os.access("/proc/self/clear_refs", os.W_OK):
        pytest.skip("this system does not measure the most memory that a process has had")
    result = subprocess.run(
        [sys.executable, str(WORKER), json.dumps(settings)],
        capture_output=True, text=True, check=True,
        env={**os.environ, "OMP_NUM_THREADS": str(settings.get("threads", 1))},
    )  # fmt: skip
    measured, told = json.loads(result.stdout)
    return measured, told


SMALL = {"n_layer": 4, "n_head": 4, "n_embd": 128, "block_size": 64, "batch_size": 12}
QUICK: dict[str, dict[str, Any]] = {
    "the smallest": {"n_layer": 2, "n_head": 2, "n_embd": 32, "block_size": 16, "batch_size": 4},
    "qwen3 with Muon": SMALL,
    "gpt2 with AdamW": {**SMALL, "family": "gpt2", "optimizer": "adamw"},
    "many tokens": {**SMALL, "vocab_size": 32000, "steps": 3},
    "recomputed": {**SMALL, "batch_size": 32, "activation_checkpointing": True, "steps": 2},
    "in passes": {**SMALL, "gradient_accumulation_steps": 3, "n_kv_head": 2, "steps": 4},
}
MEDIUM = {"n_layer": 4, "n_head": 4, "n_embd": 256, "block_size": 256, "batch_size": 8, "steps": 4}
DEEP = {**MEDIUM, "n_layer": 8, "block_size": 512, "batch_size": 4, "vocab_size": 8000}
LARGE = {**MEDIUM, "n_layer": 8, "n_head": 8, "n_embd": 512, "batch_size": 4, "vocab_size": 8000}
MANY = {**SMALL, "vocab_size": 50257}
SLOW: dict[str, dict[str, Any]] = {
    "llama on two threads": {**SMALL, "family": "llama", "threads": 2},
    "8000 tokens": {**SMALL, "vocab_size": 8000, "block_size": 128, "batch_size": 4},
    "50257 tokens": MANY,
    "50257 tokens, untied": {**MANY, "tie_weights": False},
    "50257 tokens in passes": {**MANY, "gradient_accumulation_steps": 4, "batch_size": 4},
    "long batches": {**MEDIUM, "batch_size": 16},
    "gpt2, long batches": {**MEDIUM, "batch_size": 16, "family": "gpt2"},
    "gpt2 with dropout": {**MEDIUM, "family": "gpt2", "dropout": 0.1},
    "qwen3 with dropout": {**MEDIUM, "dropout": 0.1},
    "qwen3, recomputed": {**MEDIUM, "activation_checkpointing": True},
    "llama, recomputed": {
        **MEDIUM, "family": "llama", "dropout": 0.1, "activation_checkpointing": True,
    },
    "documents apart": {**MEDIUM, "respect_documents": True},
    "few key heads": {**MEDIUM, "n_kv_head": 2},
    "relu2": {**MEDIUM, "mlp": "relu2"},
    "in passes, medium": {**MEDIUM, "gradient_accumulation_steps": 4, "steps": 3},
    "eight blocks": DEEP,
    "eight blocks of gpt2": {**DEEP, "family": "gpt2", "optimizer": "adamw"},
    "eight blocks of llama": {**DEEP, "family": "llama", "threads": 2},
    "30M": LARGE,
    "30M of gpt2": {**LARGE, "family": "gpt2", "optimizer": "adamw"},
    "60M": {**LARGE, "n_layer": 12, "n_head": 10, "n_embd": 640, "batch_size": 2},
    "60M with AdamW": {
        **LARGE, "n_layer": 12, "n_head": 10, "n_embd": 640, "batch_size": 2, "optimizer": "adamw",
    },
    "58M of llama": {**LARGE, "family": "llama", "batch_size": 2, "vocab_size": 32000},
    "windows of 1024": {
        **MEDIUM, "n_layer": 3, "family": "gpt2", "block_size": 1024, "batch_size": 16, "steps": 2,
    },
    "windows of 1024, recomputed": {
        **MEDIUM, "n_layer": 3, "block_size": 1024, "batch_size": 16, "vocab_size": 8000,
        "activation_checkpointing": True, "steps": 2,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", QUICK)
def test_the_memory_told_is_near_what_a_small_run_takes(name: str) -> None:
    measured, told = measured_and_told(**QUICK[name])
    assert told == pytest.approx(measured, rel=0.25)


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_the_memory_told_is_near_what_a_run_takes(name: str) -> None:
    measured, told = measured_and_told(**SLOW[name])
    assert told == pytest.approx(measured, rel=0.2)
