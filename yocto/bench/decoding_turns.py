"""What a worker that writes texts does in its turns, and what it answers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from yocto.bench.decoders import DECODERS, Decoder, weight_bytes
from yocto.bench.decoding_job import DecodingJob
from yocto.bench.timing import clocked, repeated
from yocto.model.gpt import GPT
from yocto.model.linear import Linear, for_generation
from yocto.utils.progress import SilentProgress

AT_LEAST = 0.5  # seconds of each way to read memory, in a turn
KERNEL, MV, SUM = "yocto's kernel", "torch.mv", "torch.sum"


def answers(job: DecodingJob) -> Iterator[dict[str, Any]]:
    """The answers to a job: the first one tells that all is ready, then one for each turn."""
    return sweep(job) if job.task == "memory" else decode(job, DECODERS[job.engine](job))


def decode(job: DecodingJob, decoder: Decoder) -> Iterator[dict[str, Any]]:
    """The texts, then turns in which they are written again."""
    yield {
        "texts": decoder.texts(),
        "weight_bytes": decoder.weight_bytes,
        "parameters": decoder.parameters,
    }
    while sys.stdin.readline():
        decoder.begin()
        tokens, seconds, _ = clocked(decoder.turn, job.threads)
        yield {"tokens_per_second": tokens / seconds}


def sweep(job: DecodingJob) -> Iterator[dict[str, Any]]:
    """Turns of reading one float32 matrix with as many bytes as the model's weights: bytes per
    second of each way."""
    torch.set_num_threads(job.threads)
    with torch.device("meta"):  # for its size alone
        size = weight_bytes(GPT(job.config))
    ways, read = ways_to_read(-(-size // (4 * job.config.n_embd)), job.config.n_embd)
    for call in ways.values():
        call()
    yield {}
    while sys.stdin.readline():
        speeds = {}
        for name, call in ways.items():
            count, seconds, _ = clocked(partial(repeated, call, AT_LEAST), job.threads)
            speeds[name] = count * read / seconds
        yield {"ways": speeds, "bytes_per_second": max(speeds.values())}


@torch.no_grad()
def ways_to_read(rows: int, columns: int) -> tuple[dict[str, Callable[[], Tensor]], int]:
    """Calls that read a whole matrix once, and its bytes. Two multiply it with a vector; a plain
    sum shows whether the memory could bring more."""
    layer = Linear(columns, rows, bias=False)
    weight = layer.weight.detach()
    x = torch.randn(columns, generator=torch.Generator().manual_seed(0))
    for_generation(layer, int8=False, progress=SilentProgress())

    def product() -> Tensor:
        with torch.no_grad():
            y: Tensor = layer(x[None])
        return y

    ways = {MV: partial(torch.mv, weight, x), SUM: partial(torch.sum, weight)}
    return {KERNEL: product, **ways}, weight.nbytes
