"""yocto download, as typed; the web is a server on this machine."""

from __future__ import annotations

import hashlib
import json
import shlex
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hostile_server import TEXT, Server, dropping, good, serving, status

from yocto.commands import download as command
from yocto.config import DownloadConfig
from yocto.dataset import download, registry
from yocto.dataset.registry import DATASETS, Dataset, RemoteFile, find_dataset
from yocto.utils.progress import SilentProgress


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "PAUSE", 0.0)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lead_to(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every address leads to this server."""
    real = download.open_url
    monkeypatch.setattr(
        download, "open_url", lambda url, *rest: real(server.url(urlsplit(url).path), *rest)
    )


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch):
    """A web where each file is TEXT."""
    with serving() as server:
        lead_to(server, monkeypatch)
        yield server


# ---------------------------------------------------------------------------------------- the list


def test_the_list_is_a_table_of_80_columns(yocto, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = yocto("download", "--list").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["name", "about", "licence"]
    firsts = [line.split()[0] for line in lines[1:-2] if not line.startswith(" ")]
    assert firsts == [dataset.name for dataset in DATASETS]
    assert lines[-1] == "next: yocto download tinyshakespeare"
    assert len(lines) < 40


def test_the_list_is_json_too(yocto):
    listed = json.loads(yocto("download", "--list", "--json").stdout)["datasets"]
    assert [entry["name"] for entry in listed] == [dataset.name for dataset in DATASETS]
    assert set(listed[0]) == {"name", "about", "licence", "note", "files", "text_key"}
    assert listed[0]["files"][0]["url"].startswith("https://")


def test_one_entry_shows_its_addresses(yocto):
    lines = yocto("download", "wikitext-2", "--list").stdout.splitlines()
    assert lines[0] == "wikitext-2: about 8.0 MB, licence: CC BY-SA, GFDL"
    for file in find_dataset("wikitext-2").files:
        assert any(line.split() == [file.name, file.url] for line in lines)
    assert lines[-1] == "next: yocto download wikitext-2"
    (entry,) = json.loads(yocto("download", "wikitext-2", "--list", "--json").stdout)["datasets"]
    assert entry["name"] == "wikitext-2"


def test_the_help_shows_what_is_typed_without_a_flag(yocto):
    usage, *lines = yocto("download", "--help").stdout.splitlines()
    assert usage.endswith("download [OPTIONS] [NAME]")
    assert any(line.split()[:1] == ["NAME"] for line in lines)


# ----------------------------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ([], ["what is to be downloaded?", "yocto download NAME", "yocto download --list"]),
        (["tinystorys"], ["no text 'tinystorys'", "Did you mean yocto download tinystories"]),
        (["ftp://a.org/x.txt"], ["only http:// and https://"]),
        (["https://a.org/x.txt", "--list"], ["--list takes a name or nothing"]),
        (["tinystories", "--retries", "-1"], ["--retries is -1"]),
    ],
)  # fmt: skip
def test_wrong_usage_is_told_in_two_lines_with_status_2(yocto, home, arguments, parts):
    result = yocto("download", *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 2
    for part in parts:
        assert part in result.stderr
    assert list(home.iterdir()) == []


def test_what_is_not_there_is_told_in_two_lines_with_status_1(yocto, home, monkeypatch):
    with serving(status(404)) as server:
        lead_to(server, monkeypatch)
        result = yocto("download", "https://a.org/x.txt")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 2
    assert result.stderr.startswith(f"error: there is nothing at {server.url('/x.txt')}")
    assert "Traceback" not in result.output


def test_ctrl_c_says_how_to_go_on(yocto, home, monkeypatch):
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(download.time, "sleep", interrupted)
    with serving(dropping(5000), good()) as server:
        lead_to(server, monkeypatch)
        result = yocto("download", "https://a.org/x.txt")
        assert result.exit_code == 130
        assert "5.0 kB of data/x.txt are kept. The same line again goes on" in result.stderr
        assert yocto("download", "https://a.org/x.txt").exit_code == 0
    assert (home / "data" / "x.txt").read_bytes() == TEXT


# ------------------------------------------------------------------------------------ what is right


def test_an_address_becomes_a_file_and_its_checksum_is_said_to_be_recorded(yocto, home, web):
    result = yocto("download", "https://a.org/books/my%20book.txt?download=true#top")
    assert result.stdout.splitlines() == [
        "207 kB -> data/my book.txt",
        "SHA-256 noted in data/my book.txt.sha256, as none was known: later downloads are compared "
        "with it",
        "next: yocto train-tokenizer --text-path 'data/my book.txt'",
    ]
    assert (home / "data" / "my book.txt").read_bytes() == TEXT
    again = yocto("download", "https://a.org/books/my%20book.txt?download=true")
    assert again.stdout.splitlines()[0] == (
        "data/my book.txt is there already, 207 kB, and whole: its SHA-256 is the one recorded "
        "before"
    )
    assert len(web.seen) == 1


def test_the_next_command_can_be_typed(yocto, home, web):
    result = yocto("download", "https://a.org/x.txt", "--out-dir", "my data")
    line = result.stdout.splitlines()[-1].removeprefix("next: yocto ")
    assert yocto(*shlex.split(line), "--vocab-size", "300").exit_code == 0


def test_a_known_checksum_is_compared(yocto, home, web, monkeypatch):
    wrong = yocto("download", "tinyshakespeare")
    assert wrong.exit_code == 1
    assert "is not what it should be" in wrong.stderr
    assert list((home / "data").iterdir()) == []
    digest = hashlib.sha256(TEXT).hexdigest()
    known = Dataset(
        "known", 10**6, "MIT", "A text.", (RemoteFile("known.txt", "https://a.org/k", digest),)
    )
    monkeypatch.setattr(registry, "DATASETS", (known,))
    assert yocto("download", "known").stdout.splitlines() == [
        "207 kB -> data/known.txt; its SHA-256 is the one that yocto knows",
        "licence: MIT",
        "next: yocto train-tokenizer --text-path data/known.txt",
    ]


def test_the_result_is_json_too(yocto, home, web):
    result = json.loads(yocto("download", "lambada", "--json").stdout)
    assert result["name"] == "lambada"
    assert result["licence"] == "modified MIT"
    (file,) = result["files"]
    assert file["path"] == "data/lambada.jsonl"
    assert file["sha256"] == hashlib.sha256(TEXT).hexdigest()
    assert file["state"] == "new"


@pytest.mark.parametrize(
    ("name", "made", "next_line"),
    [
        ("tinystories", {"tinystories/train.txt", "tinystories/valid.txt"},
         "train-tokenizer --text-path data/tinystories/train.txt"),
        ("fineweb-edu", {"fineweb-edu.parquet"},
         "train-tokenizer --text-path data/fineweb-edu.parquet"),
        ("wikitext-103", {"wikitext-103/train-0.parquet", "wikitext-103/train-1.parquet"},
         "train-tokenizer --text-path data/wikitext-103"),
        ("hellaswag", {"hellaswag.jsonl"},
         "encode --text-path data/hellaswag.jsonl --text-key ctx --out-dir data/hellaswag-tokens"),
    ],
)  # fmt: skip
def test_a_dataset_is_one_file_or_a_folder_and_the_next_line_takes_what_trains(
    yocto, home, web, name, made, next_line
):
    result = yocto("download", name)
    assert result.exit_code == 0
    found = {path.relative_to(home / "data").as_posix() for path in (home / "data").rglob("*.*")}
    assert found == made | {f"{path}.sha256" for path in made}
    assert result.stdout.splitlines()[-1] == f"next: yocto {next_line}"


def test_many_files_are_told_in_one_line_and_a_second_time_nothing_is_asked(yocto, home, web):
    result = yocto("download", "blimp")
    assert result.stdout.splitlines() == [
        "67 files, 14 MB -> data/blimp (67 of them new)",
        "SHA-256 noted in data/blimp/*.sha256, as none was known: later downloads are compared "
        "with it",
        "licence: CC BY 4.0",
        "next: yocto encode --text-path data/blimp --text-key sentence_good "
        "--out-dir data/blimp-tokens",
    ]
    assert len(web.seen) == 67
    (home / "data" / "blimp" / "wh_island.jsonl").unlink()
    again = yocto("download", "blimp").stdout.splitlines()
    assert again[:2] == ["67 files, 14 MB -> data/blimp (1 of them new)", "licence: CC BY 4.0"]
    assert len(web.seen) == 68


def test_a_file_that_yocto_does_not_read_is_kept_and_said_so(yocto, home, web):
    result = yocto("download", "https://a.org/x.zip")
    assert result.stdout.splitlines()[-1] == ("next: make it text first; yocto does not read .zip")


def test_overwrite_retries_and_timeout_reach_the_downloading(home, monkeypatch):
    orders = []

    def fake(order, progress):
        orders.append(order)
        return download.Fetched(str(order.target), order.url, 1, "0", "new", "nothing")

    monkeypatch.setattr(command, "fetch", fake)
    config = DownloadConfig(name="lambada", overwrite=True, retries=7, timeout=1.5, out_dir="x")
    command.run(config, SilentProgress())
    (order,) = orders
    assert (order.overwrite, order.retries, order.timeout) == (True, 7, 1.5)
    assert order.target == Path("x/lambada.jsonl")
