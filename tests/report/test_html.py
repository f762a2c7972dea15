"""A report as a page and as Markdown."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yocto.report.blocks import (
    Code,
    Figure,
    Fold,
    Picture,
    Pictures,
    Report,
    Sample,
    Section,
    Table,
    Words,
)
from yocto.report.html import page
from yocto.report.markdown import text as as_markdown
from yocto.report.series import Curves

VOID = {"meta", "link"}
EVIL = [
    "</title><script>alert(1)</script>", "'\"><img src=x onerror=alert(1)>", "\u202eabc\x00\x1b[2J",
    "</style></details></svg>", "javascript:alert(1)", "a|b`c`*d*_e_\n\n# f\n- g\n```\n</details>",
    "\ud800\udfff\ufffe",
]  # fmt: skip


class Checker(HTMLParser):
    """Whether all tags are closed in order; which there are, and what they refer to."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.text += data


def checked(html: str) -> Checker:
    checker = Checker()
    checker.feed(html)
    checker.close()
    assert checker.open == []
    return checker


def report_with(text: str) -> Report:
    """A report that has this text wherever text may stand."""
    run = Curves(text, [(1.0, 2.0), (2.0, 1.0)], [(2.0, 1.5)], 1.5)
    blocks = [
        Words(text), Words(text, notice=True), Code([text, text]),
        Table([text, text], [[text, text]], frozenset({(0, 1)}), frozenset({1})),
        Table(["", ""], [["a", text]]),
        Pictures([text, text], [Picture("steps", "loss", [run, run], [0, 1])]),
        Sample(text, text, text), Sample(text, text, text, question=True, group=text),
    ]  # fmt: skip
    return Report(
        text, text, [Figure(text, text, text)], [Section(text, [*blocks, Fold(text, blocks)])]
    )


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(codec=None), max_size=30) | st.sampled_from(EVIL))
def test_no_text_becomes_a_tag_or_breaks_the_page(text) -> None:
    page_of = checked(page(report_with(text)))
    known = [checked(page(report_with(harmless))).tags for harmless in ("a", "")]
    assert page_of.tags <= known[0] | known[1]
    assert "script" not in page_of.tags
    assert not [name for name, _ in page_of.attributes if name.startswith("on") or name == "style"]
    page(report_with(text)).encode("utf-8")


@pytest.mark.parametrize("text", EVIL)
def test_markdown_keeps_its_tables_and_has_no_tags_but_those_of_folds(text) -> None:
    written = as_markdown(report_with(text))
    outside, fence = [], ""
    for line in written.split("\n"):
        if fence:
            fence = "" if line == fence else fence
        elif found := re.match("(`{3,})text$", line):
            fence = found[1]
        else:
            outside.append(line)
    assert fence == ""
    tags = set(re.findall(r"</?[a-z!][^>\s]*", "\n".join(outside)))
    assert tags == {"<!--", "<details", "<summary", "</summary", "</details"}
    for line in outside:
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 3


def test_the_page_asks_for_nothing() -> None:
    html = page(report_with("https://example.org/x.png"))
    found = checked(html)
    assert not found.tags & {"script", "img", "iframe", "object", "embed", "a", "base", "form"}
    places = [v for name, v in found.attributes if name in ("src", "href", "action", "xlink:href")]
    assert places == ["data:,"]
    style = re.search("<style>(.*?)</style>", html, re.DOTALL)[1]
    assert "url(" not in style
    assert "@import" not in style
    assert "LIGHT" not in style
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")


def test_names_within_the_page_are_there_once() -> None:
    found = checked(page(report_with("a")))
    ids = [value for name, value in found.attributes if name == "id"]
    assert len(ids) == len(set(ids)) > 0


def test_numbers_stand_to_the_right_and_the_best_is_marked() -> None:
    table = Table(
        ["run", "loss", "text"], [["a", "1.5", "x"], ["b", "–", "y"]], frozenset({(0, 1)})
    )
    html = page(Report("t", "m", [], [Section("s", [table])]))
    assert '<td class="best n" title="the best"><bdi>1.5</bdi></td>' in html
    assert "<td><bdi>x</bdi></td>" in html
    assert "| a | **1.5** ★ | x |" in as_markdown(Report("t", "m", [], [Section("s", [table])]))


def test_samples_of_one_prompt_stand_beside_each_other_and_under_it_once() -> None:
    samples = [Sample("greedy", "Once", "a"), Sample("0.8", "Once", "b"), Sample("greedy", "", "c")]
    html = page(Report("t", "m", [], [Section("s", [*samples, Words("w")])]))
    checked(html)
    assert html.count('<div class="samples">') == 2
    assert html.count("To continue:") == 1
    assert html.count("From the start of a text") == 1
