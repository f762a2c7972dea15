"""The colours and markers of runs, and how what they measured is called and counted."""

from __future__ import annotations

from collections.abc import Sequence

from yocto.report.series import Curves

# Okabe and Ito's colours, which colour-blind people tell apart, without the yellow that is hard to
# see on white. A marker of its own helps where there is no colour at all.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DARK = ("#4FA8DC", "#F08A4B", "#2CC79B", "#E39BC4", "#F0B93A", "#9AD4F5", "#E8E8E8")  # on black
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
STYLES = ("-", "--", ":")  # when the colours begin anew

LABELS = {
    "loss": "loss (nats per token)",
    "bits-per-byte": "validation loss (bits per byte of text)",
    "learning-rate": "learning rate",
    "grad-norm": "gradient norm before clipping",
    "tokens-per-second": "speed (tokens per second)",
}
_TIMES = (("seconds", 1), ("minutes", 60), ("hours", 3600), ("days", 86400))


def unit_of(curves: Sequence[Curves], x: str) -> tuple[str, int]:
    """The unit of x; of time the one that gives the longest run a number of two digits or so."""
    if x != "seconds":
        return x, 1
    longest = max((p[0] for run in curves for p in (*run.training, *run.validation)), default=0.0)
    return [unit for unit in _TIMES if unit[1] == 1 or longest >= 3 * unit[1]][-1]
