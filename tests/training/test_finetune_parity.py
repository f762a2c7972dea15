"""Fine-tuning follows a plain loop over transformers' model, step by step."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from chat_parity import curves

SHAPE = {"n_layer": 2, "n_head": 2, "n_embd": 32, "block_size": 96}
PLACES, THINGS = ("San Jose", "Palo Alto", "Fresno"), ("a table", "a room", "a ride", "two seats")


def write_chats(path: Path, count: int) -> None:
    """Conversations like those of SGD: somebody wants something somewhere."""
    rng = random.Random(4)
    with path.open("w", encoding="utf-8") as file:
        for i in range(count):
            place, thing, number = rng.choice(PLACES), rng.choice(THINGS), rng.randint(2, 12)
            said = [
                f"I want {thing} in {place}.", f"For when shall I book {thing}?",
                f"At {number} o'clock.", f"You have {thing} in {place} at {number} o'clock.",
                "Thanks.", "Have a great day.",
            ][: rng.choice((2, 4, 6))]  # fmt: skip
            turns = [{"role": ("user", "assistant")[k % 2], "content": text}
                     for k, text in enumerate(said)]  # fmt: skip
            file.write(json.dumps({"id": f"1_{i:05}", "messages": turns}) + "\n")


@pytest.mark.parametrize("alone", [False, True], ids=["packed", "alone"])
@pytest.mark.parametrize("family", ["qwen3", "llama", "gpt2"])
def test_the_masked_loss_follows_transformers(tmp_path: Path, family: str, alone: bool) -> None:
    write_chats(tmp_path / "chats.jsonl", 60)
    ours, theirs = curves(
        tmp_path / "chats.jsonl", family, alone, 100, SHAPE, 300, batch_size=2, learning_rate=3e-3
    )
    assert theirs[-1] < 0.5 * theirs[0]  # something is learnt
    for step, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        assert one == pytest.approx(other, rel=0.01), f"step {step}"
