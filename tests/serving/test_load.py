"""Thirty-two streaming clients for minutes: none lost, memory flat, and the figures printed.

`python -m pytest -m slow -s tests/serving/test_load.py`; YOCTO_LOAD_CKPT names a run to measure
instead of a tiny one, YOCTO_LOAD_MINUTES how long.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from pathlib import Path

import pytest
from served import NAME, Served, served, stream

import yocto


def memory_mb() -> float:
    """What this process holds, in which the server runs."""
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


async def clients(server: Served, count: int, tokens: int) -> tuple[float, list[str]]:
    """So many at once; their tokens a second together, and their texts."""
    end = server.service.lm.tokenizer.end_id
    bias = {} if end is None else {"logit_bias": {str(end): -100}}
    before = server.service.metrics.generated_tokens
    start = time.perf_counter()
    found = await asyncio.gather(*(
        stream(server.port, {
            "model": NAME, "prompt": f"Courage, {i}, is", "max_tokens": tokens, "temperature": 0,
            **bias,
        })
        for i in range(count)
    ))  # fmt: skip
    seconds = time.perf_counter() - start
    assert [(status, reason) for status, _, reason in found] == [(200, "length")] * count
    made = server.service.metrics.generated_tokens - before
    assert made == count * tokens
    return made / seconds, [text for _, text, _ in found]


@pytest.mark.slow
def test_many_clients_for_minutes_get_their_own_answers_and_memory_stays_flat(token_project):
    path = os.environ.get("YOCTO_LOAD_CKPT", str(token_project.run))
    minutes = float(os.environ.get("YOCTO_LOAD_MINUTES", "0.5"))
    with served(yocto.load(path, "cpu")) as server:
        tokens, end = 100, time.perf_counter() + 60 * minutes
        alone = [asyncio.run(clients(server, 1, tokens))[1][0]]
        ones, all_, held = [], [], []
        _, expected = asyncio.run(clients(server, 32, tokens))
        assert expected[:1] == alone
        while time.perf_counter() < end or len(held) < 3:
            ones.append(asyncio.run(clients(server, 1, tokens))[0])
            speed, texts = asyncio.run(clients(server, 32, tokens))
            all_.append(speed)
            held.append(memory_mb())
            assert texts == expected
        ratio = statistics.median(b / a for a, b in zip(ones, all_, strict=True))
        print(
            f"\n1 client: {statistics.median(ones):.0f} tokens/s, 32 clients: "
            f"{statistics.median(all_):.0f}, ratio {ratio:.2f}; memory {held[0]:.0f} MB, then "
            f"{held[-1]:.0f} MB after {len(held)} rounds"
        )
        assert held[-1] < held[len(held) // 3] + 20
        assert server.places == 0
