"""What an evaluation should find, one sequence at a time, with all logits in float64."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import torch
from tiny import WORDS

from yocto.model.gpt import GPT


@torch.no_grad()
def token_logprobs(model: GPT, ids: Sequence[int]) -> tuple[list[float], list[int]]:
    """Of ids[1:] the log-probabilities, each from all before it, and the likeliest tokens there."""
    logits = model(torch.tensor([list(ids[:-1])]))[0].double()
    logprobs = torch.log_softmax(logits, dim=1)
    targets = list(ids[1:])
    return [float(logprobs[i, t]) for i, t in enumerate(targets)], logits.argmax(1).tolist()


def continuation(model: GPT, tokenizer: Any, context: str, text: str) -> tuple[float, bool, int]:
    """Log-likelihood of a text behind a context, whether it is the greedy one, and its tokens."""
    before = tokenizer.encode(context, allowed_special="none")
    ids = tokenizer.encode(context + text, allowed_special="none")
    begin = 0
    while begin < len(before) and ids[begin] == before[begin]:
        begin += 1
    cut = max(0, len(ids) - 1 - model.config.block_size)  # from the left
    logprobs, likeliest = token_logprobs(model, ids[cut:])
    count = len(ids) - begin
    return sum(logprobs[-count:]), likeliest[-count:] == ids[begin:], count


def sentence(rng: random.Random, low: int = 3, high: int = 8) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(low, high)))


def hellaswag_rows(count: int) -> list[dict[str, Any]]:
    rng = random.Random(1)
    rows = []
    for i in range(count):
        label: Any = rng.randrange(4)
        endings = [sentence(rng, 1, 6) + "." for _ in range(4)]
        if i % 10 == 0:
            endings[3] = endings[1]  # a tie
        rows.append({"ind": i, "ctx": sentence(rng, 2, 16), "endings": endings,
                     "label": str(label) if i % 2 else label})  # fmt: skip
    return rows


def lambada_rows(count: int) -> list[dict[str, Any]]:
    rng = random.Random(2)
    return [{"text": sentence(rng, 4, 20)} for _ in range(count)]


def blimp_rows(count: int) -> list[dict[str, Any]]:
    rng = random.Random(3)
    rows = []
    for i in range(count):
        good = sentence(rng)
        bad = good if i % 20 == 0 else " ".join(reversed(good.split()))
        rows.append({"sentence_good": good, "sentence_bad": bad, "UID": "order", "pairID": str(i)})
    return rows
