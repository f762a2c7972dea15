"""A report in a real browser: skipped where there is none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from made_runs import evaluation, make_run, training

from yocto.report.html import page
from yocto.report.source import Written, read_source
from yocto.report.whole import make_report
from yocto.training.history import read_history

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update"]  # fmt: skip
EVIL = "<script>document.title = 'hacked'</script><img src='https://example.org/x.png'>"


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module", params=[1, 3])
def report(request, tmp_path_factory) -> Path:
    """A report on so many runs, one with a long and hostile name."""
    import dataclasses

    folder = tmp_path_factory.mktemp("report")
    lines = [line for i in range(1, 40) for line in (training(i), evaluation(i, 4 - i / 20))]
    sources = []
    for i in range(request.param):
        run = make_run(folder / f"{EVIL.replace('/', '∕')}{'x' * 100}{i}", lines, n_layer=i + 1)
        source = read_source(read_history(run), run.name)
        written = Written("W" * 300, 0.0, 9, 1, f"{EVIL} {'long' * 200} שלום", 9, 0.1, False)
        sources.append(dataclasses.replace(source, written=[written]))
    file = folder / "report.html"
    file.write_text(page(make_report(sources)), encoding="utf-8")
    return file


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_fits_its_window_asks_for_nothing_and_runs_nothing(
    browser, report, width, scheme
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    opened = context.new_page()
    asked, said = [], []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("console", lambda message: said.append(message.text))
    opened.goto(report.as_uri())
    for fold in opened.locator("details").all():
        fold.evaluate("element => element.open = true")
    assert asked == [report.as_uri()]
    assert said == []  # not even that something was refused
    assert opened.title() != "hacked"
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    assert opened.locator("figure svg").count() == 5
    box = opened.locator("figure svg").first.bounding_box()
    assert box["width"] > 300
    paper, ink = (
        opened.evaluate(f"getComputedStyle(document.body).{name}")
        for name in ("backgroundColor", "color")
    )
    bright = sum(map(int, paper[4:-1].split(","))) > sum(map(int, ink[4:-1].split(",")))
    assert bright == (scheme == "light")
    line = opened.locator("path.line.c0").first
    assert line.evaluate("element => getComputedStyle(element).stroke") != "none"
    context.close()
