"""Times that can be compared: passes without the garbage collector, medians, ratios by round.

Sides take turns: a round has each of them once, so what else the machine does at the time meets all
of them alike. A ratio is taken within each round, and then the median of these.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

ENOUGH = 0.2  # seconds of warm passes in one round …
MOST = 5  # … and the most of them


def timed(call: Callable[[], Any]) -> float:
    """Seconds of one pass. Its result is dropped afterwards."""
    gc.collect()
    gc.disable()
    try:
        began = time.perf_counter()
        result = call()
        seconds = time.perf_counter() - began
    finally:
        gc.enable()
    del result
    return seconds


def cold_and_warm(load: Callable[[], Callable[[], Any]]) -> tuple[float, float]:
    """Seconds of the first pass after a load, and of the passes that follow it, their median."""
    call = load()
    cold = timed(call)
    warm: list[float] = []
    while not warm or (sum(warm) < ENOUGH and len(warm) < MOST):
        warm.append(timed(call))
    return cold, median(warm)


def repeated(call: Callable[[], Any], at_least: float) -> int:
    """Call again and again for so many seconds, once at least; returns how often."""
    count, began = 0, time.perf_counter()
    while not count or time.perf_counter() - began < at_least:
        call()
        count += 1
    return count


def clocked(call: Callable[[], int], threads: int) -> tuple[int, float, float]:
    """What a call gives, the seconds that speeds go by, and those of the processor.

    Speeds go by the time that passes, but on one thread by CPU seconds, those of all threads: the
    same on a quiet machine, and on a busy one what else runs on that core does not count.
    """
    began, cpu_began = time.perf_counter(), time.process_time()
    count = call()
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
    return count, cpu_seconds if threads == 1 else seconds, cpu_seconds


def speed_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """How many times as quick as ours theirs is, from the seconds of the same rounds."""
    return median(a / b for a, b in zip(ours, theirs, strict=True))


def turns(count: int, number: int) -> list[int]:
    """The order of `count` sides in a round: each begins as often as another."""
    return [(i + number) % count for i in range(count)]
