"""The page at /, and what a browser is told of what it may load: nothing but itself."""

from __future__ import annotations

import base64
import hashlib
from html.parser import HTMLParser
from pathlib import Path

PAGE = Path(__file__).parent / "page.html"


def read_page() -> tuple[bytes, dict[str, str]] | None:
    """The page and its headers; None where there is none."""
    try:
        data = PAGE.read_bytes()
    except OSError:
        return None
    parts = _Inline()
    parts.feed(data.decode("utf-8"))
    policy = [
        "default-src 'none'", f"script-src {parts.sources('script')}",
        f"style-src {parts.sources('style')}", "connect-src 'self'", "img-src data:",
        "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
    ]  # fmt: skip
    return data, {
        "content-security-policy": "; ".join(policy),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-cache",
    }


class _Inline(HTMLParser):
    """The scripts and styles of a page, which the policy names by their checksums."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self._found: list[tuple[str, str]] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look where a part begins."""
        if tag in ("script", "style"):
            self._inside = tag
            self._found.append((tag, ""))

    def handle_endtag(self, tag: str) -> None:
        """Look where it ends."""
        self._inside = ""

    def handle_data(self, data: str) -> None:
        """Take it."""
        if self._inside:
            tag, before = self._found[-1]
            self._found[-1] = (tag, before + data)

    def sources(self, tag: str) -> str:
        """The checksums of all parts of a kind, as a policy writes them."""
        digests = [hashlib.sha256(text.encode()).digest() for name, text in self._found
                   if name == tag]  # fmt: skip
        found = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
        return " ".join(found) or "'none'"
