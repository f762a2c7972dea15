"""Stop strings in text that comes in pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence


def stop_at(pieces: Iterable[str], stops: Sequence[str]) -> Iterator[str]:
    """Pass text on until a stop string appears; neither it nor what follows comes through.

    A stop string may be spread over pieces, so text that might be the start of one is held back
    until the next piece tells.
    """
    stops = [stop for stop in stops if stop]
    held = ""
    for piece in pieces:
        held += piece
        found = [(at + len(stop), at) for stop in stops if (at := held.find(stop)) >= 0]
        if found:
            _, at = min(found)  # the one that was complete first, wherever the pieces were cut
            if at:
                yield held[:at]
            return
        keep = max((_overlap(held, stop) for stop in stops), default=0)
        if len(held) > keep:
            yield held[: len(held) - keep]
            held = held[len(held) - keep :]
    if held:
        yield held


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of text that a stop string starts with."""
    for n in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:n]):
            return n
    return 0
