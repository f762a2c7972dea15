"""bench decode, in miniature: what is shown and what is refused, not how quick it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Self

import pytest
from typer.testing import CliRunner

from yocto.bench import contest, decoding
from yocto.bench.job import AnyJob
from yocto.bench.peers import NOT_INSTALLED
from yocto.bench.session import Session
from yocto.cli.app import make_app
from yocto.config import GPTConfig
from yocto.model.gpt import GPT

SMALL = (
    "--n-layer", "1", "--n-head", "1", "--n-embd", "8", "--block-size", "16", "--vocab-size", "50",
    "--prompt-tokens", "3", "--new-tokens", "9", "--batch-size", "2", "--rounds", "1",
)  # fmt: skip
FLOAT = r"[\d.,]+"
SIDES = [
    "yocto", "yocto, int8", "yocto, batch", "no-cache", "transformers", "transformers, batch",
    "memory",
]  # fmt: skip
Said = dict[str, list[dict[str, Any]]]  # side -> what its worker has answered


@pytest.fixture(scope="module")
def measured() -> Iterator[tuple[str, Said]]:
    """One measurement with real workers, which take seconds to start: the command's JSON, and what
    each of them said."""
    said: Said = {}

    class Recording(Session):
        def __init__(self, job: AnyJob) -> None:
            super().__init__(job)
            self.said = said.setdefault(job.engine, [])

        def ask(self) -> dict[str, Any]:
            self.said.append(super().ask())
            return self.said[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contest, "Session", Recording)
        words = ["bench", "decode", *SMALL, "--family", "qwen3", "--json"]
        result = CliRunner().invoke(make_app(), words, catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    yield result.stdout, said


@pytest.fixture
def replayed(measured: tuple[str, Said], monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Workers that say it once more; the set gets the names of those that are started."""
    started: set[str] = set()

    class Replayed:
        def __init__(self, job: AnyJob) -> None:
            started.add(job.engine)
            self.answers = iter(measured[1][job.engine])

        def ask(self) -> dict[str, Any]:
            return next(self.answers)

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *error: object) -> None:
            pass

    monkeypatch.setattr(contest, "Session", Replayed)
    return started


def test_the_table_has_a_row_for_each_side_and_fits_80_columns(
    yocto, replayed: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    result = yocto("bench", "decode", *SMALL)
    assert result.exit_code == 0, result.stderr
    assert all(len(line) <= 80 for line in result.stdout.splitlines())
    assert "n_layer 1, n_head 1, n_embd 8, block_size 16, vocab_size 50" in result.stdout
    assert "9 tokens after 3 of a prompt, 1 round\n" in result.stdout
    rows = re.findall(rf"^(\S.*?)  +(\d|–) +({FLOAT}) +({FLOAT}) +({FLOAT}) +({FLOAT})% +(\S+) *$",
                      result.stdout, re.M)  # fmt: skip
    assert [row[0] for row in rows] == SIDES
    assert [row[1] for row in rows] == ["1", "1", "2", "1", "1", "2", "–"]
    assert rows[0][4] == "1.00"
    assert rows[-1][5:] == ("100.0", "–")
    assert {row[6] for row in rows if row[0] not in ("yocto, int8", "memory")} == {"9"}
    assert re.search(
        rf"^memory: GB/s(, {FLOAT} by (yocto's kernel|torch.mv|torch.sum)){{3}}$",
        result.stdout, re.M,
    )  # fmt: skip
    told = re.findall(rf"^(.+?)  +{FLOAT}$", result.stdout.split("In the same rounds\n")[1], re.M)
    assert told == [
        "yocto / no-cache", "yocto / transformers", "yocto of the memory's bound", "int8 / yocto",
        "batch / yocto", "batch / transformers' batch",
    ]  # fmt: skip


def test_json_has_everything(measured: tuple[str, Said]) -> None:
    told = json.loads(measured[0])
    assert told["shape"]["family"] == "qwen3"
    assert (told["prompt_tokens"], told["new_tokens"], told["rounds"]) == (3, 9, 1)
    model = GPT(GPTConfig(**told["shape"]))
    assert told["parameters"] == sum(p.numel() for p in model.parameters())
    assert told["threads"] == 1
    assert set(told["machine"]) == {"cpu", "cores", "system", "python"}
    assert [row["engine"] for row in told["rows"]] == SIDES
    for row in told["rows"]:
        assert row["reason"] is None
        assert row["call"]
        assert row["tokens_per_second"] > 0
        assert row["weight_bytes"] > 0
        assert 0 < row["share"] <= 1
    assert {row["same_ids"] for row in told["rows"][:6] if "int8" not in row["engine"]} == {9}
    assert all(ratio > 0 for ratio in told["ratios"].values())


def test_where_transformers_is_missing_the_rest_goes_on(
    yocto, replayed: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = contest.version_of
    monkeypatch.setattr(
        contest, "version_of", lambda name: None if "transformers" in name else real(name)
    )
    result = yocto("bench", "decode", *SMALL)
    assert result.exit_code == 0, result.stderr
    assert f"transformers: {NOT_INSTALLED}" in result.stdout
    assert re.search(r"^transformers +1 +– +– +– +– +– *$", result.stdout, re.M)
    assert re.search(r"^yocto / transformers +–$", result.stdout, re.M)
    assert re.search(rf"^yocto / no-cache +{FLOAT}$", result.stdout, re.M)
    assert replayed == {name for name in SIDES if "transformers" not in name}


def test_peers_that_were_not_asked_for_have_no_rows(yocto, replayed: set[str]) -> None:
    result = yocto("bench", "decode", *SMALL, "--peers", "no-cache", "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert [row["engine"] for row in told["rows"]] == [
        name for name in SIDES if "transformers" not in name
    ]
    assert replayed == {row["engine"] for row in told["rows"]}
    assert told["ratios"]["yocto / transformers"] is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--peers", "transformer"], "Did you mean 'transformers'?"),
        (["--new-tokens", "14"], "3 prompt_tokens and 14 new_tokens are more than block_size 16"),
        (["--n-embd", "10", "--n-head", "4"], "n_embd 10 is not a multiple of n_head 4"),
        (["--family", "gpt3"], "gpt3"),
        (["--batch-size", "1"], "batch"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_runs(
    yocto, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.setattr(decoding, "Contest", None)
    result = yocto("bench", "decode", *SMALL, *arguments)
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert result.stdout == ""
