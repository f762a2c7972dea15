"""Who trains a model, one step a call: yocto's own trainer, and the loop that users of transformers
write.

Both make the same model of the same settings, draw the same batches and are evaluated by the same
code, on every token of the validation split.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from yocto.bench.job import Unfit
from yocto.bench.peers import OURS, TRANSFORMERS
from yocto.bench.training_job import TrainingJob
from yocto.checkpoint import Run
from yocto.dataset.batches import eval_batches
from yocto.model.gpt import GPT
from yocto.tokenizer.char import CharTokenizer
from yocto.training.corpus import Corpus, TextLessons, make_batches
from yocto.training.trainer import Trainer
from yocto.utils.progress import SilentProgress

EVALUATED = 4096  # tokens in one forward pass of an evaluation, at most


class Learner(ABC):
    """One engine with its model, at step 0. Making it imports what it needs.

    name: the package's name. model: what is trained.
    """

    name: ClassVar[str]
    model: nn.Module

    def __init__(self, job: TrainingJob) -> None:
        torch.set_num_threads(job.threads)
        self.job, self.config = job, job.config
        self.corpus = Corpus(job.ids("train"), job.ids("val"), val_bytes=0, documents=1)
        self.done = 0  # steps
        self.prepare()

    @abstractmethod
    def prepare(self) -> None:
        """Make the model, its optimizer and its batches."""

    @abstractmethod
    def update(self) -> None:
        """One optimizer step, its batch included."""

    @abstractmethod
    def logits(self, idx: Tensor) -> Tensor:
        """idx (B, T) -> logits (B, T, V)."""

    def step(self) -> None:
        """Train one step: what is timed."""
        self.update()
        self.done += 1

    @property
    def tokens(self) -> int:
        """Tokens of one step."""
        return self.config.batch_size * self.config.block_size

    @property
    def parameters(self) -> int:
        """Weights, a shared one counted once."""
        return sum(p.numel() for p in self.model.parameters())

    @torch.no_grad()
    def loss(self) -> float:
        """Mean loss over the whole validation split, in nats per token: windows of block_size side
        by side, the last one perhaps shorter. Raises Unfit for a loss that is no number."""
        self.model.eval()
        total, count = 0.0, 0
        block_size = self.config.block_size
        for idx, targets in eval_batches(self.corpus.val, block_size, -(-EVALUATED // block_size)):
            logits = self.logits(idx).flatten(0, 1)  # (B T, V)
            total += F.cross_entropy(logits, targets.flatten(), reduction="sum").item()
            count += targets.numel()
        self.model.train()
        if not math.isfinite(total):
            raise Unfit(f"its loss is {total} at step {self.done}")
        return total / count


class Yocto(Learner):
    """This package: the steps of its trainer, without checkpoints and evaluations of its own."""

    name = OURS

    def prepare(self) -> None:
        """Make what `yocto train` makes; the run's folder stays empty."""
        generator = torch.Generator().manual_seed(self.config.seed)
        model = GPT(self.job.model_config, generator)
        run = Run(Path(self.job.folder) / "run")
        lessons = TextLessons(self.config, self.corpus, self.job.model_config.vocab_size)
        self.trainer = Trainer(
            model, self.config, lessons, CharTokenizer(""), run, SilentProgress()
        )
        self.model = model.train()

    def update(self) -> None:
        """The trainer's own step: what `fit` repeats."""
        self.trainer.train_step()

    def logits(self, idx: Tensor) -> Tensor:
        """The model's."""
        logits: Tensor = self.model(idx)
        return logits


class Transformers(Learner):
    """transformers' GPT-2, with a loop such as its users write for themselves. It always has biases
    in its linear layers and norms, and draws its first weights by GPT-2's rules, as ours does."""

    name = TRANSFORMERS

    def prepare(self) -> None:
        """Make a GPT2LMHeadModel of the same shape. Matrices decay, embeddings don't: as ours."""
        from transformers import GPT2Config, GPT2LMHeadModel

        c, shape = self.config, self.job.model_config
        if c.family != "gpt2":
            raise Unfit("it is measured as a GPT-2 only")
        torch.manual_seed(c.seed)
        self.model = GPT2LMHeadModel(
            GPT2Config(
                vocab_size=shape.vocab_size, n_positions=c.block_size, n_embd=c.n_embd,
                n_layer=c.n_layer, n_head=c.n_head, n_inner=shape.n_inner,
                layer_norm_epsilon=c.norm_eps, activation_function="gelu_new",
                resid_pdrop=c.dropout, embd_pdrop=c.dropout, attn_pdrop=c.dropout,
                bos_token_id=0, eos_token_id=0, use_cache=False, attn_implementation="sdpa",
            )
        ).train()  # fmt: skip
        decayed: list[nn.Parameter] = []
        kept: list[nn.Parameter] = []
        for name, parameter in self.model.named_parameters():
            matrix = parameter.dim() >= 2 and ".wte." not in name and ".wpe." not in name
            (decayed if matrix else kept).append(parameter)
        groups = [
            {"params": decayed, "weight_decay": c.weight_decay},
            {"params": kept, "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(
            groups, lr=c.learning_rate, betas=(c.beta1, c.beta2), fused=True
        )
        self.batches = make_batches(c, self.corpus, shape.vocab_size)

    def update(self) -> None:
        """nanoGPT's loop, with clipping where it stands there."""
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate(self.done)
        idx, targets = self.batches.next()
        logits = self.logits(idx)
        loss = F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.view(-1))
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.grad_clip or math.inf)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def logits(self, idx: Tensor) -> Tensor:
        """The model's."""
        logits: Tensor = self.model(input_ids=idx).logits
        return logits

    def _learning_rate(self, step: int) -> float:
        """nanoGPT's get_lr: linear warm-up, then half a cosine. step: 0 for the first update."""
        c = self.config
        if step < c.warmup_iters:
            return c.learning_rate * (step + 1) / (c.warmup_iters + 1)
        part = (step - c.warmup_iters) / max(1, c.max_iters - c.warmup_iters)
        half = 0.5 * (1.0 + math.cos(math.pi * min(1.0, part)))
        return c.min_lr + half * (c.learning_rate - c.min_lr)


LEARNERS: dict[str, type[Learner]] = {learner.name: learner for learner in (Yocto, Transformers)}


def flops_per_token(learner: Learner) -> float:
    """Floating-point operations that a token costs in training, as nanoGPT and PaLM (Chowdhery et
    al. 2022, appendix B) count them: 6 N + 12 n_layer n_embd T, N without the position table."""
    c: Any = learner.config
    weights = learner.parameters - c.block_size * c.n_embd
    return float(6 * weights + 12 * c.n_layer * c.n_embd * c.block_size)
