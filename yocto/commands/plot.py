"""yocto plot: the curves of runs as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from yocto.checkpoint import find_run
from yocto.config import PlotConfig
from yocto.errors import RunError
from yocto.report.canvas import picture_kind
from yocto.report.curves import draw
from yocto.report.series import curves_of
from yocto.training.history import labels, newest_trained, read_history
from yocto.utils.files import atomic_file
from yocto.utils.progress import Progress


@dataclass(frozen=True)
class Plotted:
    """What was drawn. runs: name -> the value at its best step, None where there is none."""

    out_path: str
    x: str
    y: str
    runs: dict[str, float | None]

    def summary(self) -> list[str]:
        """The result in words."""
        return [f"{self.y} over {self.x} of {', '.join(self.runs)} -> {self.out_path}"]


def run(config: PlotConfig, progress: Progress) -> Plotted:
    """Draw the runs that are named, or the newest."""
    out_path = Path(config.out_path)
    kind = picture_kind(config.out_path)
    folder = Path(config.ckpt_dir)
    if config.run:
        found = [find_run(spec, folder) for spec in config.run]
        histories = [read_history(r) for r in {r.path.resolve(): r for r in found}.values()]
    else:
        histories = [newest_trained(folder)]
    drawn = []
    for history, name in zip(histories, labels(histories), strict=True):
        curves = curves_of(history, name, config.x, config.y)
        if curves.training or curves.validation:
            drawn.append(curves)
        else:
            told = "was imported: nothing was measured of its training"
            if not history.imported:
                told = f"has measured no {config.y} over {config.x} so far"
            progress.notice(f"{name} {told}")
    if not drawn:
        raise RunError(
            f"there is no {config.y} over {config.x} to draw",
            "A run measures something every 10 steps; --y loss and --x steps go back the furthest.",
        )
    picture = draw(drawn, config.x, config.y, kind)
    with atomic_file(out_path) as file:
        file.write(picture)
    return Plotted(config.out_path, config.x, config.y, {c.name: c.best for c in drawn})
