"""Runs to a report: its parts in order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from yocto import __version__
from yocto.report.blocks import Report, Section
from yocto.report.findings import curves, evaluation, samples
from yocto.report.recipe import configuration, data, reproduction, tokenizer
from yocto.report.results import key_figures, results, speed
from yocto.report.source import Source


def make_report(sources: Sequence[Source], now: datetime | None = None) -> Report:
    """A report on one run or on several. now: when it is made."""
    now = now or datetime.now(UTC)
    names = [source.name for source in sources]
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    title = names[0] if len(names) == 1 else f"{len(names)} runs: {', '.join(names[:6])}{more}"
    made = f"A report by yocto {__version__}, {now:%Y-%m-%d %H:%M} UTC"
    parts: list[Section | None] = [
        results(sources), curves(sources), evaluation(sources), samples(sources),
        configuration(sources), data(sources), tokenizer(sources), speed(sources),
        reproduction(sources),
    ]  # fmt: skip
    return Report(title, made, key_figures(sources), [part for part in parts if part is not None])
