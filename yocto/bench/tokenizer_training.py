"""Training of tokenizers, engine against engine: a fresh process for each run, in turns.

The clock counts the learning, not imports and not the reading of the text; kernels are compiled. An
engine may learn other merges, as one does that breaks ties by another order: the row says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from yocto.bench.contest import Answer, Contest
from yocto.bench.job import Job
from yocto.bench.peers import OURS
from yocto.bench.session import Session
from yocto.bench.timing import speed_ratio
from yocto.bench.tokenizer_trainers import TRAINERS
from yocto.utils.progress import Task


@dataclass(frozen=True)
class TrainRow:
    """One engine on so many threads. ratio: to yocto in the same rounds, above 1 is quicker.
    peak_mb: the most memory of its process, with Python and the text. same_merges: as ours.
    reason: why there are no figures."""

    engine: str
    version: str | None
    threads: int
    call: str
    seconds: float | None = None
    ratio: float | None = None
    peak_mb: float | None = None
    same_merges: bool | None = None
    reason: str | None = None


def measure_training(
    engines: Sequence[str], job: Callable[[str], Job], threads: int, rounds: int, task: Task
) -> list[TrainRow]:
    """A row for each engine, ours first. job: what an engine is asked to do."""
    contest = Contest(engines, rounds, task)

    def ask(name: str) -> Answer:
        with Session(job(name)) as session:
            return session.ask()

    contest.play(ask)
    (first, *_) = contest.answers[OURS]

    def row(name: str) -> TrainRow:
        call = TRAINERS[name].call
        if name in contest.out:
            reason = contest.out[name]
            return TrainRow(name, contest.versions[name], threads, call, reason=reason)
        answers, seconds = contest.answers[name], contest.figures(name, "seconds")
        peaks = [answer["peak_bytes"] / 1e6 for answer in answers if answer["peak_bytes"]]
        return TrainRow(
            name, contest.versions[name], threads, call,
            seconds=median(seconds),
            ratio=speed_ratio(contest.figures(OURS, "seconds"), seconds),
            peak_mb=median(peaks) if peaks else None,
            same_merges=same_merges(first, answers[0]),
        )  # fmt: skip

    return [row(name) for name in engines]


def same_merges(ours: Answer, theirs: Answer) -> bool:
    """Whether the merges are ours; of an engine that tells tokens only, whether these are."""
    what = "tokens" if theirs["merges"] is None else "merges"
    return bool(ours[what] == theirs[what])
