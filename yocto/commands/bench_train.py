"""yocto bench train: our recipe against nanoGPT's and transformers' GPT-2, in one run."""

from __future__ import annotations

from yocto.bench.training import TrainBench, bench_training
from yocto.config import BenchTrainConfig
from yocto.dataset.documents import read_documents
from yocto.utils.progress import Progress


def run(config: BenchTrainConfig, progress: Progress) -> TrainBench:
    """Measure training on the characters of all documents as one text."""
    return bench_training(config, "".join(read_documents(config.text_path)), progress)
