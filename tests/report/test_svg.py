"""Curves as SVG."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yocto.report.blocks import Picture
from yocto.report.series import Curves
from yocto.report.svg import HEIGHT, WIDTH, description, marker, svg, swatch, ticks

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
POINTS = st.lists(st.tuples(st.floats(0, 1e9), NUMBERS), max_size=30).map(sorted)


def one(training, validation=(), name="a", best=None, y="loss", x="steps") -> Picture:
    return Picture(x, y, [Curves(name, list(training), list(validation), best)], [0])


def places(picture: str, kind: str) -> list[list[tuple[float, float]]]:
    """The points of all lines of that class."""
    tree = ET.fromstring(picture)
    found = []
    for element in tree.iter("{http://www.w3.org/2000/svg}path"):
        if kind in element.get("class").split():
            pairs = re.findall(r"(-?[0-9.]+) (-?[0-9.]+)", element.get("d"))
            found.append([(float(x), float(y)) for x, y in pairs])
    return found


@settings(max_examples=60)
@given(POINTS, POINTS, st.text(max_size=20))
def test_a_picture_is_well_formed_whatever_was_measured(training, validation, name) -> None:
    picture = svg(one(training, validation, name), "p1")
    ET.fromstring(picture)
    assert "nan" not in re.sub(r"<(title|desc).*?</\1>", "", picture)
    for line in places(picture, "line"):
        assert all(math.isfinite(x) and abs(y) < 4 * HEIGHT for x, y in line)


def test_points_stand_where_their_values_are() -> None:
    picture = svg(one([], [(0, 1.0), (50, 2.0), (100, 3.0)]), "p1")
    (line,) = places(picture, "line")
    assert [x for x, _ in line] == pytest.approx([58, (58 + WIDTH - 22) / 2, WIDTH - 22], abs=0.1)
    low, middle, high = (y for _, y in line)
    assert low > middle > high  # up is less
    assert low - middle == pytest.approx(middle - high, abs=0.2)


def test_a_single_value_is_seen() -> None:
    assert '<circle class="m c0"' in svg(one([(10, 2.0)]), "p1")
    assert '<circle class="m c0"' in svg(one([], [(10, 2.0)]), "p1")


def test_a_picture_says_what_it_shows_to_who_cannot_see_it() -> None:
    picture = one([(10, 4.0), (20, 3.0)], [(20, 3.5)], "a<b", best=3.5)
    assert description(picture) == (
        "Over steps. a<b, training: from 4 to 3; a<b, validation: from 3.5 to 3.5; a<b, best: 3.5."
    )
    tree = ET.fromstring(svg(picture, "p7"))
    assert tree.get("role") == "img"
    assert tree.get("aria-labelledby") == "p7-title p7-desc"
    assert {e.get("id") for e in tree.iter()} >= {"p7-title", "p7-desc", "p7-clip"}


def test_a_long_run_makes_no_long_file() -> None:
    long = [(float(i), 5 - i / 1e5) for i in range(100_000)]
    assert len(svg(one(long, long), "p1")) < 45_000


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (10, 300, [100, 200, 300]), (2, 2, [2])],
)
def test_ticks_are_round_numbers(low, high, expected) -> None:
    assert ticks(low, high, 5) == pytest.approx(expected)


@given(NUMBERS, NUMBERS)
def test_there_are_never_many_ticks(a, b) -> None:
    assert len(ticks(min(a, b), max(a, b), 5)) <= 12


def test_numbers_beside_the_axis_have_the_places_that_they_need() -> None:
    texts = re.findall(r'class="y"[^>]*>([^<]*)<', svg(one([], [(0, 1.0), (9, 1.002)]), "p"))
    assert texts
    assert len(set(texts)) == len(texts)


def test_each_of_the_first_runs_has_a_colour_and_a_marker_of_its_own() -> None:
    assert len({re.sub(r"[0-9.,-]", "", marker(i, 0, 0)) for i in range(3)}) == 3
    assert len({marker(i, 0, 0) for i in range(7)}) == 7
    for i in range(20):
        ET.fromstring(swatch(i))
    assert swatch(0) != swatch(7)  # the colour of the first again, but another line
