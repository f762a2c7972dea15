"""Trains a model in a process of its own and prints its memory, measured and estimated.

memory_worker.py SETTINGS: JSON of a TrainConfig's settings, and of vocab_size, threads and steps.
Prints JSON: the most resident memory above what there was before the model was made, and the
estimate, in bytes.
Linux only.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from yocto.checkpoint import Run
from yocto.commands import train  # noqa: F401 (all that the program imports is there before)
from yocto.config import GPTConfig, TrainConfig
from yocto.model.gpt import GPT
from yocto.tokenizer.char import CharTokenizer
from yocto.training.corpus import Corpus, TextLessons
from yocto.training.memory import training_memory
from yocto.training.runs import MODEL_KNOBS
from yocto.training.trainer import Trainer
from yocto.utils.progress import SilentProgress


def resident(which: str) -> int:
    """VmRSS, what there is now, or VmHWM, the most that there was; bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(status.partition(f"{which}:")[2].split()[0])


def main(vocab_size: int = 65, threads: int = 1, steps: int = 6, **knobs: object) -> None:
    """Train some steps, with evaluations and checkpoints among them."""
    torch.set_num_threads(threads)
    config = TrainConfig.from_dict({
        "max_iters": steps, "eval_interval": max(1, steps // 2), "eval_iters": 1, "device": "cpu",
        **knobs,
    })  # fmt: skip
    T = config.block_size
    random = np.random.default_rng(0)
    ids = random.integers(0, vocab_size, max(20_000, 4 * T)).astype(np.uint16)
    corpus = Corpus(ids, ids[: T * config.batch_size + T // 2], len(ids), documents=9, end_id=0)
    shape = {name: getattr(config, name) for name in MODEL_KNOBS}
    with tempfile.TemporaryDirectory() as folder:
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # VmHWM begins anew
        before = resident("VmRSS")
        model = GPT(GPTConfig(vocab_size=vocab_size, **shape))
        run, tokenizer = Run(Path(folder)), CharTokenizer("ab")
        lessons = TextLessons(config, corpus, vocab_size)
        Trainer(model, config, lessons, tokenizer, run, SilentProgress()).fit()
        measured = resident("VmHWM") - before
    print(json.dumps([measured, training_memory(model.config, config)]))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
