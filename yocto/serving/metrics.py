"""Figures of a server, in the text form that Prometheus reads."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator

# Seconds: what a text may wait for, from a token of a small model to minutes in the queue.
BUCKETS = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0,
)  # fmt: skip
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Histogram:
    """How often a duration fell into each bucket. Written by one thread; a reader may see the last
    value in part."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BUCKETS) + 1)
        self._sum = 0.0

    def observe(self, seconds: float, times: int = 1) -> None:
        """Count a duration."""
        self._counts[bisect_left(BUCKETS, seconds)] += times
        self._sum += seconds * times

    def lines(self, name: str, help: str) -> Iterator[str]:
        """As Prometheus reads it."""
        yield f"# HELP {name} {help}"
        yield f"# TYPE {name} histogram"
        total = 0
        for bucket, count in zip((*map(str, BUCKETS), "+Inf"), self._counts, strict=True):
            total += count
            yield f'{name}_bucket{{le="{bucket}"}} {total}'
        yield f"{name}_sum {self._sum:.9g}"
        yield f"{name}_count {total}"


class Metrics:
    """All figures. requests: (route, method, status) -> how many."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.prompt_tokens = self.generated_tokens = self.cancelled = 0
        self.first_token, self.each_token = Histogram(), Histogram()

    def text(self, running: int, waiting: int, slots: int) -> str:
        """The page. running, waiting: texts by now."""
        return "\n".join(self._lines(running, waiting, slots)) + "\n"

    def _lines(self, running: int, waiting: int, slots: int) -> Iterator[str]:
        name = "yocto_requests_total"
        yield f"# HELP {name} Requests answered or refused, by route and status."
        yield f"# TYPE {name} counter"
        for (route, method, status), count in sorted(self.requests.items()):
            yield f'{name}{{route="{route}",method="{method}",status="{status}"}} {count}'
        for name, kind, value, help in (
            ("yocto_prompt_tokens_total", "counter", self.prompt_tokens, "Tokens of prompts."),
            ("yocto_generated_tokens_total", "counter", self.generated_tokens, "Tokens made."),
            ("yocto_cancelled_texts_total", "counter", self.cancelled,
             "Texts that nobody waited for any more."),
            ("yocto_texts_running", "gauge", running, "Texts in the making."),
            ("yocto_texts_waiting", "gauge", waiting, "Texts that wait for a place."),
            ("yocto_slots", "gauge", slots, "Texts that can be made at a time."),
        ):  # fmt: skip
            yield f"# HELP {name} {help}"
            yield f"# TYPE {name} {kind}"
            yield f"{name} {value}"
        yield from self.first_token.lines(
            "yocto_time_to_first_token_seconds", "From a request to its first token."
        )
        yield from self.each_token.lines(
            "yocto_time_per_token_seconds", "From a text's token to its next."
        )
