"""Write docs/chat.png: the web chat of a run, with a token unfolded into its alternatives.

    yocto quickstart --no-chat
    python scripts/make_chat_screenshot.py --ckpt-dir checkpoints

Takes playwright and Pillow, and Chromium on the PATH.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

PICTURE = Path(__file__).parent.parent / "docs" / "chat.png"
MOST_BYTES = 200_000
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


def main() -> None:
    """Read the arguments, take the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ckpt-dir", default="checkpoints", help="folder where runs lie")
    parser.add_argument("--question", default="Where does wisdom begin?")
    parser.add_argument("--seed", type=int, default=2, help="of the answer")
    parser.add_argument("--token", help="what is in the token to unfold (default: the fifth)")
    parser.add_argument("--out", type=Path, default=PICTURE)
    wanted = parser.parse_args()
    with serving(wanted.ckpt_dir) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1000, "height": 640}, device_scale_factor=1.5)
        page.goto(url)
        talk(page, wanted.question, wanted.seed)
        chips = page.locator(".assistant .chip")
        chip = chips.filter(has_text=wanted.token).first if wanted.token else chips.nth(4)
        chip.click()
        expect(page.locator("#unfolded")).to_be_visible()
        page.mouse.move(0, 0)
        picture = page.screenshot()
        browser.close()
    save(picture, wanted.out)


@contextmanager
def serving(ckpt_dir: str) -> Iterator[str]:
    """`yocto serve` on a free port; gives its address."""
    command = [sys.executable, "-m", "yocto", "serve", "--ckpt-dir", ckpt_dir, "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        line = next((line for line in server.stdout if "http://" in line), "")
        if not line:
            sys.exit("yocto serve did not begin")
        yield next(word for word in line.split() if word.startswith("http://"))
    finally:
        server.terminate()
        server.wait()


def talk(page: Page, question: str, seed: int) -> None:
    """One question and its answer, shown as tokens."""
    page.click("#open-settings")
    page.fill("#knob-seed", str(seed))
    page.click("#open-settings")
    page.click("#tokens")
    page.fill("#box", question)
    page.press("#box", "Enter")
    expect(page.locator("#send")).to_have_text("Stop")
    expect(page.locator("#send")).to_have_text("Send", timeout=60_000)
    page.locator("#notice").evaluate("node => node.replaceChildren()")


def save(picture: bytes, path: Path) -> None:
    """The picture with a palette, which flat colours hardly lose by."""
    image = Image.open(BytesIO(picture)).convert("RGB")
    image.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    if path.stat().st_size > MOST_BYTES:
        sys.exit(f"{path} has {path.stat().st_size:,} bytes, more than {MOST_BYTES:,}")
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
