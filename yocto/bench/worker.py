"""A process that measures one engine: python -m yocto.bench.worker.

A process each, because most engines count their threads once, when they are imported, from the
environment and from the cores they may use; because a peak of memory is a process's; and because
one that crashes must not take the others with it. Jobs and answers are lines of JSON on standard
input and output. A job comes first. An encoder answers with the SHA-256 of its ids, then each line
more asks for a round; who trains a model, or writes with one, answers that it is ready, then each
line more asks for a turn. The training of a tokenizer answers once.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from yocto.bench.decoding_job import DecodingJob
from yocto.bench.job import Job, Unfit
from yocto.bench.machine import peak_memory, pin
from yocto.bench.training_job import TrainingJob

if TYPE_CHECKING:
    from yocto.bench.encoders import Encoder


def main() -> None:
    """Do the job on standard input."""
    # What a library prints goes to standard error: the answers have standard output to themselves.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        try:
            for answer in work(read_job(sys.stdin.readline())):
                answers.write(json.dumps(answer) + "\n")
                answers.flush()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # what panics in Rust is no Exception
            what = str(error) if isinstance(error, Unfit) else f"{type(error).__name__}: {error}"
            answers.write(json.dumps({"error": what}) + "\n")


KINDS: Mapping[str, type[Job | TrainingJob | DecodingJob]] = {
    task: kind
    for kind in (Job, TrainingJob, DecodingJob)
    for task in get_args(get_type_hints(kind)["task"])
}


def read_job(line: str) -> Job | TrainingJob | DecodingJob:
    """The job that a line tells of."""
    values = json.loads(line)
    return KINDS[values["task"]](**values)


def work(job: Job | TrainingJob | DecodingJob) -> Iterator[dict[str, Any]]:
    """The answers to a job."""
    pin(job.core)  # before anything counts cores
    if isinstance(job, TrainingJob):
        from yocto.bench import training_turns

        return training_turns.answers(job)
    if isinstance(job, DecodingJob):
        from yocto.bench import decoding_turns

        return decoding_turns.answers(job)
    return train(job) if job.task == "train" else encode(job)


def encode(job: Job) -> Iterator[dict[str, Any]]:
    """The ids' identity, then rounds for as long as somebody asks."""
    from yocto.bench.timing import cold_and_warm

    encoder = _encoders(job)[job.engine](job)
    tokens, sha256 = encoder.identity(encoder.load()())
    yield {"tokens": tokens, "sha256": sha256}
    while sys.stdin.readline():
        cold, warm = cold_and_warm(encoder.load)
        yield {"cold": cold, "warm": warm, "peak_bytes": peak_memory()}


def _encoders(job: Job) -> Mapping[str, type[Encoder]]:
    """The engines for texts in memory, or for files."""
    if job.task == "file":
        from yocto.bench.file_encoders import FILE_ENCODERS

        return FILE_ENCODERS
    from yocto.bench.encoders import ENCODERS

    return ENCODERS


def train(job: Job) -> Iterator[dict[str, Any]]:
    """Seconds, the peak of memory, and the identity of what was learnt."""
    from yocto.bench.timing import timed
    from yocto.bench.tokenizer_trainers import TRAINERS

    trainer = TRAINERS[job.engine](job)
    results: list[Any] = []
    before = peak_memory()
    seconds = timed(lambda: results.append(trainer.train()))
    peak = peak_memory()
    merges = trainer.merges(results[0])
    yield {
        "seconds": seconds,
        "peak_bytes": peak,
        "peak_bytes_before": before,
        "merges": None if merges is None else _digest(part for pair in merges for part in pair),
        "tokens": _digest(trainer.tokens(results[0])),
    }


def _digest(parts: Any) -> str:
    """The identity of a list of byte strings."""
    return hashlib.sha256(json.dumps([part.hex() for part in parts]).encode()).hexdigest()


if __name__ == "__main__":
    main()
