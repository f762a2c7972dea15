"""How many processor cores there are to work with."""

from __future__ import annotations

import os


def available_cores() -> int:
    """The cores that this process may use: a container or taskset may leave it fewer than all."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
