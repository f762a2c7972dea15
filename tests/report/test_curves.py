"""Curves as pictures."""

from __future__ import annotations

import builtins
import re
import struct
import sys

import pytest

from yocto.errors import RunError
from yocto.report.curves import draw
from yocto.report.series import Curves


def curves(name: str = "token-1", best: float | None = 1.25) -> Curves:
    falling = [(10.0 * i, 4 / i) for i in range(1, 200)]
    return Curves(name, falling, falling[::25], best)


def texts(svg: bytes) -> list[str]:
    """What an SVG says: matplotlib notes each text in a comment."""
    return re.findall(r"<!-- (.*?) -->", svg.decode())


def test_a_png_is_one_of_1350_by_825_points() -> None:
    data = draw([curves()], "steps", "loss", "png")
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == (1350, 825)


def test_the_legend_has_names_and_best_values_and_the_axes_have_units() -> None:
    said = texts(draw([curves(), curves("token-2", 2.0)], "tokens", "loss", "svg"))
    assert {"token-1: best 1.250", "token-2: best 2.000", "validation", "training, smoothed",
            "tokens learnt from", "loss (nats per token)"} <= set(said)  # fmt: skip


@pytest.mark.parametrize(
    ("longest", "label"),
    [(100, "seconds"), (200, "minutes"), (10_000, "minutes"), (20_000, "hours"), (1e6, "days")],
)
def test_times_are_in_a_unit_that_fits(longest, label) -> None:
    run = Curves("a", [], [(0.0, 2.0), (longest, 1.0)], None)
    said = texts(draw([run], "seconds", "loss", "svg"))
    assert f"training time ({label})" in said


@pytest.mark.parametrize("name", ["_hidden", "a $x_2$ b", "$", "\\alpha", "漢字", "x" * 300])
def test_a_name_is_written_as_it_is_whatever_it_holds(name) -> None:
    said = texts(draw([curves(name, None)], "steps", "loss", "svg"))
    shown = name if len(name) < 33 else name[:31] + "…"
    assert shown in said


def test_runs_have_different_colours_and_then_different_lines() -> None:
    svg = draw([curves(f"r{i}") for i in range(9)], "steps", "loss", "svg").decode()
    looks = {
        re.sub(r"stroke-opacity: [\d.]+", "", style)
        for style in re.findall(r'style="fill: none; (stroke[^"]*stroke-width: 1\.8[^"]*)"', svg)
    }
    assert len(looks) == 10  # nine runs, and the grey one that explains


@pytest.mark.parametrize("y", ["bits-per-byte", "learning-rate", "grad-norm", "tokens-per-second"])
@pytest.mark.parametrize("x", ["steps", "tokens", "seconds"])
def test_every_pair_is_drawn_a_single_point_too(x, y) -> None:
    assert draw([Curves("a", [(1.0, 0.0)], [], None)], x, y, "png")
    assert draw([Curves("a", [], [(0.0, 5.0)], 5.0), curves()], x, y, "svg")


def test_no_display_and_no_pyplot_is_needed(monkeypatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "tkagg")
    monkeypatch.delenv("DISPLAY", raising=False)
    assert draw([curves()], "steps", "loss", "png")
    assert "matplotlib.pyplot" not in sys.modules


def test_without_matplotlib_it_says_what_to_install(monkeypatch) -> None:
    real = builtins.__import__

    def without(name, *rest):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(RunError, match="takes the package matplotlib") as caught:
        draw([curves()], "steps", "loss", "png")
    assert caught.value.hint == "pip install 'yocto[plot]'"
