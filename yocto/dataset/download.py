"""One address to one file: taken up where it stopped, checked, and put in its place when whole."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from yocto.dataset.partial import Part
from yocto.dataset.web import BY_HAND, Answer, OutOfRange, Passing, checked_url, open_url
from yocto.errors import DataError
from yocto.utils.checksums import read_record, record_path, write_record
from yocto.utils.files import fsync_dir, making, remove, sha256_file
from yocto.utils.lock import Held, exclusive
from yocto.utils.progress import Progress
from yocto.utils.text import size_text

PAUSE = 1.0  # seconds before the second try; each later one waits twice as long
LONGEST_PAUSE = 60.0
GO_ON = "The same line again goes on from there."

# What a checksum agrees with: the list that comes with yocto, what an earlier download recorded,
# or nothing yet.
Check = Literal["list", "record", "nothing"]


@dataclass(frozen=True)
class Fetched:
    """A file that is there and whole.

    state: "new", or "there" where it was there already. checked: what its checksum agrees with.
    """

    path: str
    url: str
    bytes: int
    sha256: str
    state: Literal["new", "there"]
    checked: Check


@dataclass(frozen=True)
class Order:
    """What to download, and how patiently.

    sha256: what the file must be, where that is known. retries: tries in a row that may bring
    nothing new. timeout: seconds without a sign of life. overwrite: replace a file that is there,
    and what was recorded of it.
    """

    url: str
    target: Path
    sha256: str | None = None
    retries: int = 5
    timeout: float = 30.0
    overwrite: bool = False


def fetch(order: Order, progress: Progress) -> Fetched:
    """Download a file, or find that it is there already.

    While it comes, it lies beside its place as .NAME.part, with .NAME.part.json that tells which
    version it is; its SHA-256 is recorded in NAME.sha256, in sha256sum's format. Raises ConfigError
    for an address that is none, and DataError, after which what was there before is unharmed.
    """
    url, target = checked_url(order.url), order.target
    expected, checked = _expected(order, url)
    if there := _already(order, expected, checked, url):
        return there
    try:
        with _lock(target):
            # Another process may have brought it meanwhile.
            expected, checked = _expected(order, url)
            if there := _already(order, expected, checked, url):
                return there
            part = Part(target, url)
            try:
                _complete(part, order, progress)
            except KeyboardInterrupt:
                if part.can_go_on:
                    progress.notice(f"{size_text(part.size)} of {target} are kept. {GO_ON}")
                raise
            return _take_its_place(part, target, expected, checked)
    except Held as held:
        raise DataError(
            f"{held} is downloading {target} already", "Wait until it is done, or stop it."
        ) from None


@contextmanager
def _lock(target: Path) -> Iterator[None]:
    lock = exclusive(target.with_name(f".{target.name}.lock"))
    with making(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        lock.__enter__()
    try:
        yield
    finally:
        lock.__exit__(None, None, None)


# ------------------------------------------------------------------------------------- checksums


def _expected(order: Order, url: str) -> tuple[str | None, Check]:
    """The checksum that the file must have, and where that is from."""
    if order.sha256:
        return order.sha256, "list"
    recorded, source = read_record(order.target)
    if recorded is None or order.overwrite:
        return None, "nothing"
    if source not in ("", url):
        raise DataError(
            f"{order.target} was downloaded from {source}, not from {url}",
            "Choose another folder with --out-dir, or replace it: --overwrite",
        )
    return recorded, "record"


def _already(order: Order, expected: str | None, checked: Check, url: str) -> Fetched | None:
    """The file, if it is there and as it should be; None if it is to be downloaded."""
    target = order.target
    if target.is_dir():
        raise DataError(f"{target} is a folder", "Choose another folder with --out-dir.")
    if order.overwrite or not target.exists():
        return None
    if expected is None:
        raise DataError(
            f"{target} is there already, and nothing tells whether it is what {url} holds",
            f"Move it away, or replace it: --overwrite. To keep it, note its checksum down: "
            f"sha256sum {target.name} > {record_path(target).name} (in {target.parent})",
        )
    with making(target):
        digest, size = sha256_file(target), target.stat().st_size
    if digest != expected:
        place = "yocto's list" if checked == "list" else record_path(target)
        raise DataError(
            f"{target} is not what was downloaded: its SHA-256 is {digest}, but {place} has "
            f"{expected}",
            "If the change is yours, keep it under another name; to download it anew: --overwrite",
        )
    return Fetched(str(target), url, size, digest, "there", checked)


def _take_its_place(part: Part, target: Path, expected: str | None, checked: Check) -> Fetched:
    """Check a whole file and give it its name; one that is wrong is thrown away."""
    digest, size = part.digest.hexdigest(), part.size
    if size == 0:
        part.restart()
        raise DataError(f"{part.url} is empty", BY_HAND)
    if expected not in (None, digest):
        part.restart()
        again = "Nothing was kept; what was there before is unharmed. "
        if checked == "list":
            place = "yocto's list"
            again += "Try again later or in another network; else it was changed where it lies."
        else:
            place = str(record_path(target))
            again += "It may be another version by now. To take it as it is: --overwrite"
        raise DataError(
            f"{part.url} is not what it should be: its SHA-256 is {digest}, but {place} has "
            f"{expected}",
            again,
        )
    part.sync()
    with making(target):
        # First the record: a kill between the two leaves a part that is whole, and that fits it.
        write_record(target, part.url, digest)
        part.path.replace(target)
        fsync_dir(target.parent)
    remove(part.state_path)
    return Fetched(str(target), part.url, size, digest, "new", checked)


# --------------------------------------------------------------------------------- the downloading


def _complete(part: Part, order: Order, progress: Progress) -> None:
    """Try until the file is whole, or nothing new comes any more."""
    failures, furthest, reached = 0, part.size, False
    while not part.whole:
        try:
            _attempt(part, order, progress)
            continue
        except Passing as problem:
            if part.size > furthest:
                failures, furthest, reached = 0, part.size, True
            failures += 1
            if failures > order.retries or (problem.offline and not reached):
                kept = f"{size_text(part.size)} are kept. {GO_ON} Or" if part.can_go_on else ""
                times = f" ({failures} times in a row)" if failures > 1 else ""
                raise DataError(
                    f"can't download {part.url}: {problem}{times}",
                    f"{kept or 'Try again later, or'} fetch it by hand, with a browser, and put it "
                    f"at {order.target}",
                ) from problem
            pause = min(LONGEST_PAUSE, max(problem.wait, PAUSE * 2 ** (failures - 1)))
            progress.say(f"{problem}; trying again in {pause:.0f} s")
        time.sleep(pause)


def _attempt(part: Part, order: Order, progress: Progress) -> None:
    """One request: sets part.whole, or raises Passing or DataError."""
    if not part.can_go_on:
        part.restart()
    asked = part.size
    try:
        answer = open_url(part.url, order.timeout, asked, part.validator if asked else "")
    except OutOfRange as problem:
        if problem.total == asked and part.total in (None, asked):
            part.whole = True
            return
        part.restart()
        raise Passing("what had come does not fit what the server has") from None
    with answer:
        _accept(part, answer, asked, order, progress)
        with progress.task(order.target.name, part.total, "byte", part.size) as task:
            try:
                part.add(answer, task)
            except DataError:  # an answer that contradicts itself
                part.restart()
                raise
    if part.total is not None and part.size != part.total:
        come = f"{size_text(part.size)} of {size_text(part.total)}"
        raise Passing(f"the connection ended after {come}")
    part.whole = True


def _accept(part: Part, answer: Answer, asked: int, order: Order, progress: Progress) -> None:
    """Decide what an answer is: the rest, the whole, or nothing to keep."""
    name = order.target.name
    if answer.status == 206 and asked:
        if not part.belongs(answer):
            part.restart()
            raise Passing("it has changed meanwhile, or the server sends another part than asked")
        if answer.total is not None and part.total not in (None, answer.total):
            before = part.total
            part.restart()
            raise DataError(
                f"{part.url} had {before:,} bytes and now has {answer.total:,}, in one version",
                "The server contradicts itself. The same line again starts from the beginning.",
            )
        part.total = part.total if answer.total is None else answer.total
        progress.say(f"going on with {order.target} at {_share(part)}")
    elif answer.status == 200:
        if asked:
            progress.say("it has changed, or the server can't go on: starting from the beginning")
        part.begin(answer)
        size = size_text(part.total) if part.total is not None else "of unknown size"
        progress.say(f"{answer.host}: {order.target}, {size}")
        if not answer.end_is_sure:
            progress.notice(
                f"{answer.host} does not tell how long {name} is, so a connection that breaks "
                "looks like its end"
            )
    else:
        raise DataError(f"{answer.host} answered {answer.status} to {part.url}", BY_HAND)
    _check_kind(part, answer, name)
    _check_space(part, order.target)


def _share(part: Part) -> str:
    total = "" if part.total is None else f" of {size_text(part.total)}"
    return f"{size_text(part.size)}{total}"


def _check_kind(part: Part, answer: Answer, name: str) -> None:
    if answer.is_web_page and not name.lower().endswith((".html", ".htm")):
        part.restart()
        raise DataError(
            f"{part.url} is a web page, not a file",
            "It may ask you to log in. Look at it with a browser, and take the address of the file "
            "itself.",
        )
    if answer.encoding not in ("identity", "") and not name.lower().endswith(".gz"):
        part.restart()
        raise DataError(
            f"{answer.host} sends {name} packed ({answer.encoding}), though it was asked not to",
            BY_HAND,
        )


def _check_space(part: Part, target: Path) -> None:
    with making(target):
        free = shutil.disk_usage(target.parent).free
    if part.total is not None and part.total - part.size > free:
        raise DataError(
            f"{target} needs {size_text(part.total - part.size)} more, but {size_text(free)} are "
            "free on that disk",
            "Free some space, or choose a folder on another disk: --out-dir",
        )
