"""Downloading, from a server that keeps no promise. Nothing here leaves this machine."""

from __future__ import annotations

import errno
import hashlib
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
from pathlib import Path

import pytest
from hostile_server import TEXT, Server, chunked, dropping, good, raw, serving, silent, status
from hypothesis import given
from hypothesis import strategies as st

import yocto.dataset.download as download_module
import yocto.dataset.partial as partial_module
import yocto.dataset.web as web
from yocto.dataset.download import Fetched, Order, fetch
from yocto.errors import ConfigError, DataError, YoctoError
from yocto.utils.lock import exclusive
from yocto.utils.progress import SilentProgress, SilentTask

SHA = hashlib.sha256(TEXT).hexdigest()
OTHER = TEXT.replace(b"question", b"answer!!")
HALF = len(TEXT) // 2


class Log(SilentProgress):
    """Remembers what is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.totals: list[int | None] = []
        self.counted = 0

    def say(self, text: str) -> None:
        self.lines.append(text)

    def notice(self, text: str) -> None:
        self.lines.append(f"note: {text}")

    def task(self, description, total, unit, done=0):
        log = self
        self.totals.append(total)
        self.counted = done

        class Task(SilentTask):
            def advance(self, amount: int = 1) -> None:
                log.counted += amount

            def __enter__(self):
                return self

            def __exit__(self, *exception: object) -> None:
                pass

        return Task()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_module, "PAUSE", 0.0)
    monkeypatch.setattr(web, "GRACE", 0.1)
    for name in (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)


def get(server: Server, folder: Path, path: str = "/text.txt", **more) -> Fetched:
    order = {"retries": 2, "timeout": 5.0, **more}
    progress = order.pop("progress", SilentProgress())
    return fetch(Order(server.url(path), folder / "text.txt", **order), progress)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def check_whole(folder: Path, data: bytes = TEXT) -> None:
    """The file, its record, and nothing else."""
    assert (folder / "text.txt").read_bytes() == data
    assert files(folder) == {"text.txt", "text.txt.sha256"}
    record = (folder / "text.txt.sha256").read_text()
    assert record.splitlines()[1] == f"{hashlib.sha256(data).hexdigest()}  text.txt"


def check_nothing(folder: Path) -> None:
    assert not folder.exists() or files(folder) == set()


# -------------------------------------------------------------------------------- when all is well


def test_a_file_comes_whole_and_its_checksum_is_noted_beside_it(tmp_path):
    with serving() as server:
        made = get(server, tmp_path / "new" / "folder")
    check_whole(tmp_path / "new" / "folder")
    place = str(tmp_path / "new" / "folder" / "text.txt")
    assert made == Fetched(place, server.url(), len(TEXT), SHA, "new", "nothing")
    ((_, headers),) = server.seen
    assert headers["User-Agent"].startswith("yocto/")
    assert headers["Accept-Encoding"] == "identity"
    assert "Range" not in headers


def test_sha256sum_reads_the_record(tmp_path):
    with serving() as server:
        get(server, tmp_path)
    try:
        done = subprocess.run(
            ["sha256sum", "-c", "text.txt.sha256"], cwd=tmp_path, capture_output=True, text=True
        )
    except FileNotFoundError:
        pytest.skip("no sha256sum here")
    assert (done.returncode, done.stdout) == (0, "text.txt: OK\n")


def test_progress_counts_the_bytes(tmp_path):
    log = Log()
    with serving() as server:
        get(server, tmp_path, progress=log)
    assert log.totals == [len(TEXT)]
    assert log.counted == len(TEXT)
    assert log.lines == [f"127.0.0.1: {tmp_path / 'text.txt'}, 207 kB"]


@pytest.mark.parametrize(("answer", "parts"), [(good(), 1), (chunked(), 2)])
def test_a_rate_is_told_while_it_comes_and_the_size_where_no_bar_tells_it(
    tmp_path, monkeypatch, answer, parts
):
    told = []
    monkeypatch.setattr(SilentTask, "status", lambda self, text: told.append(text))
    clock = iter(range(10_000))
    monkeypatch.setattr(partial_module.time, "monotonic", lambda: next(clock))
    with serving(answer) as server:
        get(server, tmp_path)
    assert told
    assert all(text.endswith("B/s") for text in told)
    assert all(len(text.split(", ")) == parts for text in told)


def test_a_file_without_a_length_comes_whole(tmp_path):
    log = Log()
    with serving(chunked()) as server:
        get(server, tmp_path, progress=log)
    check_whole(tmp_path)
    assert log.totals == [None]
    assert "unknown size" in log.lines[0]
    assert not [line for line in log.lines if line.startswith("note")]


def test_where_an_end_looks_like_a_broken_connection_it_is_said(tmp_path):
    log = Log()
    with serving(raw(200, TEXT)) as server:
        get(server, tmp_path, progress=log)
    check_whole(tmp_path)
    assert any("does not tell how long text.txt is" in line for line in log.lines)


def test_redirects_are_followed_and_a_range_goes_along(tmp_path):
    def moved(request):
        request.head(302, Location="/elsewhere", Content_Length=0)

    with serving(moved, dropping(HALF), moved, good()) as server:
        get(server, tmp_path)
    check_whole(tmp_path)
    assert [path for path, _ in server.seen] == ["/text.txt", "/elsewhere"] * 2
    assert server.ranges()[3] == f"bytes={HALF}-"


def test_a_file_that_is_there_and_fits_needs_no_network(tmp_path):
    with serving() as server:
        get(server, tmp_path)
        again = get(server, tmp_path)
        assert (again.state, again.checked) == ("there", "record")
        known = get(server, tmp_path, sha256=SHA)
        assert (known.state, known.checked) == ("there", "list")
        assert len(server.seen) == 1


def test_a_missing_file_is_compared_with_its_record(tmp_path):
    with serving() as server:
        get(server, tmp_path)
        (tmp_path / "text.txt").unlink()
        again = get(server, tmp_path)
    assert (again.state, again.checked) == ("new", "record")
    check_whole(tmp_path)


# ------------------------------------------------------------------------------------- going on


@pytest.mark.parametrize(
    ("version", "condition"),
    [
        ({}, '"v1"'),
        ({"etag": None, "modified": "Mon, 01 Jan 2024 00:00:00 GMT"},
         "Mon, 01 Jan 2024 00:00:00 GMT"),
        ({"etag": 'W/"v1"'}, None),  # a weak one is of no use to If-Range, but can be compared
    ],
)  # fmt: skip
def test_a_dropped_connection_is_taken_up_where_it_stopped(tmp_path, version, condition):
    log = Log()
    with serving(dropping(1000, **version), dropping(HALF, **version), good(**version)) as server:
        made = get(server, tmp_path, progress=log)
    check_whole(tmp_path)
    assert made.sha256 == SHA
    assert server.ranges() == [None, "bytes=1000-", f"bytes={HALF}-"]
    assert [headers.get("If-Range") for _, headers in server.seen] == [None, condition, condition]
    assert log.counted == len(TEXT)
    assert f"going on with {tmp_path / 'text.txt'} at 1.0 kB of 207 kB" in log.lines


def test_chunks_that_break_off_are_taken_up_too(tmp_path):
    with serving(chunked(after=HALF)) as server:
        get(server, tmp_path)
    check_whole(tmp_path)
    assert server.ranges() == [None, f"bytes={HALF}-"]


def test_a_server_that_goes_on_brings_nothing_twice_however_often_it_drops(tmp_path):
    steps = range(5000, len(TEXT), 5000)
    with serving(*map(dropping, steps), good()) as server:
        get(server, tmp_path, retries=1)  # one in a row is enough, as each brings something
    check_whole(tmp_path)
    assert len(server.seen) == len(steps) + 1


def test_without_a_version_it_starts_from_the_beginning(tmp_path):
    nothing = {"etag": None}
    with serving(dropping(HALF, **nothing), good(**nothing)) as server:
        get(server, tmp_path)
    check_whole(tmp_path)
    assert server.ranges() == [None, None]


def test_a_server_that_ignores_ranges_is_taken_from_the_beginning(tmp_path):
    whole = raw(200, TEXT, Content_Length=len(TEXT), ETag='"v1"')
    log = Log()
    with serving(dropping(HALF), whole) as server:
        get(server, tmp_path, progress=log)
    check_whole(tmp_path)
    assert "starting from the beginning" in " ".join(log.lines)
    assert server.ranges()[1]


@pytest.mark.parametrize("honest", [True, False])
def test_another_version_meanwhile_is_never_mixed_with_the_first(tmp_path, honest):
    def mixing(request):  # answers the range, though its version is another one
        place = f"bytes {request.first}-{len(OTHER) - 1}/{len(OTHER)}"
        part = OTHER[request.first :]
        request.head(206, Content_Range=place, Content_Length=len(part), ETag='"v2"')
        request.body(part)

    answers = [] if honest else [mixing]
    with serving(dropping(HALF), *answers, good(OTHER, '"v2"')) as server:
        get(server, tmp_path)
    check_whole(tmp_path, OTHER)


@pytest.mark.parametrize(
    "place",
    ["bytes 0-9/100", "bytes {first}-{first}/5", "bytes {after}-{last}/{total}", "items 1-2/3",
     "", "bytes {first}-{before}/{total}", "bytes {first}-{near}/{total}",
     "bytes {first}-{last}/{last}"],
)  # fmt: skip
def test_a_part_of_the_wrong_place_is_not_taken(tmp_path, place):
    def wrong(request):
        first, total = request.first, len(TEXT)
        words = place.format(
            first=first,
            after=first + 1,
            before=first - 1,
            near=total - 2,
            last=total - 1,
            total=total,
        )
        part = TEXT[first:]
        request.head(206, Content_Range=words or None, Content_Length=len(part), ETag='"v1"')
        request.body(part)

    with serving(dropping(HALF), wrong, good()) as server:
        get(server, tmp_path)
    check_whole(tmp_path)
    assert server.ranges() == [None, f"bytes={HALF}-", None]


def test_a_part_that_ends_early_is_followed_by_the_next(tmp_path):
    def piecemeal(request):
        part = TEXT[request.first : request.first + 50_000]
        place = f"bytes {request.first}-{request.first + len(part) - 1}/{len(TEXT)}"
        request.head(206, Content_Range=place, Content_Length=len(part), ETag='"v1"')
        request.body(part)

    with serving(dropping(100), piecemeal) as server:
        get(server, tmp_path, retries=1)
    check_whole(tmp_path)


def test_another_total_in_one_version_is_an_error(tmp_path):
    longer = TEXT + b"more"
    with (
        serving(dropping(HALF), good(longer)) as server,
        pytest.raises(DataError, match="in one version") as caught,
    ):
        get(server, tmp_path)
    assert f"had {len(TEXT):,} bytes and now has {len(longer):,}" in caught.value.message
    check_nothing(tmp_path)


def test_a_part_that_nobody_asked_for_is_an_error(tmp_path):
    unasked = raw(206, TEXT, Content_Range=f"bytes 0-9/{len(TEXT)}", Content_Length=10)
    with serving(unasked) as server, pytest.raises(DataError, match="answered 206"):
        get(server, tmp_path)
    check_nothing(tmp_path)


# ------------------------------------------------------------------------ from one run to the next


def leave_half(folder: Path, server: Server, **more) -> None:
    """A download that failed halfway."""
    with pytest.raises(DataError, match="can't download") as caught:
        get(server, folder, retries=0, **more)
    assert "The same line again goes on from there." in caught.value.hint
    assert files(folder) == {".text.txt.part", ".text.txt.part.json"}


def test_the_next_run_goes_on_and_hashes_what_was_there(tmp_path):
    with serving(dropping(HALF), good()) as server:
        leave_half(tmp_path, server)
        assert (tmp_path / ".text.txt.part").read_bytes() == TEXT[:HALF]
        made = get(server, tmp_path, sha256=SHA)
    assert (made.sha256, made.checked) == (SHA, "list")
    check_whole(tmp_path)
    assert server.ranges() == [None, f"bytes={HALF}-"]


def test_a_part_that_was_whole_already_needs_no_network(tmp_path):
    with serving(dropping(HALF)) as server:
        leave_half(tmp_path, server)
        (tmp_path / ".text.txt.part").write_bytes(TEXT)  # killed before it got its name
        assert get(server, tmp_path).sha256 == SHA
        assert len(server.seen) == 1
    check_whole(tmp_path)


def test_416_tells_that_a_part_without_a_length_is_whole(tmp_path):
    with serving(chunked(after=HALF), good()) as server:
        leave_half(tmp_path, server)
        (tmp_path / ".text.txt.part").write_bytes(TEXT)
        get(server, tmp_path)
    assert server.ranges() == [None, f"bytes={len(TEXT)}-"]
    check_whole(tmp_path)


def test_416_on_what_does_not_fit_starts_from_the_beginning(tmp_path):
    shrunk = TEXT[: HALF // 2]
    with serving(dropping(HALF), status(416, Content_Range="bytes */7"), good(shrunk)) as server:
        get(server, tmp_path)
    check_whole(tmp_path, shrunk)
    assert server.ranges() == [None, f"bytes={HALF}-", None]


@pytest.mark.parametrize(
    "harm",
    [
        lambda state, part: state.write_text("{"),
        lambda state, part: state.write_text("[]"),
        lambda state, part: state.write_text('{"url": 5}'),
        lambda state, part: state.unlink(),
        lambda state, part: part.write_bytes(TEXT + b"too much"),
        lambda state, part: part.unlink(),
        lambda state, part: state.write_text(state.read_text().replace("/text.txt", "/other")),
        *(
            lambda state, part, wrong=wrong: state.write_text(
                state.read_text().replace(f'"total": {len(TEXT)}', f'"total": {wrong}')
            )
            for wrong in ("-5", '"5"', "1e9", "true", "[]")
        ),
    ],
)
def test_a_damaged_part_is_thrown_away(tmp_path, harm):
    with serving(dropping(HALF), good()) as server:
        leave_half(tmp_path, server)
        harm(tmp_path / ".text.txt.part.json", tmp_path / ".text.txt.part")
        get(server, tmp_path)
    assert server.ranges() == [None, None]
    check_whole(tmp_path)


def test_wrong_bytes_in_the_rest_are_found_by_the_checksum(tmp_path):
    def wrong(request):
        good(OTHER)(request)

    with serving(dropping(HALF), wrong, good()) as server:
        with pytest.raises(DataError, match="is not what it should be") as caught:
            get(server, tmp_path, sha256=SHA)
        assert SHA in caught.value.message
        assert hashlib.sha256(TEXT[:HALF] + OTHER[HALF:]).hexdigest() in caught.value.message
        check_nothing(tmp_path)
        get(server, tmp_path, sha256=SHA)  # and the next one starts from the beginning
    check_whole(tmp_path)


def test_ctrl_c_keeps_what_came_and_says_so(tmp_path, monkeypatch):
    came = []

    def interrupting(self):
        for block in blocks(self):
            yield block
            came.append(block)
            raise KeyboardInterrupt

    blocks = web.Answer.blocks
    monkeypatch.setattr(web.Answer, "blocks", interrupting)
    log = Log()
    with serving() as server:
        with pytest.raises(KeyboardInterrupt):
            get(server, tmp_path, progress=log)
        assert files(tmp_path) == {".text.txt.part", ".text.txt.part.json"}
        assert (tmp_path / ".text.txt.part").read_bytes() == b"".join(came)
        assert log.lines[-1].endswith("are kept. The same line again goes on from there.")
        monkeypatch.setattr(web.Answer, "blocks", blocks)
        get(server, tmp_path)
    check_whole(tmp_path)


def test_ctrl_c_in_a_pause_keeps_what_came(tmp_path, monkeypatch):
    def interrupted(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(download_module.time, "sleep", interrupted)
    log = Log()
    with serving(dropping(HALF)) as server, pytest.raises(KeyboardInterrupt):
        get(server, tmp_path, progress=log)
    assert log.lines[-1].startswith("note: 103 kB of ")


def test_a_killed_download_is_gone_on_with(tmp_path):
    def slow(request):
        request.head(200, Content_Length=len(TEXT), ETag='"v1"')
        request.body(TEXT[:HALF])
        time.sleep(20)

    code = f"""
