"""Fine-tuning twice with the same weights and the same batches: by our trainer, and by a plain loop
over transformers' model.

    python tests/chat_parity.py CHATS.jsonl [STEPS]      prints both curves
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from gpt2_weights import from_gpt2
from llama_weights import from_llama
from tiny import Recorder
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from yocto.chat.roles import ROLE_TOKENS
from yocto.checkpoint import Run
from yocto.commands.conversations import open_chats
from yocto.config import FinetuneConfig, GPTConfig
from yocto.dataset.batches import IGNORED, Batch
from yocto.dataset.chats import read_chats
from yocto.dataset.packed import Conversations
from yocto.model.gpt import GPT
from yocto.tokenizer.base import BaseTokenizer
from yocto.tokenizer.bpe_train import BPETrainer
from yocto.training.chats import ChatLessons
from yocto.training.trainer import Trainer

KINDS = {"llama": (LlamaConfig, LlamaForCausalLM), "qwen3": (Qwen3Config, Qwen3ForCausalLM)}


class AloneLessons(ChatLessons):
    """The same conversations, each in a window of its own."""

    def batches(self) -> Any:
        return _Alone(self.train, self.block_size, self.config.batch_size, self.start)


class _Alone:
    epoch_tokens = 0

    def __init__(self, train: Conversations, block_size: int, batch_size: int, start: int) -> None:
        self.train, self.sizes, self.at = train, (block_size, start), 0
        self.batch_size = batch_size

    def next(self) -> Batch:
        windows = [[(self.at + i) % len(self.train)] for i in range(self.batch_size)]
        self.at += self.batch_size
        return self.train.fill(windows, *self.sizes)


def models(family: str, shape: dict[str, int], vocab_size: int) -> tuple[GPT, torch.nn.Module]:
    """Two models with the same weights, ours and theirs."""
    torch.manual_seed(5)
    V, T, C, L, H = vocab_size, *(shape[n] for n in ("block_size", "n_embd", "n_layer", "n_head"))
    common = {"bos_token_id": 0, "eos_token_id": 0, "tie_word_embeddings": family == "gpt2"}
    if family == "gpt2":
        theirs: Any = GPT2LMHeadModel(
            GPT2Config(
                vocab_size=V, n_positions=T, n_embd=C, n_layer=L, n_head=H, resid_pdrop=0.0,
                embd_pdrop=0.0, attn_pdrop=0.0, layer_norm_epsilon=1e-6, **common,
            )
        )  # fmt: skip
        weights = from_gpt2(theirs.state_dict())
    else:
        config, kind = KINDS[family]
        theirs = kind(
            config(
                vocab_size=V, max_position_embeddings=T, hidden_size=C, num_hidden_layers=L,
                num_attention_heads=H, num_key_value_heads=H, head_dim=C // H,
                intermediate_size=3 * C, rms_norm_eps=1e-6, **common,
                rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
            )
        )  # fmt: skip
        weights = from_llama(theirs.state_dict())
    inner = {} if family == "gpt2" else {"n_inner": 3 * C}
    ours = GPT(GPTConfig(family=family, vocab_size=V, **shape, **inner))
    ours.load_state_dict(weights)
    return ours, theirs


def our_curve(trainer: Trainer, steps: int) -> list[float]:
    """The loss of each step of our trainer."""
    losses, step = [], trainer.engine.step

    def noted(*arguments: Any) -> Any:
        result = step(*arguments)
        losses.append(float(result[0]))
        return result

    trainer.engine.step = noted  # type: ignore[method-assign]
    for _ in range(steps):
        trainer.train_step()
    return losses


def their_curve(
    model: torch.nn.Module, batches: Iterator[Batch], config: FinetuneConfig, start: int
) -> Iterator[float]:
    """The loss of each step of a plain loop."""
    model.train()
    named = [(n, p) for n, p in model.named_parameters()]
    embeddings = ("embed_tokens", "wte", "wpe")  # GPT-2's head is its embedding
    decays = [p for n, p in named if p.dim() == 2 and not any(e in n for e in embeddings)]
    rest = [p for n, p in named if not any(p is d for d in decays)]
    optimizer = torch.optim.AdamW(
        [{"params": decays, "weight_decay": config.weight_decay},
         {"params": rest, "weight_decay": 0.0}],
        config.learning_rate, (config.beta1, config.beta2),
    )  # fmt: skip
    for step, (idx, targets) in enumerate(batches):
        rate = config.learning_rate * linear(step, config)
        for group in optimizer.param_groups:
            group["lr"] = rate
        segments = (idx == start).cumsum(1)
        seen = (segments[:, :, None] == segments[:, None, :]).tril()[:, None]  # (B, 1, T, T)
        mask = torch.zeros(seen.shape).masked_fill(~seen, -math.inf)
        logits = model(input_ids=idx, attention_mask=mask).logits
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.grad_clip)
        optimizer.step()
        optimizer.zero_grad()
        yield loss.item()


def linear(step: int, config: FinetuneConfig) -> float:
    """A warm-up, the peak, and a straight fall over the last 70% of the steps."""
    if step < config.warmup_iters:
        return (step + 1) / (config.warmup_iters + 1)
    return min(1.0, (config.max_iters - step) / (0.7 * config.max_iters))


def tokenizer_of(chats: Path, vocab_size: int) -> BaseTokenizer:
    found = [c for c in read_chats([str(chats)]) if not isinstance(c, Exception)]
    texts = [turn.text for chat in found[:200] for turn in chat.turns]
    return BPETrainer(vocab_size=vocab_size).train(texts).with_special_tokens(ROLE_TOKENS)


def curves(
    chats: Path, family: str, alone: bool, steps: int, shape: dict[str, int], vocab_size: int,
    **knobs: Any,
) -> tuple[list[float], list[float]]:  # fmt: skip
    """Our losses and theirs, step by step."""
    config = FinetuneConfig(data=(str(chats),), max_iters=steps, device="cpu", **knobs)
    tokenizer = tokenizer_of(chats, vocab_size)
    found = open_chats(config, tokenizer, shape["block_size"], Recorder())
    start = tokenizer.end_id
    assert start is not None
    kind = AloneLessons if alone else ChatLessons
    lessons = kind(config, found.train, found.val, 1, 2, shape["block_size"], start)
    ours, theirs = models(family, shape, tokenizer.vocab_size)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(ours, config, lessons, tokenizer, Run(Path(folder)), Recorder())
        one = our_curve(trainer, steps)
    batches = lessons.batches()
    other = list(their_curve(theirs, (batches.next() for _ in range(steps)), config, start))
    return one, other


def main(chats: str, steps: str = "100") -> None:
    shape = {"n_layer": 2, "n_head": 4, "n_embd": 64, "block_size": 256}
    print("family  windows  " + "  ".join(f"{s:>13}" for s in (1, 10, 25, 50, 75, 100)), " worst")
    for family in ("qwen3", "llama", "gpt2"):
        for alone in (False, True):
            one, other = curves(
                Path(chats),
                family,
                alone,
                int(steps),
                shape,
                2000,
                batch_size=4,
                learning_rate=1e-3,
            )
            worst = max(abs(a / b - 1) for a, b in zip(one, other, strict=True))
            marks = [s for s in (1, 10, 25, 50, 75, 100) if s <= len(one)]
            row = "  ".join(f"{one[s - 1]:.4f}/{other[s - 1]:.4f}" for s in marks)
            print(f"{family:6}  {'alone' if alone else 'packed':7}  {row}  {worst:.1e}", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(*sys.argv[1:])
