"""Thirty-two streaming clients for minutes: none lost or mixed up, memory flat, and the figures
printed.

`python -m pytest -m slow -s tests/serving/test_load.py`; YOCTO_LOAD_CKPT names a run to measure
instead of a tiny one, YOCTO_LOAD_MINUTES how long. Server and clients are a process each, and
rounds of one client and of all take turns.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import pytest

import yocto
from yocto.bench.machine import Machine

CLIENTS, TOKENS = 32, 100
ONES = 4  # answers to one client in a round, one after the other


@contextmanager
def server(run: str) -> Iterator[tuple[subprocess.Popen[str], str, int]]:
    """A server of a run: its process, the model's name and the port."""
    command = [sys.executable, "-m", "yocto", "serve", "--ckpt", run, "--port", "0"]
    process = subprocess.Popen(
        [*command, "--device", "cpu", "--model-name", "loaded"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        said: list[str] = []
        while not (found := re.search(r"http://127\.0\.0\.1:(\d+)", said[-1] if said else "")):
            said.append(process.stdout.readline())
            assert said[-1], f"the server has not begun: {said}"
        yield process, "loaded", int(found[1])
    finally:
        process.terminate()
        process.communicate(timeout=60)


class Clients:
    """The process that asks."""

    def __init__(self, port: int, name: str, more: dict[str, Any]) -> None:
        script = Path(__file__).with_name("load_client.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script), str(port), name, str(TOKENS), json.dumps(more)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def ask(self, numbers: Sequence[int]) -> dict[str, Any]:
        """So many answers at once; all of them whole."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(" ".join(map(str, numbers)) + "\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert found["statuses"] == [200] * len(numbers)
        assert found["reasons"] == ["length"] * len(numbers)
        return found

    def __enter__(self) -> Clients:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)


def memory_mb(pid: int) -> float:
    """What a process holds."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.slow
def test_many_clients_for_minutes_get_their_own_answers_and_memory_stays_flat(token_project):
    run = os.environ.get("YOCTO_LOAD_CKPT", str(token_project.run))
    minutes = float(os.environ.get("YOCTO_LOAD_MINUTES", "0.3"))
    end_id = yocto.load(run, "cpu").tokenizer.end_id
    more = {} if end_id is None else {"logit_bias": {str(end_id): -100}}
    with server(run) as (process, name, port), ExitStack() as stack:
        with Clients(port, name, {**more, "temperature": 1}) as drawing:  # all of them differ
            drawn = [drawing.ask([number])["texts"][0] for number in range(CLIENTS)]
            assert len(set(drawn)) == CLIENTS
            assert drawing.ask(range(CLIENTS))["texts"] == drawn
        clients = stack.enter_context(Clients(port, name, more))
        alone = [clients.ask([number])["texts"][0] for number in range(CLIENTS)]
        ones, all_, held, firsts = [], [], [], ([], [])
        end = time.perf_counter() + 60 * minutes
        while time.perf_counter() < end or len(held) < 3:
            single = [clients.ask([number]) for number in range(ONES)]
            many = clients.ask(range(CLIENTS))
            # The kernels compute each text as if it were alone, to the last bit: no tie can differ.
            assert many["texts"] == alone
            ones.append(ONES * TOKENS / sum(one["seconds"] for one in single))
            all_.append(CLIENTS * TOKENS / many["seconds"])
            firsts[0].extend(one["first"][0] for one in single)
            firsts[1].append(max(many["first"]))
            held.append(memory_mb(process.pid))
        metrics = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    ratio = median(b / a for a, b in zip(ones, all_, strict=True))
    print(
        f"\n{Machine.this()}, load {os.getloadavg()[0]:.1f}\n1 client: {median(ones):.0f} tokens/s,"
        f" first after {1000 * median(firsts[0]):.0f} ms; {CLIENTS} clients: {median(all_):.0f}"
        f" tokens/s, the last one's first after {1000 * median(firsts[1]):.0f} ms; ratio"
        f" {ratio:.2f}; memory {held[0]:.0f} MB, then {held[-1]:.0f} MB after {len(held)} rounds"
    )
    assert held[-1] < held[len(held) // 3] + 20
    assert "\nyocto_texts_running 0" in metrics and "\nyocto_texts_waiting 0" in metrics
