"""Checkpoints: a folder that holds all that a model needs, and never half of it.

    checkpoints/<run>/
      step-000500/  model.safetensors  config.json  the tokenizer's files  trainer.pt
      latest  best  each names a step
      metrics.jsonl

config.json holds the SHA-256 of the other files and of its own content, so that a damaged
checkpoint is noticed.
trainer.pt holds tensors and plain values and is read with weights_only=True: nothing runs on load.
"""

from yocto.checkpoint.run import (
    LOCK,
    Run,
    check_run_name,
    find_checkpoint,
    find_run,
    find_runs,
    list_runs,
)
from yocto.checkpoint.step import Checkpoint

__all__ = [
    "LOCK",
    "Checkpoint",
    "Run",
    "check_run_name",
    "find_checkpoint",
    "find_run",
    "find_runs",
    "list_runs",
]
