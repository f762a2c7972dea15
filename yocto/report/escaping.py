"""Text of files, runs and models made harmless: as text in HTML and XML, and in Markdown.

Names, samples and settings come from anywhere. None of them may become a tag, turn the line around,
or make the file unreadable.
"""

from __future__ import annotations

import html
import re

# What no XML document may hold: control characters but for tab and line feed, halves of
# characters, and the two that are none (XML 1.0, section 2.2). HTML parsers replace them or worse.
_FORBIDDEN = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# What turns text around or is not seen, beyond the end of its own element too where it is unclosed.
_TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_MARKS = re.compile(r"([\\`*_{}\[\]()#+\-!|~$^=:.@])")


def plain(text: str) -> str:
    """Text without what no XML document may hold; what turns text around is spelt out."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _TURNING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return _FORBIDDEN.sub("\ufffd", text)


def escape(text: str) -> str:
    """Text as it stands in HTML, in an element or in an attribute's quotes.

    >>> escape('<b title="x">\\x1b')
    '&lt;b title=&quot;x&quot;&gt;\ufffd'
    """
    return html.escape(plain(text))


def markdown(text: str) -> str:
    """Text as one line of Markdown, in a table too, in which nothing has a meaning.

    >>> print(markdown("a|b *c* <script>"))
    a\\|b \\*c\\* &lt;script&gt;
    """
    line = " ".join(plain(text).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKS.sub(_marked, line)


def _marked(found: re.Match[str]) -> str:
    """A sign of Markdown, taken for itself. Those within words and numbers mean nothing there."""
    sign, text, at = found[0], found.string, found.start()
    if sign in ".-+=:()^@":
        # Lists, headings and addresses: only at the beginning of a line, or in an address.
        lists = sign in ".)" and text[:at].isdigit() and text[at + 1 : at + 2] in ("", " ")
        begins = lists or (at == 0 and sign in "-+=:@")
        return f"\\{sign}" if begins or (sign == ":" and text[at : at + 3] == "://") else sign
    if sign == "_" and 0 < at < len(text) - 1 and text[at - 1].isalnum() and text[at + 1].isalnum():
        return sign
    return f"\\{sign}"


def fenced(text: str) -> str:
    """Lines of text as a block of code in Markdown, which ends where it should."""
    body = plain(text)
    longest = max((len(run) for run in re.findall("`+", body)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{body}\n{fence}"
