"""Guessing what comes next from what was there before: speculative decoding without a second
model."""

from __future__ import annotations

LONGEST = 4  # ids of an n-gram that is looked up


def prompt_lookup(ids: list[int], most: int) -> list[int]:
    """Up to `most` ids that may follow: those that followed the last few ids where they stood
    before, most recently (prompt lookup decoding, Saxena 2023). Empty where they never did.

    The longest n-gram that is found decides. A single id says too little of what follows.
    """
    if most <= 0:
        return []
    for n in range(min(LONGEST, len(ids) - 1), 1, -1):
        last = ids[-n:]
        for start in range(len(ids) - n - 1, -1, -1):
            if ids[start] == last[0] and ids[start : start + n] == last:
                return ids[start + n : start + n + most]
    return []
