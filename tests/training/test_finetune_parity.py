"""Fine-tuning follows a plain loop over transformers' model, step by step."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch
from chat_parity import curves, models
from tiny import Recorder

from yocto.chat.roles import ROLE_TOKENS
from yocto.commands.conversations import open_chats
from yocto.config import FinetuneConfig
from yocto.tokenizer.char import CharTokenizer
from yocto.training.chats import ChatLessons
from yocto.training.loss import LanguageModelLoss

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


# A conversation token by token, and the labels as transformers takes them: what is learnt stands at
# its own place, -100 elsewhere; it is the model that shifts them.
SAID = [
    ("<|endoftext|>", False), ("<|user|>", False), ("a", False), ("b", False), ("<|end|>", False),
    ("<|assistant|>", False), ("c", True), ("d", True), ("a", True), ("<|end|>", True),
    ("<|user|>", False), ("d", False), ("<|end|>", False),
    ("<|assistant|>", False), ("b", True), ("<|end|>", True),
]  # fmt: skip


@pytest.mark.parametrize("family", ["qwen3", "llama", "gpt2"])
def test_what_is_learnt_is_what_labels_written_by_hand_say(tmp_path: Path, family: str) -> None:
    tokenizer = CharTokenizer("abcd").with_special_tokens(ROLE_TOKENS)
    turns = [("user", "ab"), ("assistant", "cda"), ("user", "d"), ("assistant", "b")]
    messages = [{"role": role, "content": text} for role, text in turns]
    (tmp_path / "a.jsonl").write_text(json.dumps({"messages": messages}), encoding="utf-8")
    config = FinetuneConfig(data=(str(tmp_path / "a.jsonl"),), batch_size=1)
    chats = open_chats(config, tokenizer, SHAPE["block_size"], Recorder())
    start = tokenizer.end_id
    assert start is not None
    lessons = ChatLessons(config, chats.train, chats.val, 1, 2, SHAPE["block_size"], start)
    ours, theirs = models(family, SHAPE, tokenizer.vocab_size)
    loss = LanguageModelLoss(ours, start)(*lessons.batches().next())
    known = {**tokenizer.special_tokens, "a": 0, "b": 1, "c": 2, "d": 3}
    ids = torch.tensor([[known[token] for token, _ in SAID]])
    labels = torch.tensor([[known[token] if learnt else -100 for token, learnt in SAID]])
    expected = theirs.train()(input_ids=ids, labels=labels).loss
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    loss.backward()
    expected.backward()
    norms = [torch.nn.utils.get_total_norm([p.grad for p in model.parameters()])
             for model in (ours, theirs)]  # fmt: skip
    assert norms[0].item() == pytest.approx(norms[1].item(), rel=1e-4)
