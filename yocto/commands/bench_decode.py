"""yocto bench decode: generation against transformers and a loop without a cache, in one run."""

from __future__ import annotations

from yocto.bench.decoding import DecodeBench, bench_decoding
from yocto.config import BenchDecodeConfig
from yocto.utils.progress import Progress


def run(config: BenchDecodeConfig, progress: Progress) -> DecodeBench:
    """Measure generation with a model whose weights are drawn at random."""
    return bench_decoding(config, progress)
