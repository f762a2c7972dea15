"""bench eval, in miniature: what is shown and what is refused, not how quick it is."""

from __future__ import annotations

import json
import math
import re

import pytest

from yocto.bench import evaluating
from yocto.bench.decoders import random_model
from yocto.config import BenchEvalConfig, GPTConfig
from yocto.utils.progress import SilentProgress

SMALL = (
    "--n-layer", "1", "--n-head", "1", "--n-embd", "8", "--block-size", "16", "--vocab-size", "50",
    "--batch-size", "2", "--batches", "3", "--rounds", "2",
)  # fmt: skip


def test_the_table_has_a_row_for_each_side_and_fits_80_columns(yocto) -> None:
    result = yocto("bench", "eval", *SMALL)
    assert result.exit_code == 0, result.stderr
    assert all(len(line) <= 80 for line in result.stdout.splitlines())
    assert "n_layer 1, n_head 1, n_embd 8, block_size 16, vocab_size 50" in result.stdout
    assert "96 tokens, 2 windows at a time" in result.stdout
    rows = re.findall(r"^(\S.*?)  +([\d.,]+) +([\d.]+) +([\d.]+|–)$", result.stdout, re.M)
    assert [row[0] for row in rows] == ["yocto", "forward pass", "forward pass, loss"]
    assert rows[1][2:] == ("1.00", "–")


def test_json_has_everything_and_the_losses_agree(yocto) -> None:
    told = json.loads(yocto("bench", "eval", *SMALL, "--family", "llama", "--json").stdout)
    assert told["shape"]["family"] == "llama"
    assert (told["tokens"], told["batch_size"], told["rounds"], told["threads"]) == (96, 2, 2, 1)
    assert set(told["machine"]) == {"cpu", "cores", "system", "python"}
    ours, bare, whole = told["rows"]
    assert ours["loss"] == pytest.approx(whole["loss"], rel=1e-6)
    assert bare["loss"] is None
    assert all(row["tokens_per_second"] > 0 and row["call"] for row in told["rows"])


def test_a_ratio_is_taken_round_by_round(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = {"yocto": [2.0, 8.0], "forward pass": [1.0, 4.0], "forward pass, loss": [4.0, 16.0]}
    monkeypatch.setattr(evaluating, "_turns", lambda *rest: taken)
    config = BenchEvalConfig(n_layer=1, n_head=1, n_embd=8, block_size=8, vocab_size=9, batches=1)
    found = evaluating.bench_evaluation(config, SilentProgress())
    assert [row.ratio for row in found.rows] == [0.5, 1, 0.25]
    assert found.rows[0].tokens_per_second == 8 * 8 / 5


def test_all_sides_read_the_same_tokens() -> None:
    shape = GPTConfig(n_layer=1, n_head=1, n_embd=8, block_size=8, vocab_size=9)
    ours, forward, whole = evaluating.sides_of(random_model(shape), 2, 2).values()
    assert ours() == pytest.approx(whole(), rel=1e-6)
    assert ours() > 0.1 * 32 * math.log(9)
    assert forward() == 0


def test_a_shape_that_cannot_be_is_refused(yocto) -> None:
    result = yocto("bench", "eval", *SMALL, "--n-embd", "10", "--n-head", "4")
    assert result.exit_code == 2, result.output
    assert "n_embd 10 is not a multiple of n_head 4" in result.stderr
