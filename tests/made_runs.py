"""Runs put together by hand: a checkpoint of a tiny model, lines of metrics as they are wanted."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tiny import LETTERS, tiny_gpt, train_config

from yocto.checkpoint import Run
from yocto.tokenizer.char import CharTokenizer

CORPUS = "ab" * 64  # the checksums of two splits


def make_run(
    path: Path,
    lines: list[dict[str, Any]] | None = None,
    step: int | None = 12,
    written: float | None = None,
    letters: str = LETTERS,
    corpus: str = CORPUS,
    **knobs: Any,
) -> Run:
    """A run of that folder. step: of its checkpoint, None for none. written: seconds since 1970.
    knobs: its settings, those of its model among them."""
    run = Run(path)
    path.mkdir(parents=True)
    if lines is not None:
        (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if step is not None:
        config = train_config(mode="char", **knobs)
        shape = ("n_layer", "n_head", "n_embd", "block_size", "family")
        model = tiny_gpt(**{name: getattr(config, name) for name in shape})
        trainer = {"step": step, "corpus": corpus, "sha256": "ab" * 32}
        run.save(step, model, CharTokenizer(letters), config.to_dict(), 1, trainer)
    for name in ("latest", "metrics.jsonl"):
        if written is not None and (path / name).exists():
            os.utime(path / name, (written, written))
    return run


def evaluation(step: int, val_loss: float, **values: Any) -> dict[str, Any]:
    """A line of an evaluation, with what every run has noted there."""
    return {
        "step": step, "train_loss": val_loss - 0.1, "val_loss": val_loss,
        "val_bits_per_byte": val_loss / 2, "seconds": step / 10, **values,
    }  # fmt: skip


def training(step: int, **values: Any) -> dict[str, Any]:
    """A line of training, with all that the contract has."""
    return {
        "step": step, "train_loss": 4 / step, "learning_rate": 0.01, "grad_norm": 0.5,
        "tokens": step * 32, "tokens_per_second": 320.0, "utilisation": 0.5, "memory": 10**8,
        "seconds": step / 10, **values,
    }  # fmt: skip
