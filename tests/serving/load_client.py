"""Streaming clients in a process of their own: what they cost is not the server's.

`python load_client.py PORT MODEL TOKENS MORE`, MORE being JSON that each body gets. Each line of
its input names how many answer numbers to ask for at once, as "0 1 2"; it answers with a line of
JSON: seconds, first (each one's seconds to its first bytes of text), statuses, texts, reasons.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any


async def stream(port: int, body: dict[str, Any]) -> tuple[float, bytes]:
    """One answer, read to its end and not looked at, as long as others are timed."""
    data = json.dumps(body).encode()
    start = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(data) + data
    )
    parts, first = [b""], 0.0
    while part := await reader.read(1 << 16):
        parts.append(part)
        if not first and b"data: " in part:
            first = time.perf_counter() - start
    writer.close()
    return first, b"".join(parts)


def told(answer: bytes) -> tuple[int, str, str | None]:
    """An answer's status, text and finish_reason."""
    events = [
        json.loads(line[6:]) for line in answer.decode().splitlines() if line.startswith("data: {")
    ]
    choices = [event["choices"][0] for event in events]
    text = "".join(choice["text"] for choice in choices)
    reason = choices[-1]["finish_reason"] if choices else None
    return int(answer.split(b" ", 2)[1]), text, reason


async def together(port: int, bodies: list[dict[str, Any]]) -> dict[str, Any]:
    """All at once."""
    start = time.perf_counter()
    found = await asyncio.gather(*(stream(port, body) for body in bodies))
    seconds = time.perf_counter() - start
    statuses, texts, reasons = zip(*(told(answer) for _, answer in found), strict=True)
    return {
        "seconds": seconds, "first": [first for first, _ in found], "statuses": statuses,
        "texts": texts, "reasons": reasons,
    }  # fmt: skip


def main() -> None:
    """Answer line by line."""
    port, model, tokens, more = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
    fixed = {"model": model, "max_tokens": tokens, "temperature": 0, "stream": True}
    for line in sys.stdin:
        bodies = [
            {**fixed, "seed": int(number), **json.loads(more), "prompt": f"Courage, {number}, is"}
            for number in line.split()
        ]
        print(json.dumps(asyncio.run(together(port, bodies))), flush=True)


if __name__ == "__main__":
    main()
