"""Bits per byte, and metrics.jsonl."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from yocto.training.metrics import MetricsFile, bits_per_byte


def test_bits_per_byte_is_the_loss_in_bits_times_tokens_per_byte() -> None:
    # 100 tokens of 2 bits each over 400 bytes of text
    assert bits_per_byte(2 * math.log(2), 100, 400) == pytest.approx(0.5)


def test_guessing_bytes_blindly_takes_eight_bits_per_byte() -> None:
    assert bits_per_byte(math.log(256), 1000, 1000) == pytest.approx(8.0)


def test_bits_per_byte_of_no_text_are_not_a_number() -> None:
    assert math.isnan(bits_per_byte(1.0, 5, 0))


def test_lines_are_added_and_read_back(tmp_path: Path) -> None:
    metrics = MetricsFile(tmp_path / "metrics.jsonl")
    assert metrics.read() == []
    metrics.write(step=1, train_loss=2.5)
    metrics.write(step=2, train_loss=1.5, val_loss=None)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == metrics.read()
    assert metrics.read()[1] == {"step": 2, "train_loss": 1.5, "val_loss": None}


def test_a_line_that_a_kill_left_unfinished_is_passed_over(tmp_path: Path) -> None:
    metrics = MetricsFile(tmp_path / "metrics.jsonl")
    metrics.write(step=1, train_loss=2.5)
    with metrics.path.open("a") as file:
        file.write('{"step": 2, "tra')
    assert [line["step"] for line in metrics.read()] == [1]
    metrics.rewind(1)
    metrics.write(step=2, train_loss=1.0)
    assert [line["step"] for line in metrics.read()] == [1, 2]


def test_rewind_drops_later_lines_and_the_evaluation_that_is_made_again(tmp_path: Path) -> None:
    metrics = MetricsFile(tmp_path / "metrics.jsonl")
    for step in (10, 20, 30):
        metrics.write(step=step, train_loss=1.0)
        metrics.write(step=step, train_loss=1.0, val_loss=2.0)
    metrics.rewind(20)
    assert [(line["step"], "val_loss" in line) for line in metrics.read()] == [
        (10, False), (10, True), (20, False),
    ]  # fmt: skip


def test_rewind_makes_no_file(tmp_path: Path) -> None:
    MetricsFile(tmp_path / "metrics.jsonl").rewind(5)
    assert list(tmp_path.iterdir()) == []
