"""yocto runs compare: what differs between runs."""

from __future__ import annotations

from pathlib import Path

from yocto.checkpoint import Run, find_run
from yocto.config import RunsCompareConfig
from yocto.errors import ConfigError
from yocto.training.comparison import Comparison, compare
from yocto.training.history import read_history
from yocto.utils.progress import Progress


def run(config: RunsCompareConfig, progress: Progress) -> Comparison:
    """Compare runs; what is damaged about one is told, and the rest compared."""
    found: dict[Path, Run] = {}
    for spec in config.run:
        run = find_run(spec, Path(config.ckpt_dir))
        found.setdefault(run.path.resolve(), run)
    if len(found) < 2:
        raise ConfigError(
            f"to compare takes two different runs or more, not {len(found)}",
            "Like yocto runs compare token-1 token-2; yocto runs lists what there is.",
        )
    histories = [read_history(run) for run in found.values()]
    for history in histories:
        if history.damage:
            progress.notice(f"{history.run.name} is damaged: {history.damage}")
    return compare(histories)
