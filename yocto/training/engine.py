"""One step of training: forward, backward, update. It knows the device and its number formats."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from yocto.config import LoopConfig
from yocto.dataset.batches import IGNORED, Batch
from yocto.model.gpt import GPT
from yocto.training.lora import factors_state, load_factors, plain_model
from yocto.training.loss import LanguageModelLoss
from yocto.training.optimizer import make_optimizers
from yocto.training.state import checked_states, rng_states, set_rng_states
from yocto.utils.device import pick_device, pick_dtype
from yocto.utils.progress import Progress


class Engine:
    """A model, its loss and its optimizers on a device.

    scaler: keeps the small gradients of float16 from vanishing (Micikevicius et al. 2018); in other
    formats it does nothing.
    """

    def __init__(
        self, model: GPT, config: LoopConfig, document_start: int | None, progress: Progress
    ) -> None:
        self.config = config
        self.device = pick_device(config.device)
        self.dtype = pick_dtype(config.dtype, self.device)
        self.model = model.to(self.device)
        self.model.recompute = config.activation_checkpointing
        self.loss: torch.nn.Module = LanguageModelLoss(self.model, document_start)
        self.optimizers = make_optimizers(self.model, config)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)
        if config.compile:
            self._compile(progress)

    def step(self, batches: Sequence[Batch], factor: float) -> tuple[Tensor, Tensor]:
        """One update from the gradients of all batches, with the peak rates times `factor`.
        Returns the loss, in nats per token, and the gradients' norm before clipping.

        A gradient that is no number moves nothing: on a CPU, where a look at it costs nothing, and
        in float16, whose scaler looks anyway. Elsewhere the caller finds it in the norm.
        """
        counts = [int((targets != IGNORED).sum()) for _, targets in batches]
        loss = torch.zeros((), device=self.device)
        for (idx, targets), count in zip(batches, counts, strict=True):
            # Each target weighs the same, also where another batch has a window that is not full.
            loss += self._backward(idx, targets, count / sum(counts))
        for optimizer in self.optimizers:
            self.scaler.unscale_(optimizer)
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * factor
        limit = self.config.grad_clip or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), limit, foreach=True)
        looks = self.device.type == "cpu" or self.scaler.is_enabled()
        if not looks or math.isfinite(float(norm)):
            for optimizer in self.optimizers:
                self.scaler.step(optimizer)
        self.scaler.update()
        self._drop_gradients()
        return loss, norm

    def _backward(self, idx: Tensor, targets: Tensor, share: float) -> Tensor:
        """Gradients of one batch, which is such a share of a step; returns its part of the loss."""
        with self._autocast():
            loss: Tensor = self.loss(self._to_device(idx), self._to_device(targets)) * share
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _drop_gradients(self) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)

    @torch.no_grad()
    def losses(self, batches: Iterable[Batch]) -> Iterable[tuple[float, int]]:
        """The loss of each batch, in nats per token, and how many targets it has. The model is in
        eval mode meanwhile."""
        self.model.eval()
        try:
            for idx, targets in batches:
                with self._autocast():
                    loss = self.loss(self._to_device(idx), self._to_device(targets))
                yield loss.item(), int((targets != IGNORED).sum())
        finally:
            self.model.train()

    # ------------------------------------------------------------------------------------- state

    def state(self) -> dict[str, Any]:
        """What the next step depends on besides weights and rates: tensors and plain values."""
        return {
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "scaler": self.scaler.state_dict(),
            "rng": rng_states(self.device),
            "weights": factors_state(self.model),
        }

    def plain_model(self) -> GPT:
        """The model as a checkpoint has it: without factors beside its matrices."""
        return plain_model(self.model)

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on there. Raises ValueError, TypeError, LookupError, AttributeError or RuntimeError
        for what does not fit."""
        saved = checked_states([s["state"] for s in state["optimizers"]], self.optimizers)
        load_factors(self.model, state.get("weights"))  # older runs have none
        for optimizer, moments in zip(self.optimizers, saved, strict=True):
            # The settings of this run count, not those that the optimizer was saved with.
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": moments, "param_groups": groups})
        if self.scaler.is_enabled() and state["scaler"]:  # it may have been saved in another format
            self.scaler.load_state_dict(state["scaler"])
        set_rng_states(state["rng"], self.device)

    # ------------------------------------------------------------------------------------ device

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, self.dtype)

    def _to_device(self, x: Tensor) -> Tensor:
        if self.device.type == "cuda":
            return x.pin_memory().to(self.device, non_blocking=True)
        return x.to(self.device)

    def _compile(self, progress: Progress) -> None:
        """Compile the loss; where that fails (no C++ compiler, say), go on without it."""
        plain = self.loss
        self.loss = torch.compile(plain)  # type: ignore[assignment]
        idx = torch.zeros(self.config.batch_size, self.model.config.block_size, dtype=torch.int64)
        states = rng_states(self.device)
        try:
            self._backward(idx, idx, 1.0)
        except Exception as error:
            self.loss = plain
            reason = str(error).strip().splitlines()[0] if str(error) else type(error).__name__
            progress.notice(f"torch.compile failed, going on without it: {reason}")
        finally:
            self._drop_gradients()
            set_rng_states(states, self.device)
