"""Text from anywhere, made harmless."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from yocto.report.escaping import escape, fenced, markdown, plain

ANY = st.text(st.characters(codec=None), max_size=60) | st.text(
    "<>&\"'`|*_\\\n\r\t\x00\x1b\u202e -!"
)


class Seen(HTMLParser):
    """Tags and text of a piece of HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag) -> None:
        self.tags.append(f"/{tag}")

    def handle_data(self, data) -> None:
        self.text += data


@given(ANY)
def test_escaped_text_is_text_to_an_html_parser_and_to_an_xml_one(text) -> None:
    seen = Seen()
    seen.feed(f"<p>{escape(text)}</p>")
    seen.close()
    assert seen.tags == ["p", "/p"]
    assert seen.text == plain(text)
    tree = ET.fromstring(f'<p title="{escape(text)}">{escape(text)}</p>')
    assert (tree.text or "") == plain(text)
    plain(text).encode("utf-8")  # no half characters are left


@given(ANY)
def test_what_is_harmless_stays_as_it_is(text) -> None:
    harmless = "".join(c for c in text if c.isprintable() and c not in "\\")
    assert plain(harmless) == harmless


@pytest.mark.parametrize("sign", ["\u202e", "\u2066", "\u200f", "\ufeff"])
def test_what_turns_a_line_around_is_spelt_out(sign) -> None:
    assert plain(f"a{sign}b") == f"a\\u{ord(sign):04x}b"


@given(ANY)
def test_a_line_of_markdown_is_one_line_without_tags_cells_or_marks(text) -> None:
    line = markdown(text)
    assert "\n" not in line
    assert "<" not in line
    assert not re.search(r"(?<!\\)(?:\\\\)*[|`*\[\]]", re.sub(r"\\[^\\]", "", line))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.0614", "1.0614"), ("1. a", r"1\. a"), ("- a", r"\- a"), ("token-1", "token-1"),
        ("# a", r"\# a"), ("a_b", "a_b"), ("_a_", r"\_a\_"), ("a | b", r"a \| b"),
        ("https://x.y", r"https\://x.y"), ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("![x](y)", r"\!\[x\](y)"),
    ],
)  # fmt: skip
def test_marks_are_escaped_where_they_mean_something(text, expected) -> None:
    assert markdown(text) == expected


@given(ANY)
@example("a\n```\n# not code")
@example("`````")
def test_a_block_of_code_ends_only_at_its_end(text) -> None:
    first, *body, last = fenced(text).split("\n")
    assert first == f"{last}text"
    assert not [line for line in body if line.strip().startswith(last)]
    assert "\n".join(body) == plain(text)
