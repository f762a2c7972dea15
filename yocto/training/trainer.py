"""The training loop.

A run can be stopped at any step and continued to the very same weights: besides weights and
optimizer, a checkpoint holds every random generator and the running sums. Checkpoints are written
before the evaluation of their step, so that a crash in an evaluation loses nothing; a resumed run
makes that evaluation again, with the same result.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from yocto.checkpoint import Run
from yocto.config import TrainConfig
from yocto.dataset.batches import IGNORED, check_validation_split, eval_batches
from yocto.errors import RunError
from yocto.model.gpt import GPT
from yocto.tokenizer.base import BaseTokenizer
from yocto.training.corpus import Corpus, document_start, make_batches
from yocto.training.loss import LanguageModelLoss
from yocto.training.metrics import MetricsFile, bits_per_byte
from yocto.training.optimizer import make_optimizer
from yocto.training.schedule import learning_rate_at
from yocto.training.state import check_counts, checked_moments, rng_states, set_rng_states
from yocto.utils.device import pick_device, pick_dtype, synchronize
from yocto.utils.progress import Progress, Task
from yocto.utils.signals import stop_requested

MEASURING = 1.2  # seconds to measure the speed
LOG_INTERVAL = 10  # steps between two training losses in metrics.jsonl and on the bar


@dataclass(frozen=True)
class Evaluation:
    """A look at the validation split."""

    step: int
    train_loss: float  # mean since the evaluation before, nats per token
    val_loss: float  # nats per token
    val_bits_per_byte: float


@dataclass(frozen=True)
class Fitted:
    """How a run ended. last is None when it was interrupted."""

    step: int
    last: Evaluation | None
    best_step: int | None
    best_val_loss: float
    seconds: float


class Trainer:
    """One run: makes the model, trains it, evaluates it, saves it.

    on_evaluation: called after each evaluation, with the model in eval mode, to show a sample, say.
    """

    def __init__(
        self,
        model: GPT,
        config: TrainConfig,
        corpus: Corpus,
        tokenizer: BaseTokenizer,
        run: Run,
        progress: Progress,
        on_evaluation: Callable[[Evaluation], None] = lambda evaluation: None,
    ) -> None:
        self.config, self.corpus, self.tokenizer, self.run = config, corpus, tokenizer, run
        self.progress, self.on_evaluation = progress, on_evaluation
        self.device = pick_device(config.device)
        self.dtype = pick_dtype(config.dtype, self.device)
        self.model = model.to(self.device)
        start = document_start(config, corpus, progress)
        self.loss: torch.nn.Module = LanguageModelLoss(self.model, start)
        self.optimizer = make_optimizer(self.model, config)
        check_validation_split(corpus.val, config.block_size)  # first: it is the shorter one
        # Dropout draws from torch's global generator; batches have one of their own.
        torch.manual_seed(config.seed)
        self.batches = make_batches(config, corpus, self.model.config.vocab_size)
        self.metrics = MetricsFile(run.path / "metrics.jsonl")
        self.step = 0
        self.tokens = 0  # targets learnt from, in all steps
        self.seconds = 0.0  # of training so far, those before a resume included
        self.best_step: int | None = None
        self.best_val_loss = math.inf
        self.loss_sum: float | torch.Tensor = 0.0  # since the last evaluation
        self.loss_steps = 0
        self.grad_norm = torch.zeros(())
        self._saved_step: int | None = None
        self._resumed = False
        self._stopped: Callable[[], bool] = lambda: False
        self._evaluate_first = False  # a resumed run's step lacks its evaluation
        if config.compile:
            self._compile()

    @property
    def tokens_per_step(self) -> int:
        """How many tokens one optimizer step sees."""
        c = self.config
        return c.gradient_accumulation_steps * c.batch_size * c.block_size

    # ------------------------------------------------------------------------------------- state

    def state(self) -> dict[str, Any]:
        """All that a resumed run needs besides the weights: tensors and plain values only."""
        return {
            "step": self.step,
            "tokens": self.tokens,
            "seconds": self.seconds,
            "best_step": self.best_step,
            "best_val_loss": self.best_val_loss,
            "loss_sum": float(self.loss_sum),
            "loss_steps": self.loss_steps,
            "optimizer": self.optimizer.state_dict(),
            "batches": self.batches.state(),
            "corpus": self.corpus.sha256,
            "rng": rng_states(self.device),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        try:
            if state["corpus"] != self.corpus.sha256:
                raise RunError(
                    f"the token files are not those that {self.run.name} was trained on",
                    "Encode that text again, or start another run with another --run-name.",
                )
            check_counts(state)
            self.step, self.seconds = state["step"], state["seconds"]
            # A run begun by an older yocto did not count them.
            self.tokens = state.get("tokens", self.step * self.tokens_per_step)
            self.best_step, self.best_val_loss = state["best_step"], state["best_val_loss"]
            self.loss_sum, self.loss_steps = state["loss_sum"], state["loss_steps"]
            # The settings of this run count, not those that the optimizer was saved with.
            groups = self.optimizer.state_dict()["param_groups"]
            moments = checked_moments(state["optimizer"]["state"], self.optimizer)
            self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
            self.batches.load_state(state["batches"])
            set_rng_states(state["rng"], self.device)
        except (LookupError, ValueError, TypeError, AttributeError, RuntimeError) as error:
            raise RunError(
                f"the trainer state of {self.run.name} does not fit this run: {error}",
                "Start it anew with --overwrite.",
            ) from error
        self._saved_step = self.step
        self._resumed = True
        self._evaluate_first = self.metrics.rewind(self.step)

    def save(self) -> None:
        """Write a checkpoint of this step, once. Raises RunError for a loss that is NaN: weights
        that are broken must not take the place of the last whole ones."""
        if self._saved_step == self.step:
            return
        self._check_loss()
        if not math.isfinite(float(self.grad_norm)):  # the last update has spoilt the weights
            raise self._diverged("the gradient", float(self.grad_norm))
        self.run.save(
            self.step, self.model, self.tokenizer, self.config.to_dict(), self.corpus.documents,
            self.state(),
        )  # fmt: skip
        if self._saved_step is None and not self._resumed:
            self.run.keep_only(self.step)
        self._saved_step = self.step

    # -------------------------------------------------------------------------------------- loop

    def fit(self) -> Fitted:
        """Train until max_iters, or until Ctrl-C or SIGTERM, which save first."""
        c = self.config
        last: Evaluation | None = None
        began = time.perf_counter() - self.seconds
        with (
            stop_requested() as self._stopped,
            self.progress.task("training", c.max_iters, "step", done=self.step) as task,
        ):
            while True:
                at_end = self.step >= c.max_iters
                due = self.step % c.eval_interval == 0 and self.step > 0
                if at_end or due or self._evaluate_first:
                    self.save()
                    task.status("evaluating")
                    last = self._evaluate_and_tell(time.perf_counter() - began)
                    self._evaluate_first = False
                if self._stopped():
                    self.save()
                    last = last if at_end else None
                    break
                if at_end:
                    break
                self._train_step()
                self.seconds = time.perf_counter() - began
                task.advance()
                if self.step % LOG_INTERVAL == 0:
                    self._log(task)
        self.run.prune()
        return Fitted(self.step, last, self.best_step, self.best_val_loss, self.seconds)

    def _train_step(self) -> None:
        c = self.config
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate_at(self.step, c)
        batches = [self.batches.next() for _ in range(c.gradient_accumulation_steps)]
        counts = [int((targets != IGNORED).sum()) for _, targets in batches]
        loss = torch.zeros((), device=self.device)
        for (idx, targets), count in zip(batches, counts, strict=True):
            # Each target weighs the same, also where another batch has a window that is not full.
            loss += self._one_backward(idx, targets, sum(counts) / count)
        limit = c.grad_clip or math.inf
        self.grad_norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), limit)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.loss_sum += loss if self.device.type != "cpu" else loss.item()  # no wait on a GPU
        self.loss_steps += 1
        self.step += 1
        self.tokens += sum(counts)

    def _one_backward(self, idx: torch.Tensor, targets: torch.Tensor, parts: float) -> torch.Tensor:
        """Gradients of one batch, which is one part of so many; returns its share of the loss."""
        with self._autocast():
            loss: torch.Tensor = self.loss(self._to_device(idx), self._to_device(targets))
            loss = loss / parts
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, self.dtype)

    def _to_device(self, x: torch.Tensor) -> torch.Tensor:
        if self.device.type == "cuda":
            return x.pin_memory().to(self.device, non_blocking=True)
        return x.to(self.device)

    def _compile(self) -> None:
        """Compile the loss; where that fails (no C++ compiler, say), go on without it."""
        plain = self.loss
        self.loss = torch.compile(plain)  # type: ignore[assignment]
        try:
            self.seconds_per_step()
        except Exception as error:
            self.loss = plain
            reason = str(error).strip().splitlines()[0] if str(error) else type(error).__name__
            self.progress.notice(f"torch.compile failed, going on without it: {reason}")

    # ---------------------------------------------------------------------------------- watching

    def _check_loss(self) -> float:
        """The mean loss since the last evaluation, in nats. Raises RunError when it is NaN."""
        self.loss_sum = float(self.loss_sum)
        mean = self.loss_sum / max(1, self.loss_steps)
        if not math.isfinite(mean):
            raise self._diverged("the loss", mean)
        return mean

    def _diverged(self, what: str, value: float) -> RunError:
        return RunError(
            f"{what} is {value} at step {self.step}; the last checkpoint is before it",
            f"Lower --learning-rate (it is {self.config.learning_rate:g}) and resume.",
        )

    def _log(self, task: Task) -> None:
        mean = self._check_loss()
        rate = learning_rate_at(self.step - 1, self.config)
        self.metrics.write(
            step=self.step, train_loss=mean, learning_rate=rate, grad_norm=float(self.grad_norm),
            seconds=round(self.seconds, 3),
        )  # fmt: skip
        speed = self.tokens / max(self.seconds, 1e-9)
        task.status(f"loss {mean:.3f} · {speed:,.0f} tok/s")

    def _evaluate_and_tell(self, seconds: float) -> Evaluation | None:
        """Look at the validation split and say what is there; None when told to stop meanwhile:
        the step is saved, and a resumed run evaluates it again."""
        c = self.config
        at_end = self.step >= c.max_iters
        train_loss = float(self.loss_sum) / max(1, self.loss_steps)
        val_loss = self.evaluate(c.eval_iters)
        if val_loss is None:
            return None
        if not math.isfinite(val_loss):
            raise self._diverged("the validation loss", val_loss)
        whole = self.evaluate(None) if at_end else val_loss  # once, on every token of the split
        if whole is None:
            return None
        if val_loss < self.best_val_loss:
            self.best_step, self.best_val_loss = self.step, val_loss
            self.run.mark_best(self.step)
        self.run.prune()
        val_loss = whole
        bpb = bits_per_byte(val_loss, len(self.corpus.val), self.corpus.val_bytes)
        evaluation = Evaluation(self.step, train_loss, val_loss, bpb)
        self.metrics.write(
            step=self.step, train_loss=train_loss, val_loss=val_loss, val_bits_per_byte=bpb,
            tokens=self.tokens, seconds=round(seconds, 3),
        )  # fmt: skip
        speed = self.tokens / max(seconds, 1e-9)
        self.progress.say(
            f"step {self.step}/{c.max_iters}: train loss {train_loss:.3f}, "
            f"val loss {val_loss:.3f}, {bpb:.3f} bits/byte, {speed:,.0f} tok/s"
        )
        self.loss_sum, self.loss_steps = 0.0, 0
        self.model.eval()
        self.on_evaluation(evaluation)
        self.model.train()
        return evaluation

    @torch.no_grad()
    def evaluate(self, max_batches: int | None) -> float | None:
        """Mean loss over the validation split, in nats per token; the same windows each time.
        None when told to stop meanwhile."""
        self.model.eval()
        total, count = 0.0, 0
        windows = eval_batches(
            self.corpus.val, self.config.block_size, self.config.batch_size, max_batches,
            self.model.config.vocab_size,
        )  # fmt: skip
        for idx, targets in windows:
            with self._autocast():
                loss = self.loss(self._to_device(idx), self._to_device(targets))
            total, count = total + loss.item() * targets.numel(), count + targets.numel()
            if self._stopped():
                break
        self.model.train()
        return None if self._stopped() else total / count

    def seconds_per_step(self) -> float:
        """Measured on throw-away batches: weights, gradients and random states stay as they are."""
        shape = (self.config.batch_size, self.config.block_size)
        idx = torch.zeros(shape, dtype=torch.int64)
        times: list[float] = []
        states = rng_states(self.device)
        try:
            # Other programs come and go: over a second or so, the quickest step was undisturbed.
            while len(times) < 4 or (sum(times) < MEASURING and len(times) < 50):
                began = time.perf_counter()
                self._one_backward(idx, idx, self.config.gradient_accumulation_steps)
                synchronize(self.device)
                times.append(time.perf_counter() - began)
        finally:
            self.optimizer.zero_grad(set_to_none=True)
            set_rng_states(states, self.device)
        # The first one allocates memory; an optimizer step adds about a tenth.
        return 1.1 * min(times[1:]) * self.config.gradient_accumulation_steps
