"""One step of training: forward, backward, update. It knows the device and its number formats, and
whether other processes share the work."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from yocto.config import LoopConfig
from yocto.dataset.batches import IGNORED, Batch
from yocto.model.empty import empty_gpt
from yocto.model.gpt import GPT
from yocto.training.lora import factors_state, load_factors, plain_model
from yocto.training.loss import LanguageModelLoss
from yocto.training.optimizer import make_optimizers
from yocto.training.parallel import make_parallel, portion
from yocto.training.places import device_of
from yocto.training.shares import own_part
from yocto.training.state import checked_states, rng_states, set_rng_states
from yocto.training.world import ALONE, World
from yocto.utils.device import allow_tf32, pick_device, pick_dtype
from yocto.utils.progress import Progress


class Engine:
    """A model, its loss and its optimizers on a device.

    scaler: keeps the small gradients of float16 from vanishing (Micikevicius et al. 2018); in other
    formats it does nothing.
    """

    def __init__(
        self,
        model: GPT,
        config: LoopConfig,
        document_start: int | None,
        progress: Progress,
        world: World = ALONE,
    ) -> None:
        self.config, self.world = config, world
        self.device = pick_device(device_of(config.device, world))
        self.dtype = pick_dtype(config.dtype, self.device)
        if config.dtype != "float32":  # who asks for that gets it
            allow_tf32(self.device)
        self.parallel = make_parallel(config.parallel, world)
        self.model = model
        self.model.recompute = config.activation_checkpointing
        # The loss that evaluations ask, and the one that training steps do.
        self.loss: torch.nn.Module = self.parallel.spread(
            LanguageModelLoss(model, document_start), self.device
        )
        self.optimizers = make_optimizers(self.model, config, self.parallel.share)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)
        if config.compile:
            self._compile(progress)
        self.averaged = self.parallel.averaging(self.loss, self.device)

    def step(self, batches: Sequence[Batch], factor: float) -> tuple[Tensor, Tensor]:
        """One update from the gradients of all batches, with the peak rates times `factor`.
        Returns the loss, in nats per token, and the gradients' norm before clipping. Several
        processes are given the same batches, and do a share of them each.

        A gradient that is no number moves nothing: on a CPU, where a look at it costs nothing, and
        in float16, whose scaler looks anyway. Elsewhere the caller finds it in the norm.
        """
        whole = sum(_count(targets) for _, targets in batches)
        loss = torch.zeros((), device=self.device)
        own = portion(batches, self.world)
        for i, (idx, targets) in enumerate(own, 1):
            with self.parallel.accumulating(self.averaged, last=i == len(own)):
                # Each target weighs the same, also where another batch has a window that is not
                # full.
                loss += self._backward(self.averaged, idx, targets, _count(targets) / whole)
        self.world.sum(loss)
        for optimizer in self.optimizers:
            self.scaler.unscale_(optimizer)
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * factor
        norm = self._clip()
        looks = self.device.type == "cpu" or self.scaler.is_enabled()
        if not looks or math.isfinite(float(norm)):
            for optimizer in self.optimizers:
                self.scaler.step(optimizer)
        self.scaler.update()
        self._drop_gradients()
        return loss, norm

    def _clip(self) -> Tensor:
        """Scale all gradients so that their norm is at most grad_clip (Pascanu et al. 2013);
        returns what it was. Squares are summed row by row first: a long sum in float32 would lose
        digits, and other ones where each process has some of the rows."""
        exact = torch.float64 if self.device.type != "mps" else torch.float32  # all that it has
        grads = [own_part(p.grad) for p in self.model.parameters() if p.grad is not None]
        rows = [torch.linalg.vector_norm(grad, dim=-1).to(exact) for grad in grads]
        squares = torch.stack([norms.square().sum() for norms in rows]).sum()
        norm = (self.world.sum(squares) if self.parallel.keeps_parts else squares).sqrt().float()
        if self.config.grad_clip:
            torch._foreach_mul_(grads, (self.config.grad_clip / (norm + 1e-6)).clamp(max=1.0))
        return norm

    def _backward(
        self, module: torch.nn.Module, idx: Tensor, targets: Tensor, share: float
    ) -> Tensor:
        """Gradients of one batch, which is such a share of a step; returns its part of the loss."""
        if not share:  # rows without a target, whose mean would be no number
            targets = idx
        with self._autocast():
            loss: Tensor = module(self._to_device(idx), self._to_device(targets)) * share
        # Of several processes' gradients the mean is taken, where their sum is wanted.
        self.scaler.scale(loss * self.world.size).backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _drop_gradients(self) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)

    @torch.no_grad()
    def losses(self, batches: Iterable[Batch]) -> Iterable[tuple[float, int]]:
        """Losses, in nats per token, and how many targets they are the mean of: of each batch, or
        of so many together as there are processes, one for each. The model is in eval mode
        meanwhile."""
        self.model.eval()
        rest = iter(batches)
        try:
            while together := list(islice(rest, self.world.size)):
                # Where batches end early, the last one is computed again, and does not count.
                idx, targets = together[min(self.world.rank, len(together) - 1)]
                with self._autocast():
                    loss = self.loss(self._to_device(idx), self._to_device(targets))
                counts = [_count(targets) for _, targets in together]
                own = counts[self.world.rank] if self.world.rank < len(counts) else 0
                total = torch.tensor(loss.item() * own if own else 0.0, dtype=torch.float64)
                yield float(self.world.sum(total)) / max(1, sum(counts)), sum(counts)
        finally:
            self.model.train()

    # ------------------------------------------------------------------------------------- state

    def state(self) -> dict[str, Any]:
        """What the next step depends on besides weights and rates: tensors and plain values, the
        same whatever the number of processes, all of which have to ask."""
        own = rng_states(self.device)
        everyone = {name: self.world.gather(state) for name, state in own.items()}
        return {
            "optimizers": [self._whole_state(optimizer) for optimizer in self.optimizers],
            "scaler": self.scaler.state_dict(),
            "rng": own,
            "rngs": everyone if self.world.size > 1 else {},
            "weights": factors_state(self.model),
        }

    def _whole_state(self, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        state = optimizer.state_dict()
        if not self.parallel.keeps_parts:
            return state
        # One after the other, so that not all of them are whole on a GPU at once.
        moments: dict[int, dict[str, Any]] = {}
        for i, kept in state["state"].items():
            whole = {name: self.parallel.whole(x) for name, x in kept.items()}
            moments[i] = {name: _copy(x) for name, x in whole.items()} if self.world.leads else {}
        return {**state, "state": moments}

    def sum_of_weights(self) -> float:
        """A number that is none where a weight is none."""
        exact = torch.float64 if self.device.type != "mps" else torch.float32  # all that it has
        weights = [own_part(p.detach()) for p in self.model.parameters()]
        total = torch.stack([p.sum(dtype=exact) for p in weights]).sum().cpu().double()
        return float(self.world.sum(total) if self.parallel.keeps_parts else total)

    def plain_model(self) -> GPT:
        """The model as a checkpoint has it: without factors beside its matrices, and in one piece.
        All processes have to ask; where each keeps parts, only the first one gets the weights."""
        if not self.parallel.keeps_parts:
            return plain_model(self.model)
        weights = {}
        for name, p in self.model.named_parameters():
            whole = self.parallel.whole(p.detach())
            if self.world.leads:
                weights[name] = _copy(whole)
        plain = empty_gpt(self.model.config)
        for name, p in plain.named_parameters() if self.world.leads else ():
            p.data = weights[name]
        return plain.eval()

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on there. Raises ValueError, TypeError, LookupError, AttributeError or RuntimeError
        for what does not fit."""
        saved = checked_states([s["state"] for s in state["optimizers"]], self.optimizers)
        saved = [self._parts(*pair) for pair in zip(saved, self.optimizers, strict=True)]
        load_factors(self.model, state.get("weights"))  # older runs have none
        for optimizer, moments in zip(self.optimizers, saved, strict=True):
            # The settings of this run count, not those that the optimizer was saved with.
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": moments, "param_groups": groups})
        if self.scaler.is_enabled() and state["scaler"]:  # it may have been saved in another format
            self.scaler.load_state_dict(state["scaler"])
        self._go_on_drawing(state)

    def _parts(
        self, saved: dict[int, Any], optimizer: torch.optim.Optimizer
    ) -> dict[int, dict[str, Tensor]]:
        """Of whole means this process's parts; counts are the same for all."""
        weights = [p for group in optimizer.param_groups for p in group["params"]]
        return {
            i: {
                n: x if x.dim() == 0 else self.parallel.part(x, weights[i]) for n, x in kept.items()
            }
            for i, kept in saved.items()
        }

    def _go_on_drawing(self, state: dict[str, Any]) -> None:
        """Random generators go on where they were; where there were as many processes, in each."""
        everyone = state.get("rngs", {})  # older runs have none
        if everyone and all(len(states) == self.world.size for states in everyone.values()):
            own = {name: states[self.world.rank] for name, states in everyone.items()}
            set_rng_states(own, self.device)
        elif self.world.leads:
            set_rng_states(state["rng"], self.device)
        else:
            drawn = zlib.crc32(state["rng"]["cpu"].numpy().tobytes())
            torch.manual_seed(drawn + self.world.rank)

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
        """Compile the loss; where that fails (no C++ compiler, say), go on without it, in all
        processes."""
        plain = self.loss
        idx = torch.zeros(self.config.batch_size, self.model.config.block_size, dtype=torch.int64)
        passes = self.config.gradient_accumulation_steps
        idx, _ = portion([(idx, idx)] * passes, self.world)[0]
        states = rng_states(self.device)
        reason = ""
        try:
            # On something small first, without the others: what fails in one process alone mostly
            # fails here, and the trial below may be a common one.
            small = torch.compile(torch.nn.Linear(8, 8).to(self.device))
            small(torch.ones(4, 8, device=self.device)).sum().backward()
        except Exception as error:
            reason = _first_line(error)
        if not self.world.any(bool(reason))[0]:
            self.loss = torch.compile(plain)  # type: ignore[assignment]
            try:
                self._backward(self.loss, idx, idx, 1.0)
            except Exception as error:
                reason = _first_line(error)
        self._drop_gradients()
        set_rng_states(states, self.device)
        if self.world.any(bool(reason))[0]:
            self.loss = plain
            reason = reason or "it did in another process"
            progress.notice(f"torch.compile failed, going on without it: {reason}")


def _copy(x: Tensor) -> Tensor:
    """On the CPU, in memory of its own: what is gathered may be part of a larger piece."""
    return torch.empty_like(x, device="cpu").copy_(x)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error) else type(error).__name__


def _count(targets: Tensor) -> int:
    return int((targets != IGNORED).sum())
