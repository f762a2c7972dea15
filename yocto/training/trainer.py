"""The training loop."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

import torch

from yocto.checkpoint import Run
from yocto.config import LoopConfig
from yocto.dataset.batches import IGNORED
from yocto.errors import RunError
from yocto.model.gpt import GPT
from yocto.tokenizer.base import BaseTokenizer
from yocto.training.engine import Engine
from yocto.training.followers import UnwrittenMetrics, UnwrittenRun
from yocto.training.health import Health
from yocto.training.lessons import Lessons
from yocto.training.meter import Meter, flops_per_token, matmul_rate
from yocto.training.metrics import Mean, MetricsFile, bits_per_byte
from yocto.training.outcome import Evaluation, Fitted, Hooks
from yocto.training.pace import Pace, Stopwatch
from yocto.training.schedule import schedule_at
from yocto.training.state import check_counts
from yocto.training.world import ALONE, World
from yocto.utils.progress import Progress, SilentTask, Watch
from yocto.utils.signals import stop_requested

LOG_INTERVAL = 10  # steps between two training lines in metrics.jsonl


class Trainer:
    """One run: trains a model, evaluates it, saves it."""

    def __init__(
        self,
        model: GPT,
        config: LoopConfig,
        lessons: Lessons,
        tokenizer: BaseTokenizer,
        run: Run,
        progress: Progress,
        hooks: Hooks | None = None,
        world: World = ALONE,
    ) -> None:
        self.config, self.lessons, self.tokenizer, self.world = config, lessons, tokenizer, world
        self.progress, self.hooks = progress, hooks or Hooks()
        metrics = run.path / "metrics.jsonl"
        self.run, self.metrics = run, MetricsFile(metrics)
        if not world.leads:
            self.run, self.metrics = UnwrittenRun(run.path), UnwrittenMetrics(metrics)
        # Dropout draws from torch's global generator; batches have one of their own.
        torch.manual_seed(config.seed + world.rank)
        self.engine = Engine(model, config, lessons.document_start(progress), progress, world)
        self.model, self.device = self.engine.model, self.engine.device
        self.batches = lessons.batches()
        self.health = Health(config, self.model.config.vocab_size)
        # Its rate, which takes a while to measure, comes when training begins.
        self.meter = Meter(self.device, flops_per_token(self.model.config))
        self.step = 0
        self.tokens = 0  # targets learnt from, in all steps
        self.seconds = 0.0  # of training so far, those before a resume included
        self.best_step: int | None = None
        self.best_val_loss = math.inf
        self.worse = 0  # evaluations since the best one
        # Losses since the last evaluation, and since the last training line.
        self.means = {"evaluation": Mean(), "line": Mean()}
        self.grad_norm = torch.zeros(())
        self._began = self._clock = time.perf_counter()  # now, and without any break before it
        self._stopwatch = Stopwatch()
        self._pace: Pace | None = None
        self._speed: float | None = None  # tokens a second, of the latest line
        self._saved_step: int | None = None
        self._saved_at = time.monotonic()
        self.resumed = False
        self._stopped: Callable[[], bool] = lambda: False
        self._evaluate_first = False  # a resumed run's step lacks its evaluation
        self._watch: Watch = SilentTask()

    # ------------------------------------------------------------------------------------- state

    def state(self) -> dict[str, Any]:
        """All that a resumed run needs besides the weights: tensors and plain values only."""
        return {
            "step": self.step,
            "tokens": self.tokens,
            "seconds": self.seconds,
            "best_step": self.best_step,
            "best_val_loss": self.best_val_loss,
            "worse": self.worse,
            "means": {name: (float(m.total), m.count) for name, m in self.means.items()},
            "engine": self.engine.state(),
            "batches": self.batches.state(),
            "corpus": self.lessons.sha256,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        try:
            if state["corpus"] != self.lessons.sha256:
                raise RunError(
                    f"the text is not the one that {self.run.name} was trained on",
                    "Bring that text back, or start another run with another --run-name.",
                )
            check_counts(state)
            for name in ("step", "tokens", "seconds", "best_step", "best_val_loss", "worse"):
                setattr(self, name, state[name])
            self.means = {name: Mean(*state["means"][name]) for name in self.means}
            self.batches.load_state(state["batches"])
            self.engine.load_state(state["engine"])
        except (LookupError, ValueError, TypeError, AttributeError, RuntimeError) as error:
            raise RunError(
                f"the trainer state of {self.run.name} does not fit this run: {error}",
                "Start another run with another --run-name, or this one anew with --overwrite.",
            ) from error
        self._saved_step = self.health.saved_step = self.step
        self.resumed = True

    def save(self) -> None:
        """Write a checkpoint of this step, once. Raises RunError for a run that has diverged:
        weights that are broken must not take the place of the last whole ones."""
        if self._saved_step == self.step:
            return
        self.health.check_number("the loss", self.means["evaluation"].value(), self.step)
        self._check_norm()
        self.health.refuse_exploded(self.step)
        total = self.engine.sum_of_weights()
        self.health.check_number("the sum of the weights", total, self.step)
        self.run.save(
            self.step, self.engine.plain_model(), self.tokenizer, self.config.record(),
            self.lessons.documents,
            self.state(),
        )  # fmt: skip
        if self._saved_step is None and not self.resumed:
            self.run.keep_only(self.step)
        else:
            self.run.prune(self.config.keep_last)
        self._saved_step = self.health.saved_step = self.step
        self._saved_at = time.monotonic()

    # -------------------------------------------------------------------------------------- loop

    def fit(self) -> Fitted:
        """Train until max_iters, or until Ctrl-C or SIGTERM, which save first."""
        total = None if self.config.minutes else self.config.max_iters
        if self.resumed:  # and not earlier: a rehearsal changes nothing
            self._go_back()
        past = self.metrics.read()
        with (
            stop_requested() as self._stopped,
            self.progress.training(self.run.name, total, self.step, past) as self._watch,
        ):
            try:
                return self._loop()
            except RunError:
                good = self.health.good_step
                if good is not None and good != self._saved_step:
                    self.run.mark_latest(good)  # what came after it is spoilt
                raise

    def _go_back(self) -> None:
        """Let the run's records stand where this checkpoint does: later ones may be damaged."""
        self.run.mark_latest(self.step)
        has_best = self.run.restore_best(self.best_step)
        if not self.world.agree(has_best):
            self.best_step, self.best_val_loss = None, math.inf
        self._evaluate_first = bool(self.world.agree(self.metrics.rewind(self.step)))

    def _loop(self) -> Fitted:
        last, early = None, False
        self.meter.rate = self.world.size * matmul_rate(self.device, self.engine.dtype)
        self.meter.restart()
        self._began = time.perf_counter()
        self._clock = self._began - self.seconds
        while True:
            asked, save_due = self.world.any(self._stopped(), self._save_is_due())
            at_end = self.step >= self.max_iters
            due = self.step > 0 and self.step % self.config.eval_interval == 0
            if at_end or due or self._evaluate_first:
                self.save()
                last = self._evaluate(at_end)
                early = not at_end and self._out_of_patience()
                (asked,) = self.world.any(self._stopped())
            elif save_due and not self._suspected():  # it may recover
                self.save()
            if at_end or early or asked:
                break
            began = time.perf_counter()
            self.train_step()
            if self._pace is None:
                self._fix_length(began)
            self.seconds = time.perf_counter() - self._clock
            self._watch.advance()
            if self.step % LOG_INTERVAL == 0:
                self._log()
        interrupted = asked and not at_end and not early
        if interrupted and not self._suspected():
            self.save()
        elif interrupted:
            self.progress.notice(
                f"step {self.step} is not saved, since the loss is exploding; the last checkpoint "
                f"is before it"
            )
        self.run.prune(self.config.keep_last)
        return Fitted(
            self.step, None if interrupted else last, self.best_step, self.best_val_loss,
            self.seconds, early,
        )  # fmt: skip

    @property
    def max_iters(self) -> float:
        """Steps of this run; infinite while --minutes has not fixed them."""
        return math.inf if self.config.minutes is not None else self.config.max_iters

    def train_step(self) -> None:
        """One optimizer step, its batches included. Raises RunError where it has diverged."""
        batches = [self.batches.next() for _ in range(self.config.gradient_accumulation_steps)]
        tokens = sum(int((targets != IGNORED).sum()) for _, targets in batches)
        with self.meter.step(tokens):
            factor = schedule_at(self.step, self.config, self.max_iters)
            loss, self.grad_norm = self.engine.step(batches, factor)
        self.step += 1
        self.tokens += tokens
        for mean in self.means.values():
            mean.add(loss)
        if self.device.type == "cpu":  # elsewhere a look would have to wait
            self.health.check_number("the loss", self.means["line"].value(), self.step)
            self._check_norm()

    def _check_norm(self) -> None:
        if not self.engine.scaler.is_enabled():  # whose overflows are part of its work
            self.health.check_number("the gradient's norm", float(self.grad_norm), self.step)

    def _suspected(self) -> bool:
        line = self.means["line"]
        return self.health.suspects(line.value() if line.count else 0.0)

    def _save_is_due(self) -> bool:
        c = self.config
        if c.save_interval and self.step > 0 and self.step % c.save_interval == 0:
            return True
        return c.save_minutes > 0 and time.monotonic() - self._saved_at > 60 * c.save_minutes

    def _out_of_patience(self) -> bool:
        return self.config.patience is not None and self.worse >= self.config.patience

    # -------------------------------------------------------------------------------------- pace

    def rehearse(self) -> Pace:
        """Take the first steps, to see how long they last, and save nothing."""
        while True:
            began = time.perf_counter()
            self.train_step()
            if (seconds := self._lap(began)) is not None:
                return self._measure(seconds)

    def _lap(self, began: float) -> float | None:
        return self.world.agree(self._stopwatch.lap(began, self.device))

    def _fix_length(self, began: float) -> None:
        """Once the first steps are timed, tell how long the run will take or, with --minutes, how
        many steps it has."""
        seconds = self._lap(began)
        if seconds is None:
            return
        self._pace = self._measure(seconds)
        if self.config.minutes is not None:
            left = self.config.minutes * 60 - (time.perf_counter() - self._began)
            steps = int(self.world.agree(self.step + self._pace.steps(left)) or 0)
            self.config = dataclasses.replace(
                self.config, max_iters=steps, minutes=None, given=self.config.given
            )
            self._watch.expect(steps)
        self.hooks.planned(self.config, self._pace)
        self.meter.restart()

    def _measure(self, seconds_per_step: float) -> Pace:
        c, whole = self.config, self.lessons.validation_batches()
        began = time.perf_counter()
        for _ in self.engine.losses(self.lessons.validation(1)):
            pass
        batch = time.perf_counter() - began
        return Pace(seconds_per_step, batch, c.eval_interval, min(whole, c.eval_iters), whole)

    # ---------------------------------------------------------------------------------- watching

    def _log(self) -> None:
        """Write a training line."""
        mean, norm = self.means["line"].value(), float(self.grad_norm)
        self.health.check_line(mean, norm, self.step)
        # JSON knows no infinity, and a gradient in float16 may overflow.
        shown = norm if math.isfinite(norm) else None
        rate = self.config.learning_rate * schedule_at(self.step - 1, self.config, self.max_iters)
        speed = self.meter.line()
        self._speed = speed["tokens_per_second"]
        self._record({
            "step": self.step, "train_loss": mean, "learning_rate": rate, "grad_norm": shown,
            "tokens": self.tokens, **speed, "seconds": round(self.seconds, 3),
        })  # fmt: skip
        self.means["line"] = Mean()

    def _record(self, line: dict[str, Any]) -> None:
        self.metrics.write(**line)
        self._watch.record(line)
        for logger in self.hooks.loggers:
            logger.record(line)

    def _evaluate(self, at_end: bool) -> Evaluation | None:
        """Look at the validation split and say what is there; None when told to stop meanwhile:
        the step is saved, and a resumed run evaluates it again."""
        self._watch.status("evaluating")
        train_loss = self.means["evaluation"].value()
        val_loss = self.evaluate(self.config.eval_iters)
        if val_loss is None:
            return None
        sound = self.health.look_at_evaluation(val_loss, self.best_step, self.step)
        self._compare(val_loss if sound else math.inf)
        at_end = at_end or self._out_of_patience()
        whole = self.evaluate(None) if at_end else val_loss  # once, on every token of the split
        if whole is None:
            return None
        bpb = bits_per_byte(whole, self.lessons.val_tokens, self.lessons.val_bytes)
        evaluation = Evaluation(self.step, train_loss, whole, bpb)
        self.seconds = time.perf_counter() - self._clock
        line = {
            "step": self.step, "train_loss": train_loss, "val_loss": whole,
            "val_bits_per_byte": bpb, "tokens": self.tokens, "seconds": round(self.seconds, 3),
            "tokens_per_second": self._speed,  # of the steps before
        }  # fmt: skip
        self._record({**line, "whole_split": True} if at_end else line)
        self._show_sample()
        self.means["evaluation"] = Mean()
        self._evaluate_first = False
        self._watch.status("")
        self.meter.restart()
        return evaluation

    def _compare(self, val_loss: float) -> None:
        """Is it the best one so far?"""
        self.worse += 1
        if val_loss < self.best_val_loss:
            self.best_step, self.best_val_loss, self.worse = self.step, val_loss, 0
            self.run.mark_best(self.step)
        self.run.prune(self.config.keep_last)

    def _show_sample(self) -> None:
        if self.hooks.sample is None:
            return
        model = self.engine.plain_model()
        if not self.world.leads:
            return
        text = self.hooks.sample(model.eval())
        self.model.train()
        self._watch.sample(text)
        for logger in self.hooks.loggers:
            logger.sample(self.step, text)

    def evaluate(self, max_batches: int | None) -> float | None:
        """Mean loss over the validation split, in nats per token; the same windows each time.
        None when told to stop meanwhile."""
        total, count = 0.0, 0
        for loss, tokens in self.engine.losses(self.lessons.validation(max_batches)):
            total, count = total + loss * tokens, count + tokens
            if self.world.any(self._stopped())[0]:
                return None
        return total / count
