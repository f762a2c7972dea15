"""Matrices of weights: torch's own product for many rows, a kernel of ours for a few."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn

from yocto.utils.progress import Progress

# For more rows torch's product is faster.
MOST_ROWS = 32
# With so many weights the kernels are worth half a second to load, and seconds to compile once; of
# smaller models so many tokens are, where the kernels are compiled, or so many where they are not.
LEAST_WEIGHTS, LEAST_TOKENS, MANY_TOKENS = 6_000_000, 500, 200_000
# The kernels' order of arguments: addresses of weights, scales, bias, x and y; n, k, rows and onto.
Kernel = Callable[[int, int, int, int, int, int, int, int, int], None]


class Linear(nn.Linear):
    """x W^T + b.

    kernel: computes a few rows of a float32 x on a CPU; None leaves all to torch.
    """

    kernel: Kernel | None = None

    def forward(self, x: Tensor) -> Tensor:
        """x (…, in_features) -> (…, out_features)."""
        if self.kernel is None or torch.is_grad_enabled() or not _few(x, self.weight):
            return super().forward(x)
        return _few_rows(self.kernel, self.weight, None, self.bias, x)


class Int8Linear(nn.Module):
    """A Linear whose weights are whole numbers of one byte, with a scale for each row of them: a
    quarter of the memory, and so of the time that reading it takes.

    weight: (out_features, in_features), int8. scale: (out_features,). The largest weight of a row
    is 127 times its scale.
    """

    weight: Tensor
    scale: Tensor

    def __init__(self, linear: nn.Linear, kernel: Kernel | None) -> None:
        super().__init__()
        weight = linear.weight.detach().float()
        scale = weight.abs().amax(dim=1).clamp(min=1e-30) / 127
        self.register_buffer("weight", (weight / scale[:, None]).round().to(torch.int8))
        self.register_buffer("scale", scale)
        self.bias = linear.bias
        self.kernel = kernel

    def forward(self, x: Tensor) -> Tensor:
        """x (…, in_features) -> (…, out_features)."""
        if self.kernel is None or not _few(x, self.scale):
            weight = self.weight.to(x.dtype) * self.scale[:, None].to(x.dtype)
            return nn.functional.linear(x, weight, self.bias)
        return _few_rows(self.kernel, self.weight, self.scale, self.bias, x)


def _few(x: Tensor, numbers: Tensor) -> bool:
    """Whether the kernels can compute it: a few rows, on a CPU, all in float32."""
    fits = x.is_cpu and numbers.is_cpu and x.dtype == numbers.dtype == torch.float32
    return fits and x.numel() <= MOST_ROWS * x.shape[-1]


def _few_rows(
    kernel: Kernel, weight: Tensor, scale: Tensor | None, bias: Tensor | None, x: Tensor
) -> Tensor:
    """The kernel's product. It takes addresses: what lies there must be whole and in order."""
    n, k = weight.shape
    x, weight = x.contiguous(), weight.contiguous()
    y = x.new_empty((*x.shape[:-1], n))
    kernel(
        weight.data_ptr(), 0 if scale is None else scale.data_ptr(),
        0 if bias is None else bias.data_ptr(), x.data_ptr(), y.data_ptr(),
        n, k, x.numel() // k, 0,
    )  # fmt: skip
    return y


def for_generation(model: nn.Module, int8: bool, progress: Progress, tokens: int = 0) -> None:
    """Get a model ready to compute a few rows at a time.

    int8: put an Int8Linear in the place of every Linear; embeddings stay as they are. Otherwise the
    weights stay what they are, and on a CPU, if that pays, `lay_out` moves them and the kernel
    computes with them. tokens: about how many the model will generate.
    """
    linears = [part for part in model.modules() if isinstance(part, Linear)]
    on_cpu = all(part.weight.device.type == "cpu" for part in linears)
    large = sum(part.weight.numel() for part in linears) >= LEAST_WEIGHTS
    worth_compiling = large or int8 or tokens >= MANY_TOKENS
    kernels = _kernels(progress, worth_compiling, tokens) if on_cpu else None
    if int8:
        if not on_cpu:
            progress.notice(
                "int8 saves memory on this device, but no time; its kernels are for CPUs"
            )
        _quantize(model, None if kernels is None else kernels.few_rows_int8)
        if kernels is not None:
            lay_out([part for part in model.modules() if isinstance(part, Int8Linear)])
    elif kernels is not None:
        lay_out(linears)
        for part in linears:
            part.kernel = kernels.few_rows_float32


PAGE = 4096  # bytes


@torch.no_grad()
def lay_out(parts: Sequence[Linear | Int8Linear]) -> None:
    """Move the weights of linear parts, all of one number format and on a CPU, into one piece of
    memory, each to the beginning of a page. numpy asks the system for large pages, whose addresses
    the processor need not look up all the time: read from there, a matrix comes a third to a half
    sooner."""
    weights = list({id(part.weight): part.weight for part in parts}.values())
    sizes = [-(-weight.nbytes // PAGE) * PAGE for weight in weights]
    memory = np.empty(sum(sizes) + PAGE, np.uint8)
    at = -memory.ctypes.data % PAGE
    for weight, size in zip(weights, sizes, strict=True):
        place = torch.from_numpy(memory[at : at + weight.nbytes]).view(weight.dtype)
        weight.data = place.view_as(weight).copy_(weight)
        at += size


def _kernels(progress: Progress, worth_compiling: bool, tokens: int) -> ModuleType | None:
    from yocto.kernels.compiler import is_cached

    if not (is_cached("few_rows") and is_cached("layers")):
        if not worth_compiling:
            return None
        progress.say("compiling the kernels for this machine, once: about 10 seconds")
    elif not worth_compiling and tokens < LEAST_TOKENS:
        return None
    from yocto.kernels import few_rows, layers

    assert layers  # what a token takes besides the matrices is computed with it
    return few_rows


def _quantize(model: nn.Module, kernel: Kernel | None) -> None:
    for name, part in model.named_children():
        if isinstance(part, Linear):
            setattr(model, name, Int8Linear(part, kernel))
        else:
            _quantize(part, kernel)
