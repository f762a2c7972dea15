"""Several processes train as one does: the same losses, the same checkpoints."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from parallel_worker import learn
from safetensors.torch import load_file
from tiny import train_config

from yocto.checkpoint import Run
from yocto.errors import ConfigError
from yocto.training.parallel import check_portions, portion
from yocto.training.world import World

TESTS = Path(__file__).parents[1]
STEPS = {"max_iters": 50, "eval_interval": 25, "schedule": "constant", "learning_rate": 2e-3}
# What differs between runs; each is trained by one process, and by several in both ways.
KINDS: dict[str, dict[str, Any]] = {
    "qwen3": {},
    "gpt2, tied, adamw": {"family": "gpt2", "optimizer": "adamw"},
    "whole batches for each": {"gradient_accumulation_steps": 6},
    "rows of each of some batches": {"gradient_accumulation_steps": 5, "batch_size": 3},
    "matrices that can't be cut evenly": {"n_inner": 41, "n_kv_head": 1, "batch_size": 5},
    "each token once, computed again": {
        "order": "sequential", "activation_checkpointing": True, "block_size": 7,
    },
}  # fmt: skip


def start(size: int, folder: Path) -> list[subprocess.Popen[str]]:
    """Processes as torchrun starts them."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    common = {
        **os.environ, "WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo",
        "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)]),
    }  # fmt: skip
    return [
        subprocess.Popen(
            [sys.executable, "-W", "error::FutureWarning", TESTS / "parallel_worker.py", folder],
            env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE, text=True,
        )
        for rank in range(size)
    ]  # fmt: skip


def train_together(size: int, folder: Path, jobs: dict[str, dict[str, Any]]) -> None:
    (folder / "jobs.json").write_text(json.dumps(jobs))
    processes = start(size, folder)
    told = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * size, "\n".join(told)


def weights(folder: Path, name: str) -> dict[str, torch.Tensor]:
    latest = Run(folder / name).pointer("latest")
    assert latest is not None
    return load_file(latest / "model.safetensors")


def losses(folder: Path, name: str) -> list[float]:
    return json.loads((folder / name / "losses.json").read_text())


def evaluations(folder: Path, name: str) -> list[float]:
    lines = map(json.loads, (folder / name / "metrics.jsonl").read_text().splitlines())
    return [line["val_loss"] for line in lines if "val_loss" in line]


def check_same_training(size: int, folder: Path) -> None:
    """Every kind, alone and together; runs that go on with those of another number."""
    jobs, alone = {}, {}
    for kind, knobs in KINDS.items():
        for parallel in ("ddp", "fsdp"):
            jobs[f"{kind}, {parallel}"] = {**STEPS, **knobs, "parallel": parallel}
        alone[kind] = learn(folder, kind, {**STEPS, **knobs})
    learn(folder, "begun alone", {**STEPS, "max_iters": 20})
    for parallel in ("ddp", "fsdp"):
        jobs[f"begun with {parallel}"] = {**STEPS, "max_iters": 20, "parallel": parallel}
        jobs[f"ended with {parallel}"] = {**STEPS, "begun": "begun alone", "parallel": parallel}
    jobs["ddp, then fsdp"] = {**STEPS, "begun": "begun with ddp", "parallel": "fsdp"}
    dropped = {**STEPS, "dropout": 0.3, "parallel": "ddp"}
    jobs["dropout"] = dropped
    jobs["dropout begun"] = {**dropped, "max_iters": 20}
    jobs["dropout ended"] = {**dropped, "begun": "dropout begun"}
    train_together(size, folder, jobs)
    # As many processes go on, each with its own random numbers. Two do so bit for bit; of three
    # and more, sums are made in another order in the first step of each life.
    expected = losses(folder, "dropout")[20:]
    assert losses(folder, "dropout ended") == (
        expected if size == 2 else pytest.approx(expected, abs=1e-5)
    )
    for kind, expected in alone.items():
        reference = weights(folder, kind)
        for parallel in ("ddp", "fsdp"):
            name = f"{kind}, {parallel}"
            assert len(expected) == 50
            assert losses(folder, name) == pytest.approx(expected, abs=1e-5), name
            assert evaluations(folder, name) == pytest.approx(evaluations(folder, kind), abs=1e-5)
            found = weights(folder, name)
            assert list(found) == list(reference)
            for key, weight in reference.items():
                torch.testing.assert_close(found[key], weight, atol=1e-3, rtol=1e-3, msg=name)
    for parallel in ("ddp", "fsdp"):
        assert losses(folder, f"ended with {parallel}") == pytest.approx(
            alone["qwen3"][20:], abs=1e-5
        )
        begun = {**STEPS, "begun": f"begun with {parallel}"}
        rest = learn(folder, f"{parallel}, then alone", begun)
        assert rest == pytest.approx(alone["qwen3"][20:], abs=1e-5)
    assert losses(folder, "ddp, then fsdp") == pytest.approx(alone["qwen3"][20:], abs=1e-5)


def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    check_same_training(2, tmp_path)


@pytest.mark.slow
def test_three_processes_learn_what_one_does(tmp_path: Path) -> None:
    check_same_training(3, tmp_path)


@pytest.mark.slow
def test_other_formats_and_compilation_are_near(tmp_path: Path) -> None:
    expected = learn(tmp_path, "plain", STEPS)
    settings: list[dict[str, Any]] = [
        {"dtype": "bfloat16"},
        {"dtype": "float16"},
        {"compile": True},
    ]
    jobs = {
        f"{parallel}, {knobs}": {**STEPS, **knobs, "parallel": parallel}
        for knobs in settings for parallel in ("ddp", "fsdp")
    }  # fmt: skip
    train_together(2, tmp_path, jobs)
    for name in jobs:
        assert losses(tmp_path, name) == pytest.approx(expected, abs=0.05), name


# ---------------------------------------------------------------------------------------- portions


@given(st.integers(1, 9), st.integers(1, 6), st.integers(1, 20), st.integers(1, 3))
def test_each_row_goes_to_one_process(size: int, passes: int, rows: int, time: int) -> None:
    numbers = torch.arange(passes * rows * time).view(passes, rows, time)
    batches = [(batch, batch + 1) for batch in numbers]
    shares = [portion(batches, World(rank, size)) for rank in range(size)]
    assert len({len(share) for share in shares}) == 1  # passes, which the processes make together
    found = torch.cat([idx for share in shares for idx, _ in share])
    assert sorted(map(tuple, found.tolist())) == sorted(map(tuple, numbers.flatten(0, 1).tolist()))
    assert all(torch.equal(targets, idx + 1) for share in shares for idx, targets in share)


def test_a_batch_too_small_for_all_is_refused() -> None:
    check_portions(train_config(batch_size=2), World(0, 2))
    check_portions(train_config(batch_size=1, gradient_accumulation_steps=4), World(0, 2))
    with pytest.raises(ConfigError, match="a batch of 1 can't be shared by 2 processes") as raised:
        check_portions(train_config(batch_size=1), World(0, 2))
    assert "--batch-size 2" in str(raised.value.hint)
