"""The curves of a study as a picture."""

from __future__ import annotations

import re
import struct

import pytest

from yocto.errors import RunError
from yocto.evaluation.study import Mean, MeanPoint, TaskMean
from yocto.report.study import draw


def points(tasks: tuple[str, ...] = (), spread: float | None = None) -> list[MeanPoint]:
    return [
        MeanPoint(
            step, 100 * step, 300 * step, Mean(4.5 - step / 10, spread),
            {name: TaskMean(Mean(0.5 + step / 100), [0.4, 0.7]) for name in tasks},
        )
        for step in (5, 10, 15, 20)
    ]  # fmt: skip


def texts(svg: bytes) -> list[str]:
    return re.findall(r"<!-- (.*?) -->", svg.decode())


@pytest.mark.parametrize("tasks", [(), ("blimp",), ("hellaswag", "lambada $x_2")])
def test_there_is_a_panel_for_bits_per_byte_and_one_for_each_task(tasks: tuple[str, ...]) -> None:
    data = draw({"law": points(tasks), "plays": points(tasks)}, "bytes", "png")
    assert data[:4] == b"\x89PNG"
    assert struct.unpack(">II", data[16:24]) == (1350, 690 * (1 + len(tasks)))
    said = texts(draw({"law": points(tasks)}, "bytes", "svg"))
    assert {"law: 2.500", "bits per byte of text", "bytes of text learnt from"} <= set(said)
    for task in tasks:
        assert f"{task}: accuracy, with its 95 % interval" in said


def test_from_left_to_right_runs_what_is_equal() -> None:
    assert "tokens learnt from" in texts(draw({"law": points()}, "tokens", "svg"))


def test_the_first_point_is_within_the_picture_and_a_spread_is_a_band() -> None:
    plain = draw({"law": points()}, "bytes", "svg").decode()
    banded = draw({"law": points(spread=0.2)}, "bytes", "svg").decode()
    assert [svg.count('id="FillBetween') for svg in (plain, banded)] == [0, 1]
    places = [float(text) for text in texts(plain.encode()) if re.fullmatch(r"\d\.\d+", text)]
    assert max(places) >= 3.8  # the first and highest value is 4


def test_many_domains_have_their_legend_beside_the_curves() -> None:
    names = [f"d{i}" for i in range(12)]
    said = texts(draw({name: points() for name in names}, "bytes", "svg"))
    assert {f"{name}: 2.500" for name in names} <= set(said)


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(RunError) as caught:
        draw({"law": points()}, "bytes", "png")
    assert caught.value.hint == "pip install 'yocto[plot]'"
