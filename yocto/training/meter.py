"""How fast a run is, and how well it uses the machine."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from yocto.config import GPTConfig
from yocto.model.size import count_parameters
from yocto.utils.device import memory_in_use, synchronize


class Meter:
    """Counts tokens and time; `line` tells what came since the line before.

    flops_per_token: of the model, forward and backward. rate: floating-point operations a second
    of a large matrix product, against which utilisation is measured (Chowdhery et al. 2022, "PaLM",
    appendix B); set it before the first line.
    """

    def __init__(self, device: torch.device, flops_per_token: int) -> None:
        self.device, self.flops_per_token, self.rate = device, flops_per_token, math.inf
        self.clock: Callable[[], float] = time.perf_counter
        self.restart()

    def restart(self) -> None:
        """Begin a new line: what came between, an evaluation say, does not count."""
        self.began, self.tokens, self.busy = self.clock(), 0, 0.0

    @contextmanager
    def step(self, tokens: int) -> Iterator[None]:
        """Around forward, backward and update: the work that training is."""
        began = self.clock()
        yield
        self.busy += self.clock() - began
        self.tokens += tokens

    def line(self) -> dict[str, Any]:
        """tokens_per_second; utilisation (0..1); busy, the share of time in steps (on a GPU, which
        works on its own, in asking for them); memory in bytes. Begins a new line."""
        seconds = max(self.clock() - self.began, 1e-9)
        speed = self.tokens / seconds
        values = {
            "tokens_per_second": round(speed, 1),
            "utilisation": round(speed * self.flops_per_token / self.rate, 4),
            "busy": round(self.busy / seconds, 4),
            "memory": memory_in_use(self.device),
        }
        self.restart()
        return values


def flops_per_token(config: GPTConfig) -> int:
    """Floating-point operations of forward and backward: 6 for each weight that multiplies, and
    12 n_layer n_head head_size T for attention (Chowdhery et al. 2022; T is counted in full, though
    half of what attention could see is hidden). Looking a vector up takes none."""
    weights = count_parameters(config)
    if config.position == "learned":
        weights -= config.block_size * config.n_embd
    if not config.tie_weights:
        weights -= config.vocab_size * config.n_embd
    assert config.head_size is not None
    width = config.n_head * config.head_size
    return 6 * weights + 12 * config.n_layer * width * config.block_size


def matmul_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Floating-point operations a second of a large matrix product; takes some 0.1 s."""
    size = 1024 if device.type == "cpu" else 4096
    kind = torch.float32 if device.type == "cpu" else dtype
    a = torch.ones(size, size, dtype=kind, device=device)
    best = float("inf")
    for _ in range(4):
        began = time.perf_counter()
        a @ a
        synchronize(device)
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best
