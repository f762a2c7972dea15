"""Sections that fit the terminal's width, whatever they hold."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from yocto.cli.page import Page, printable


@pytest.mark.parametrize("width", [40, 80])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(), label=st.text(st.characters(categories=["L"]), max_size=8))
def test_no_line_is_wider_than_the_terminal(width, monkeypatch, text, label):
    monkeypatch.setenv("COLUMNS", str(width))
    page = Page()
    page.fact("label", printable(text))
    page.passage(text)
    page.table(["count", "token"], [("1,234", printable(text))])
    assert max(map(cell_len, page.lines)) <= width
    assert all(line.isprintable() for line in page.lines)


def test_a_fact_goes_on_beside_its_label(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    page = Page()
    page.fact("from", "one and two and three")
    page.fact("a label that is long", "short")
    assert page.lines == [
        "  from        one and two and",
        "              three",
        "  a label that is long",
        "              short",
    ]


def test_figures_stand_to_the_right_and_a_long_text_is_cut(monkeypatch):
    monkeypatch.setenv("COLUMNS", "24")
    page = Page()
    page.title("Title")
    page.table(["count", "id", "token"], [("9", "1", "x" * 40), ("1,000", "22", "yy")])
    assert page.lines == [
        "Title",
        "  count  id  token",
        "      9   1  xxxxxxxxxx…",
        "  1,000  22  yy",
    ]


def test_line_breaks_of_a_passage_stay_and_an_end_of_them_does_not(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    page = Page()
    page.passage("one\n\ntwo \\ \x1b[1m\n\n")
    assert page.lines == ["  one", "", "  two \\ \\x1b[1m"]
