"""yocto bench tokenizer: this tokenizer against others, in one run."""

from __future__ import annotations

from yocto.bench.tokenizer import TokenizerBench, bench_tokenizer
from yocto.config import BenchTokenizerConfig
from yocto.dataset.documents import read_documents
from yocto.utils.progress import Progress


def run(config: BenchTokenizerConfig, progress: Progress) -> TokenizerBench:
    """Measure encoding and training of all documents as one text."""
    return bench_tokenizer(config, "".join(read_documents(config.text_path)), progress)
