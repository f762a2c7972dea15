"""What all pictures have in common: matplotlib without a display, a frame, the bytes of a file."""

from __future__ import annotations

import io
import warnings
from pathlib import PurePath
from typing import TYPE_CHECKING

from yocto.errors import ConfigError, RunError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EXTRA = "pip install 'yocto[plot]'"


def blank(width: float, height: float) -> Figure:
    """An empty picture, in inches of 150 points. Raises RunError without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise RunError("to draw takes the package matplotlib", EXTRA) from None
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)  # no display, no window, no state that others share
    return figure


def as_file(figure: Figure, kind: str) -> bytes:
    """The picture as the bytes of a file of `kind`, png or svg."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        # A name may have characters that the font lacks: boxes stand for them.
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        figure.savefig(file, format=kind, dpi=150)
    return file.getvalue()


def plain_frame(axes: Axes) -> None:
    """A faint grid behind what is drawn, and no lines at the top and on the right."""
    axes.grid(color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def shortened(name: str) -> str:
    """A name that a legend has room for."""
    return name if len(name) <= 32 else f"{name[:31]}…"


def picture_kind(out_path: str) -> str:
    """What a file to write is by its name, png or svg. Raises ConfigError for another one."""
    kind = PurePath(out_path).suffix.lower().removeprefix(".")
    if kind not in ("png", "svg"):
        raise ConfigError(
            f"out_path is {out_path!r}, but a picture is a .png or an .svg",
            "Like --out-path curves.png or --out-path curves.svg.",
        )
    return kind
