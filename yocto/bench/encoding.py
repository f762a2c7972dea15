"""Encoding, engine against engine.

The processes live side by side and take turns, a round at a time: a tokenizer is loaded anew, its
first pass is the "cold" one, with an empty word cache and kernels compiled, and the passes after it
are "warm". An engine whose ids are not ours is out before anything is timed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from yocto.bench.contest import Answer, Contest
from yocto.bench.encoders import ENCODERS, Encoder
from yocto.bench.job import Job
from yocto.bench.peers import IN_MEMORY, OURS
from yocto.bench.session import Session
from yocto.bench.timing import speed_ratio
from yocto.utils.progress import Task


@dataclass(frozen=True)
class EncodeRow:
    """One engine on so many threads. MB: 10^6 bytes of UTF-8. A ratio is to yocto in the same
    rounds: above 1 is quicker. peak_mb: the most memory that its process held, 10^6 bytes. reason:
    why there are no figures."""

    engine: str
    version: str | None
    threads: int
    call: str
    peak_mb: float | None = None
    cold_mb_per_s: float | None = None
    cold_ratio: float | None = None
    warm_mb_per_s: float | None = None
    warm_ratio: float | None = None
    reason: str | None = None


def measure_encoding(
    engines: Sequence[str],
    job: Callable[[str], Job],
    threads: int,
    text_bytes: int,
    rounds: int,
    task: Task,
    encoders: Mapping[str, type[Encoder]] = ENCODERS,
) -> list[EncodeRow]:
    """A row for each engine, ours first. job: what an engine is asked to do."""
    contest = Contest(engines, rounds, task)
    with ExitStack() as stack:
        sessions: dict[str, Session] = {}
        ours: Answer = {}

        def check(name: str) -> str | None:
            sessions[name] = stack.enter_context(Session(job(name)))
            answer = sessions[name].ask()
            if name == OURS:
                ours.update(answer)
            return None if name == IN_MEMORY else other_ids(ours, answer)

        contest.check(check)
        for name in contest.out:
            if name in sessions:
                sessions[name].close()
        contest.play(lambda name: sessions[name].ask())

    def row(name: str) -> EncodeRow:
        call = encoders[name].calls[threads > 1]
        if name in contest.out:
            reason = contest.out[name]
            return EncodeRow(name, contest.versions[name], threads, call, reason=reason)
        cold, warm = contest.figures(name, "cold"), contest.figures(name, "warm")
        return EncodeRow(
            name, contest.versions[name], threads, call,
            peak_mb=contest.most(name, "peak_bytes") / 1e6,
            cold_mb_per_s=text_bytes / 1e6 / median(cold),
            cold_ratio=speed_ratio(contest.figures(OURS, "cold"), cold),
            warm_mb_per_s=text_bytes / 1e6 / median(warm),
            warm_ratio=speed_ratio(contest.figures(OURS, "warm"), warm),
        )  # fmt: skip

    return [row(name) for name in engines]


def other_ids(ours: Answer, theirs: Answer) -> str | None:
    """What is wrong with the ids of an engine, if anything."""
    if ours["sha256"] == theirs["sha256"]:
        return None
    if ours["tokens"] == theirs["tokens"]:
        return "other ids"
    return f"other ids: {theirs['tokens']:,} tokens instead of {ours['tokens']:,}"
