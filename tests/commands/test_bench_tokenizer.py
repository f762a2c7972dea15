"""bench tokenizer, in miniature: what is shown and what is refused, not how quick it is."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from tiny import make_text

from yocto.bench import contest, tokenizer
from yocto.bench.machine import usable_cores
from yocto.bench.peers import NOT_INSTALLED, PEERS
from yocto.tokenizer.bpe_train import BPETrainer

SMALL = ("--text-path", "text.txt", "--rounds", "1", "--vocab-size", "280")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a text; and one core, which halves the work."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(make_text(40), encoding="utf-8")
    monkeypatch.setattr(tokenizer, "usable_cores", lambda: usable_cores()[:1])
    return tmp_path


def test_the_table_has_a_row_for_each_engine_and_fits_80_columns(
    yocto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    result = yocto("bench", "tokenizer", *SMALL)
    assert result.exit_code == 0, result.stderr
    assert all(len(line) <= 80 for line in result.stdout.splitlines() if "not inst" not in line)
    rows = re.findall(r"^(\w+) .*? 1 +(\S+) +(\S+) +(\S+) +(.+?) *$", result.stdout, re.M)
    names = [row[0] for row in rows]
    assert [names.count(name) for name in ("yocto", "gigatoken", "tokenizers")] == [2, 2, 2]
    assert [names.count(name) for name in ("fastokens", "tiktoken", "rustbpe")] == [1, 1, 1]
    figures = {name: rest for name, *rest in rows if name == "yocto"}
    assert figures["yocto"][1] == "1.00"
    for name in PEERS:
        assert (f"{name}: {NOT_INSTALLED}" in result.stdout) == (find_spec(name) is None)
    assert "training a tokenizer of 280 tokens" in result.stderr


def test_json_has_everything(yocto, home: Path) -> None:
    result = yocto("bench", "tokenizer", *SMALL, "--peers", "tokenizers", "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["text_bytes"] == (home / "text.txt").stat().st_size
    assert (told["vocab_size"], told["trained_vocab_size"], told["rounds"]) == (280, 280, 1)
    assert set(told["machine"]) == {"cpu", "cores", "system", "python"}
    ours, theirs = told["encode"]
    assert (ours["engine"], theirs["engine"]) == ("yocto", "tokenizers")
    assert "encode_batch_fast" in theirs["call"]
    assert ours["cold_ratio"] == ours["warm_ratio"] == 1
    for row in (ours, theirs):
        assert row["reason"] is None
        assert row["threads"] == 1
        assert row["cold_mb_per_s"] > 0
        assert row["warm_mb_per_s"] > 0
    for row in told["train"]:
        assert row["same_merges"] is True
        assert row["seconds"] > 0


@pytest.mark.parametrize("only", ["encode", "train"])
def test_one_half_alone(yocto, only: str) -> None:
    result = yocto("bench", "tokenizer", *SMALL, "--only", only, "--peers", "rustbpe", "--json")
    told = json.loads(result.stdout)
    measured = {part: [row["engine"] for row in told[part]] for part in ("encode", "train")}
    assert measured == {
        "encode": ["yocto"] if only == "encode" else [],
        "train": ["yocto", "rustbpe"] if only == "train" else [],
    }


def test_nothing_breaks_where_no_peer_is_installed(yocto, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"yocto": "1"}
    monkeypatch.setattr(contest, "version_of", versions.get)
    result = yocto("bench", "tokenizer", *SMALL)
    assert result.exit_code == 0, result.stderr
    for name in PEERS:
        assert f"{name}: {NOT_INSTALLED}" in result.stdout
    assert result.stdout.count("\nyocto 1 ") == 2


def test_a_tokenizer_of_ones_own_encodes_and_its_special_tokens_are_plain_text(
    yocto, home: Path
) -> None:
    text = make_text(10) + "<|endoftext|> in the text\n"
    (home / "text.txt").write_text(text)
    BPETrainer(vocab_size=270).train([make_text(40)]).save(home / "own")
    result = yocto(
        "bench", "tokenizer", *SMALL, "--tokenizer-path", "own", "--only", "encode",
        "--peers", "tokenizers", "--json",
    )  # fmt: skip
    told = json.loads(result.stdout)
    assert (told["tokenizer"], told["vocab_size"]) == ("own", 269)
    assert [row["reason"] for row in told["encode"]] == [None, None]


def test_what_cannot_be_measured_is_refused(yocto, home: Path) -> None:
    yocto("train-tokenizer", "--kind", "word", "--text-path", "text.txt", "--out-dir", "words")
    for arguments, status, part in [
        (["--tokenizer-path", "words"], 1, "words is a word tokenizer"),
        (["--tokenizer-path", "nowhere"], 1, "nowhere is not there"),
        (["--text-path", "missing.txt"], 1, "there is no text file missing.txt"),
        (["--peers", "toktoken"], 2, "Did you mean 'tiktoken'?"),
        (["--vocab-size", "100"], 2, "--vocab-size is 100"),
    ]:
        result = yocto("bench", "tokenizer", *SMALL, *arguments)
        assert result.exit_code == status, result.output
        assert part in result.stderr
        assert result.stdout == ""
