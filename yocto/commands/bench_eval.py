"""yocto bench eval: evaluation against bare forward passes of the same model, in one run."""

from __future__ import annotations

from yocto.bench.evaluating import EvalBench, bench_evaluation
from yocto.config import BenchEvalConfig
from yocto.utils.progress import Progress


def run(config: BenchEvalConfig, progress: Progress) -> EvalBench:
    """Measure evaluation with a model whose weights are drawn at random."""
    return bench_evaluation(config, progress)
