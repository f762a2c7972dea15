"""How long work still takes, by how fast it has gone of late."""

from __future__ import annotations

from bisect import bisect_left

_MARKS = 256  # moments that the pace is measured by


class Pace:
    """How fast steps go: over the later half of the time, so that a slow start is forgotten, and
    evaluations count with their share."""

    def __init__(self, now: float, done: int) -> None:
        self._times, self._steps = [now], [done]

    def mark(self, now: float, done: int) -> None:
        """So many steps are done."""
        self._times.append(now)
        self._steps.append(done)
        if len(self._times) > _MARKS:
            del self._times[1:-1:2], self._steps[1:-1:2]

    def left(self, total: int) -> float | None:
        """Seconds until `total` steps are done; None before it can be told."""
        now, done = self._times[-1], self._steps[-1]
        i = bisect_left(self._times, (self._times[0] + now) / 2)
        i = min(i, bisect_left(self._steps, done) - 1)  # a step must have been done since
        if i < 0:
            return None
        return (now - self._times[i]) / (done - self._steps[i]) * max(0, total - done)