from pathlib import Path
from yocto.dataset.download import Order, fetch
from yocto.utils.progress import SilentProgress
import sys
fetch(Order(sys.argv[1], Path({str(tmp_path / "text.txt")!r})), SilentProgress())
"""
    with serving(slow, good()) as server:
        child = subprocess.Popen([sys.executable, "-c", code, server.url()])
        part = tmp_path / ".text.txt.part"
        until = time.monotonic() + 20
        while not (part.exists() and part.stat().st_size == HALF):
            assert time.monotonic() < until
            assert child.poll() is None
            time.sleep(0.01)
        with pytest.raises(DataError, match=f"process {child.pid} is downloading"):
            get(server, tmp_path)
        child.kill()
        child.wait()
        get(server, tmp_path)
    assert server.ranges() == [None, f"bytes={HALF}-"]
    assert (tmp_path / "text.txt").read_bytes() == TEXT


def test_two_at_once_do_not_disturb_each_other(tmp_path):
    with exclusive(tmp_path / ".text.txt.lock"), serving() as server:
        with pytest.raises(DataError, match="is downloading") as caught:
            get(server, tmp_path)
        assert caught.value.hint.startswith("Wait")
        assert server.seen == []


# -------------------------------------------------------------------------- what is there already


def test_a_file_that_is_whole_is_there_whatever_another_process_does(tmp_path):
    with serving() as server:
        get(server, tmp_path)
        with exclusive(tmp_path / ".text.txt.lock"):
            assert get(server, tmp_path).state == "there"


@pytest.mark.parametrize("changed", [b"mine", b""])
def test_a_file_of_unknown_origin_is_not_overwritten(tmp_path, changed):
    (tmp_path / "text.txt").write_bytes(changed)
    with serving() as server:
        with pytest.raises(DataError, match="is there already, and nothing tells") as caught:
            get(server, tmp_path)
        assert server.seen == []
        assert "sha256sum text.txt > text.txt.sha256" in caught.value.hint
        assert (tmp_path / "text.txt").read_bytes() == changed
        get(server, tmp_path, overwrite=True)
    check_whole(tmp_path)


@pytest.mark.parametrize("source", ["list", "record"])
def test_a_changed_file_is_told_with_both_checksums_and_left_alone(tmp_path, source):
    with serving() as server:
        if source == "record":
            get(server, tmp_path)
        (tmp_path / "text.txt").write_bytes(b"mine")
        with pytest.raises(DataError, match="is not what was downloaded") as caught:
            get(server, tmp_path, sha256=SHA if source == "list" else None)
    assert SHA in caught.value.message
    assert hashlib.sha256(b"mine").hexdigest() in caught.value.message
    assert "--overwrite" in caught.value.hint
    assert (tmp_path / "text.txt").read_bytes() == b"mine"


def test_another_file_than_recorded_is_refused_until_overwrite_says_otherwise(tmp_path):
    with serving(good(), good(OTHER)) as server:
        get(server, tmp_path)
        (tmp_path / "text.txt").unlink()
        with pytest.raises(DataError, match="is not what it should be") as caught:
            get(server, tmp_path)
        assert "--overwrite" in caught.value.hint
        assert str(tmp_path / "text.txt.sha256") in caught.value.message
        assert files(tmp_path) == {"text.txt.sha256"}
        made = get(server, tmp_path, overwrite=True)
    assert made.checked == "nothing"
    check_whole(tmp_path, OTHER)


def test_overwriting_with_a_wrong_file_harms_nothing(tmp_path):
    with serving(good(), good(OTHER), dropping(5)) as server:
        get(server, tmp_path, sha256=SHA)
        for message in ("is not what it should be", "can't download"):
            with pytest.raises(DataError, match=message):
                get(server, tmp_path, sha256=SHA, overwrite=True)
    assert (tmp_path / "text.txt").read_bytes() == TEXT
    assert SHA in (tmp_path / "text.txt.sha256").read_text()


def test_a_file_of_the_same_name_from_elsewhere_is_told_apart(tmp_path):
    with serving() as server:
        get(server, tmp_path)
        with pytest.raises(DataError, match=r"was downloaded from .*/text.txt, not from") as caught:
            get(server, tmp_path, "/other/text.txt")
        assert "--out-dir" in caught.value.hint
        assert len(server.seen) == 1


@pytest.mark.parametrize(
    "line", [f"{SHA}  text.txt\n", f"{SHA.upper()} *text.txt", f"\\{SHA}  text.txt"]
)
def test_a_record_made_by_hand_counts(tmp_path, line):
    (tmp_path / "text.txt").write_bytes(TEXT)
    (tmp_path / "text.txt.sha256").write_text(line)
    with serving() as server:
        assert get(server, tmp_path).state == "there"
        assert server.seen == []


def test_a_record_that_is_none_is_told(tmp_path):
    (tmp_path / "text.txt.sha256").write_text("nonsense")
    with serving() as server, pytest.raises(DataError, match="holds no SHA-256"):
        get(server, tmp_path)


def test_a_folder_in_the_way_is_told(tmp_path):
    (tmp_path / "text.txt").mkdir()
    with serving() as server, pytest.raises(DataError, match=r"text.txt is a folder"):
        get(server, tmp_path, overwrite=True)


# ------------------------------------------------------------------------------ lies and failures


def test_a_length_that_is_too_long_ends_with_a_clear_line(tmp_path):
    with serving(raw(200, TEXT, Content_Length=len(TEXT) + 5, ETag='"v1"')) as server:
        with pytest.raises(DataError, match="the connection ended after") as caught:
            get(server, tmp_path)
        assert "(3 times in a row)" in caught.value.message
        assert "fetch it by hand" in caught.value.hint
        assert len(server.seen) == 3
    assert not (tmp_path / "text.txt").exists()


def test_a_length_that_is_too_short_is_found_out(tmp_path):
    with serving(raw(200, TEXT, Content_Length=len(TEXT) - 5, ETag='"v1"')) as server:
        with pytest.raises(DataError, match="sent more than the") as caught:
            get(server, tmp_path)
        assert len(server.seen) == 1
    assert caught.value.hint
    check_nothing(tmp_path)


def test_a_server_that_keeps_the_connection_open_holds_nobody_up(tmp_path):
    def lingering(request):
        good()(request)
        time.sleep(3)

    with serving(lingering) as server:
        began = time.monotonic()
        get(server, tmp_path)
        assert time.monotonic() - began < 2
    check_whole(tmp_path)


def test_a_length_that_was_too_long_at_first_is_found_out(tmp_path):
    lying = raw(200, TEXT, Content_Length=len(TEXT) + 5, ETag='"v1"')
    with serving(lying, good(), good()) as server:
        get(server, tmp_path)
    check_whole(tmp_path)
    assert server.ranges() == [None, f"bytes={len(TEXT)}-", None]


def test_an_empty_file_is_told(tmp_path):
    with serving(good(b"")) as server, pytest.raises(DataError, match="is empty"):
        get(server, tmp_path)
    check_nothing(tmp_path)


@pytest.mark.parametrize("code", [500, 502, 503, 504, 429, 408])
def test_what_may_pass_is_tried_again(tmp_path, code):
    log = Log()
    with serving(status(code), status(code), good()) as server:
        get(server, tmp_path, progress=log)
    check_whole(tmp_path)
    assert f"answered {code}" in log.lines[0]
    assert "trying again" in log.lines[0]


def test_what_does_not_pass_ends_after_the_retries(tmp_path):
    with serving(status(503)) as server:
        with pytest.raises(DataError, match=r"answered 503 .*\(3 times in a row\)"):
            get(server, tmp_path)
        assert len(server.seen) == 3
    check_nothing(tmp_path)


def test_pauses_grow_and_a_server_may_ask_for_longer_ones(tmp_path, monkeypatch):
    slept = []
    monkeypatch.setattr(download_module, "PAUSE", 1.0)
    monkeypatch.setattr(download_module.time, "sleep", slept.append)
    answers = [status(503)] * 3 + [status(429, Retry_After=20), status(429, Retry_After=10**6)]
    with serving(*answers, status(503, Retry_After="soon"), good()) as server:
        get(server, tmp_path, retries=6)
    assert slept == [1, 2, 4, 20, 60, 32]


@pytest.mark.parametrize(
    ("code", "message"),
    [(404, "there is nothing at"), (410, "there is nothing at"), (401, "not give .* to everybody"),
     (403, "not give .* to everybody"), (400, "answered 400"), (416, "answered 416"),
     (204, "answered 204"), (304, "answered 304"), (999, "answered 999")],
)  # fmt: skip
def test_what_stays_wrong_is_told_at_once(tmp_path, code, message):
    with serving(status(code)) as server:
        with pytest.raises(DataError, match=message) as caught:
            get(server, tmp_path)
        assert len(server.seen) == 1
    assert "by hand" in caught.value.hint
    check_nothing(tmp_path)


def test_404_then_a_file_needs_only_the_same_line_again(tmp_path):
    with serving(status(404), good()) as server:
        with pytest.raises(DataError):
            get(server, tmp_path)
        get(server, tmp_path)
    check_whole(tmp_path)


@pytest.mark.parametrize(
    ("location", "message"),
    [("/text.txt", "in a circle"), ("file:///etc/passwd", "leads to file:///etc/passwd"),
     ("ftp://127.0.0.1/x", "leads to ftp:"), ("data:,x", "leads to data:,x"),
     (None, "leads nowhere")],
)  # fmt: skip
def test_a_redirect_that_leads_astray_is_not_followed(tmp_path, location, message):
    moved = status(302, Location=location)
    with serving(moved) as server, pytest.raises(DataError, match=message):
        get(server, tmp_path)
    check_nothing(tmp_path)


def test_a_redirect_from_https_to_http_is_not_followed():
    assert web._forbidden("https://a.org/x", "http://a.org/x")
    assert not web._forbidden("http://a.org/x", "https://a.org/x")
    assert not web._forbidden("http://a.org/x", "http://b.org/x")


def test_a_server_that_says_nothing_is_given_up(tmp_path):
    with serving(silent(0.6)) as server:
        with pytest.raises(DataError, match=r"gave no sign of life for 0.2 s"):
            get(server, tmp_path, retries=1, timeout=0.2)
        assert len(server.seen) == 2


def test_a_server_that_falls_silent_is_taken_up_again(tmp_path):
    def stalling(request):
        request.head(200, Content_Length=len(TEXT), ETag='"v1"')
        request.body(TEXT[:HALF])
        time.sleep(0.6)

    with serving(stalling, good()) as server:
        get(server, tmp_path, timeout=0.2)
    assert server.ranges() == [None, f"bytes={HALF}-"]
    check_whole(tmp_path)


def test_what_speaks_no_http_is_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def speak() -> None:
            for _ in range(3):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(b"220 ftp ready\r\n\r\n")

        thread = threading.Thread(target=speak)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/text.txt"
        with pytest.raises(DataError, match=r"the connection to 127.0.0.1 broke"):
            fetch(Order(url, tmp_path / "text.txt", retries=2), SilentProgress())
        thread.join()


def test_nobody_there_is_told_at_once(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/text.txt"
    slow = Order(url, tmp_path / "text.txt", retries=1000)
    with pytest.raises(
        DataError, match=r"no connection to 127.0.0.1: Connection refused"
    ) as caught:
        fetch(slow, SilentProgress())
    assert f"put it at {tmp_path / 'text.txt'}" in caught.value.hint


@pytest.mark.parametrize(
    ("error", "words", "tries"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "can't be found", 1),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "Network is unreachable", 1),
        (ssl.SSLCertVerificationError("bad"), "can't prove that it is", 1),
        (ssl.SSLError(1, "handshake failure"), "handshake failure", 3),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "reset by peer", 3),
        (TimeoutError("timed out"), "no sign of life", 3),
    ],
)
def test_a_network_that_fails_is_one_clear_line(tmp_path, monkeypatch, error, words, tries):
    asked = []

    class Opener:
        def open(self, request, timeout):
            asked.append(request)
            raise urllib.error.URLError(error)

    if isinstance(error, ssl.SSLCertVerificationError):
        error.verify_message = "self-signed certificate"
    monkeypatch.setattr(web, "_opener", Opener)
    with pytest.raises(DataError, match=words) as caught:
        fetch(Order("https://a.org/x", tmp_path / "x", retries=2), SilentProgress())
    assert "by hand" in caught.value.hint
    assert "\n" not in caught.value.message
    assert len(asked) == tries


def test_a_handshake_that_fails_is_told(tmp_path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with socket.create_server(("127.0.0.1", 0)) as listener:  # TLS without any certificate

        def refuse() -> None:
            connection, _ = listener.accept()
            try:
                context.wrap_socket(connection, server_side=True)
            except OSError:
                connection.close()

        thread = threading.Thread(target=refuse)
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/text.txt"
        with pytest.raises(DataError, match=r"no connection to 127.0.0.1|can't prove"):
            fetch(Order(url, tmp_path / "text.txt", retries=0), SilentProgress())
        thread.join()


def test_a_network_that_goes_away_in_between_is_waited_for(tmp_path, monkeypatch):
    real = download_module.open_url
    calls = []

    def sometimes(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise web.Passing("no network", offline=True)
        return real(*arguments)

    monkeypatch.setattr(download_module, "open_url", sometimes)
    with serving(dropping(HALF), good()) as server:
        get(server, tmp_path)
    check_whole(tmp_path)


def test_a_web_page_is_no_file(tmp_path):
    page = good(b"<html>log in</html>", Content_Type="text/html; charset=utf-8")
    with serving(page) as server, pytest.raises(DataError, match="is a web page") as caught:
        get(server, tmp_path)
    assert "browser" in caught.value.hint
    check_nothing(tmp_path)


def test_what_was_packed_on_the_way_is_not_taken_for_the_file(tmp_path):
    packed = good(b"\x1f\x8bnonsense", Content_Encoding="gzip")
    with serving(packed) as server:
        with pytest.raises(DataError, match=r"sends text.txt packed \(gzip\)"):
            get(server, tmp_path)
        check_nothing(tmp_path)
        fetch(Order(server.url("/a.gz"), tmp_path / "a.txt.gz"), SilentProgress())  # is the file


def test_a_full_disk_is_told_and_what_came_is_kept(tmp_path, monkeypatch):
    class Full:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *exception):
            self.file.close()

        def write(self, block):
            if self.file.tell() > 1000:
                raise OSError(errno.ENOSPC, "No space left on device")
            return self.file.write(block[:1500])

    real = Path.open
    monkeypatch.setattr(
        Path, "open",
        lambda self, mode="r", *a, **k: (
            Full(real(self, mode, *a, **k)) if mode == "ab" else real(self, mode, *a, **k)
        ),
    )  # fmt: skip
    with serving() as server:
        with pytest.raises(YoctoError, match="No space left on device") as caught:
            get(server, tmp_path)
        assert "Free some space" in caught.value.hint
        assert (tmp_path / ".text.txt.part").read_bytes() == TEXT[:1500]
        monkeypatch.setattr(Path, "open", real)
        get(server, tmp_path)
        assert server.ranges() == [None, "bytes=1500-"]
    check_whole(tmp_path)


def test_a_disk_that_takes_a_little_at_a_time_gets_all_of_it(tmp_path, monkeypatch):
    class Slow:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *exception):
            self.file.close()

        def write(self, block):
            return self.file.write(block[:1500])

    real = Path.open

    def slow(self, mode="r", *more, **options):
        file = real(self, mode, *more, **options)
        return Slow(file) if mode == "ab" else file

    monkeypatch.setattr(Path, "open", slow)
    with serving() as server:
        assert get(server, tmp_path, sha256=SHA).sha256 == SHA
    check_whole(tmp_path)


def test_too_little_space_is_told_before_anything_comes(tmp_path, monkeypatch):
    usage = download_module.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(
        download_module.shutil, "disk_usage", lambda folder: usage._replace(free=100)
    )
    with serving() as server, pytest.raises(DataError, match="needs 207 kB more, but 100 bytes"):
        get(server, tmp_path)
    assert not (tmp_path / "text.txt").exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("x")
    with serving() as server, pytest.raises(YoctoError, match=r"can't (write|read)"):
        get(server, tmp_path / "file")


# ---------------------------------------------------------------------------- addresses and names


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("HTTPS://Example.org", "https://example.org/"),
        ("https://example.org/a b/ä.txt?q=ü#part", "https://example.org/a%20b/%C3%A4.txt?q=%C3%BC"),
        ("https://example.org/a%20b", "https://example.org/a%20b"),
        ("https://bücher.example/x", "https://xn--bcher-kva.example/x"),
        ("http://[::1]:8000/x", "http://[::1]:8000/x"),
    ],
)
def test_an_address_is_sent_as_ascii(typed, sent):
    assert web.checked_url(typed) == sent
    assert web.checked_url(sent) == sent


@pytest.mark.parametrize(
    ("typed", "message"),
    [("ftp://a.org/x", "only http"), ("file:///etc/passwd", "only http"), ("data:,x", "only http"),
     ("https://", "names no host"), ("https:///x", "names no host"),
     ("http://[::1/x", "no address"), ("http://a.org:port/x", "no address"),
     ("http://a.org:99999/x", "no address"),
     ("http://a b.org/x", "names no host"), ("https://me:secret@a.org/x", "user's name")],
)  # fmt: skip
def test_what_is_no_address_is_told(typed, message):
    with pytest.raises(ConfigError, match=message) as caught:
        web.checked_url(typed)
    assert caught.value.hint
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/a/b.txt", "b.txt"), ("/b.txt?download=true", "b.txt"), ("/", "download"),
        ("", "download"), ("/a/", "download"), ("/..", "download"), ("/.hidden", "hidden"),
        ("/%2e%2e%2fetc%2fpasswd", "passwd"), ("/a%5Cb.txt", "b.txt"), ("/a%20b.txt", "a b.txt"),
        ("/a%00b", "a-b"), ("/%C3%A4.txt", "ä.txt"), ("/CON.txt", "file-CON.txt"),
        ("/c:d.txt", "c-d.txt"), ("/a%FFb.txt", "a-b.txt"), ("/" + "x" * 500 + ".jsonl",
        "x" * 114 + ".jsonl"), ("/" + "x" * 500, "x" * 120),
        ("/" + "x" * 119 + "%20" + "y" * 9, "x" * 119),
    ],
)  # fmt: skip
def test_a_file_is_named_after_its_address(path, name):
    assert web.file_name("https://example.org" + path) == name


@given(st.text())
def test_no_address_makes_a_name_that_is_not_safe(path):
    name = web.file_name("https://example.org/" + path)
    assert name
    assert len(name.encode()) <= 120
    assert name == name.strip(". ")
    assert not set(name) & set('/\\<>:"|?*\0\n')


def test_the_state_beside_a_part_tells_the_version(tmp_path):
    with serving(dropping(HALF)) as server:
        leave_half(tmp_path, server)
    assert json.loads((tmp_path / ".text.txt.part.json").read_text()) == {
        "url": server.url(), "etag": '"v1"', "last_modified": "", "total": len(TEXT),
    }  # fmt: skip
