"""bench encode, in miniature: what is shown and what is refused, not how quick it is."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from tiny import make_text

from yocto.bench import files
from yocto.bench.machine import usable_cores
from yocto.bench.peers import NOT_INSTALLED
from yocto.tokenizer.bpe_train import BPETrainer

SMALL = ("--text-path", "text.txt", "--rounds", "1", "--vocab-size", "280")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a text of three documents; and one core, which halves the work."""
    monkeypatch.chdir(tmp_path)
    text = "<|endoftext|>\n".join(make_text(i) for i in (10, 20, 30))
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    monkeypatch.setattr(files, "usable_cores", lambda: usable_cores()[:1])
    return tmp_path


def test_the_table_has_a_row_for_each_engine_and_fits_80_columns(
    yocto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    result = yocto("bench", "encode", *SMALL)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert all(len(line) <= 80 for line in lines if "not inst" not in line)
    rows = re.findall(r"^([a-z, ]+?) \S+ +1 +(\S+) +(\S+) +(\S+) +(\S+) +(\S+) *$",
                      result.stdout, re.M)  # fmt: skip
    names = {row[0] for row in rows}
    assert {"yocto", "yocto, in memory"} <= names
    ours = next(row for row in rows if row[0] == "yocto")
    assert ours[2] == ours[4] == "1.00"
    for name in ("tiktoken", "tokenizers"):
        assert (f"{name}: {NOT_INSTALLED}" in result.stdout) == (find_spec(name) is None)
    assert "training a tokenizer of 280 tokens" in result.stderr


def test_json_has_everything_and_nothing_is_left_behind(yocto, home: Path) -> None:
    (home / "work").mkdir()
    result = yocto("bench", "encode", *SMALL, "--peers", "tokenizers", "--work-dir", "work",
                   "--json")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["text_bytes"] == (home / "text.txt").stat().st_size
    assert (told["vocab_size"], told["rounds"]) == (280, 1)
    assert [row["engine"] for row in told["rows"]] == ["yocto", "yocto, in memory", "tokenizers"]
    for row in told["rows"]:
        assert row["reason"] is None
        assert row["warm_mb_per_s"] > 0
        assert row["peak_mb"] > 10
    assert list((home / "work").iterdir()) == []


def test_a_tokenizer_of_ones_own_is_taken(yocto, home: Path) -> None:
    BPETrainer(vocab_size=290).train((home / "text.txt").read_text()).save(home / "mine")
    result = yocto("bench", "encode", "--text-path", "text.txt", "--tokenizer-path", "mine",
                   "--rounds", "1", "--peers", "tiktoken", "--json")  # fmt: skip
    told = json.loads(result.stdout)
    assert (told["tokenizer"], told["vocab_size"]) == ("mine", 289)  # without the end token


@pytest.mark.parametrize("path", ["folder", "text.jsonl", "text.txt.gz", "nothing.txt"])
def test_anything_but_one_plain_text_is_refused(yocto, home: Path, path: str) -> None:
    (home / "folder").mkdir()
    for name in ("folder/a.txt", "folder/b.txt", "text.jsonl", "text.txt.gz"):
        (home / name).write_text("the")
    result = yocto("bench", "encode", "--text-path", path)
    assert result.exit_code == 1
    assert path in result.stderr
    assert "--text-path" in result.stderr


@pytest.mark.parametrize("name", ["tokenizer", "gigatoken"])
def test_a_peer_that_makes_no_files_here_is_refused(yocto, name: str) -> None:
    result = yocto("bench", "encode", *SMALL, "--peers", name)
    assert result.exit_code == 2
    assert f"there is no peer '{name}'" in result.stderr
    assert "There are tiktoken, tokenizers." in result.stderr
