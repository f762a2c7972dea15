"""The web chat as a file: small, whole, shut off from the outside, and readable."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import yocto

PAGE = Path(yocto.__file__).parent / "serving" / "page.html"
TEXT = PAGE.read_text(encoding="utf-8")
STYLE = TEXT.split("<style>")[1].split("</style>")[0]
COLOURS = dict(re.findall(r"--([\w-]+): (light-dark\(.*?\));", STYLE))

GROUNDS = ["page", "panel", "own"]
TOKENS = [f"{kind}-{n}" for kind in ("token", "heat") for n in range(1, 6)]
READ = [  # 4.5 to 1: WCAG 2.2, 1.4.3
    *[("text", ground) for ground in [*GROUNDS, *TOKENS, "bad-ground"]],
    *[("muted", ground) for ground in GROUNDS[:2]],
    *[("accent", ground) for ground in GROUNDS[:2]],
    ("bad", "bad-ground"), ("on-accent", "accent"),
]  # fmt: skip
SEEN = [  # 3 to 1: 1.4.11, the edges of what can be used, bars, and the ring of the focus
    *[("edge", ground) for ground in GROUNDS[:2]],
    *[("accent", ground) for ground in [*GROUNDS, *TOKENS]],
    ("bad", "panel"),
]  # fmt: skip


def colours(name: str) -> list[str]:
    """By day and by night."""
    return re.findall(r"#[0-9a-f]{6}", COLOURS[name])


def luminance(colour: str) -> float:
    """WCAG 2.2's relative luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_computed_as_wcag_has_it():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize(("pairs", "least"), [(READ, 4.5), (SEEN, 3.0)])
def test_all_pairs_of_colours_can_be_told_apart_by_day_and_by_night(pairs, least):
    for front, ground in pairs:
        for one, other in zip(colours(front), colours(ground), strict=True):
            assert contrast(one, other) >= least, f"{front} {one} on {ground} {other}"


def test_every_colour_is_checked_and_no_other_is_used():
    checked = {name for pair in READ + SEEN for name in pair}
    assert set(COLOURS) - checked == {"rule"}  # lines that only decorate
    assert all(len(colours(name)) == 2 for name in COLOURS)
    rules = STYLE.split("--heat-5", 1)[1].split("\n", 1)[1]
    # Shadows alone are mixed by hand.
    assert set(re.findall(r"#[0-9a-f]{3,8}\b(?=[;, ])", rules)) <= {"#0005", "#0008"}
    assert set(re.findall(r"var\(--([\w-]+)\)", STYLE)) <= set(COLOURS)


def test_the_page_is_small():
    assert len(TEXT.encode()) <= 100_000


class Elements(HTMLParser):
    """The elements of the page, and the ids that it gives."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(TEXT)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_page_asks_for_nothing_from_outside():
    addresses = set(re.findall(r"https?://[^\s'\")]+", TEXT))
    assert addresses <= {"http://www.w3.org/2000/svg"}  # the name of SVG, within the icon
    assert not re.search(r"@import|url\((?!data:)", STYLE)
    for tag, attributes in Elements().found:
        for name in ("src", "href", "action", "srcset"):
            value = attributes.get(name) or "#"
            assert value.startswith(("data:", "#")), f"<{tag} {name}={value}>"


def test_the_policy_of_the_page_allows_itself_alone_and_no_html_from_text():
    (policy,) = [
        attributes["content"]
        for tag, attributes in Elements().found
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(part.split(maxsplit=1) for part in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["connect-src"] == "'self'"
    assert rules["img-src"] == "data:"
    assert rules["trusted-types"] == "'none'"
    script = TEXT.split("</style>")[1]
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", script)
    # What a stricter policy forbids: handlers and styles in attributes.
    assert not any(
        name.startswith("on") or name == "style"
        for _, attributes in Elements().found
        for name in attributes
    )


def test_ids_are_given_once_and_every_one_that_the_script_asks_for_is_there():
    given = [attributes["id"] for _, attributes in Elements().found if "id" in attributes]
    assert len(given) == len(set(given))
    asked = set(re.findall(r"\$\(\"([\w-]+)\"\)", TEXT))
    assert asked <= set(given)
    for _, attributes in Elements().found:
        for name in ("for", "aria-describedby", "aria-labelledby", "aria-controls"):
            assert attributes.get(name) in {None, *given}


def test_what_is_typed_into_has_a_label():
    labelled = {attributes.get("for") for tag, attributes in Elements().found if tag == "label"}
    typed = {
        attributes["id"]
        for tag, attributes in Elements().found
        if tag == "textarea" or attributes.get("type") in ("password", "text", "number")
    }
    assert typed == {"box", "system", "key"} and typed <= labelled


def test_lines_can_be_read():
    assert all(len(line) <= 110 for line in TEXT.splitlines() if "image/svg" not in line)
