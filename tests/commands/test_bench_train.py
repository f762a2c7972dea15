"""bench train, in miniature: what is shown and what is refused, not how quick it is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tiny import make_text

from yocto.bench import contest, training
from yocto.bench.peers import NOT_INSTALLED

SHORT = ("--text-path", "text.txt", "--seeds", "1", "--scale", "0.001")
SMALL = ("--n-layer", "1", "--n-head", "1", "--n-embd", "8", "--block-size", "8", "--rounds", "1")
FLOAT = r"[\d.,]+"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a text."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(make_text(60), encoding="utf-8")
    return tmp_path


def test_both_tables_have_a_row_for_each_side_and_fit_80_columns(
    yocto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    result = yocto("bench", "train", *SHORT, *SMALL, "--target-loss", "100")
    assert result.exit_code == 0, result.stderr
    assert all(len(line) <= 80 for line in result.stdout.splitlines())
    learning, speed = result.stdout.split("Speed of GPT-2's shape, 1 round\n")
    assert "1 seed" in learning
    assert "until the loss is 100" in learning
    rows = re.findall(rf"^(\S.*?)  +({FLOAT})M +(\S+) +({FLOAT}) +({FLOAT}) +({FLOAT}) +({FLOAT}) "
                      rf"+({FLOAT}) *$", learning, re.M)  # fmt: skip
    assert [row[0] for row in rows] == [
        "yocto", "yocto, same time", "nanogpt-recipe", "transformers",
    ]  # fmt: skip
    assert [row[2] for row in rows] == ["1x16", "1x16", "2x12", "2x12"]
    assert rows[0][6] == "1.00"
    assert "n_layer 1, n_head 1, n_embd 8, block_size 8, batch_size 12" in speed
    rows = re.findall(rf"^(\w+) +(?:{FLOAT}M|–) +(\S+) +(\S+) +({FLOAT}) +({FLOAT})% *$", speed,
                      re.M)  # fmt: skip
    assert [row[0] for row in rows] == ["yocto", "transformers", "matmul"]
    assert rows[0][2] == "1.00"
    assert rows[2][1:3] == ("–", "–")
    assert rows[2][4] == "100.0"


def test_json_has_everything_and_the_cut_is_nanogpts(yocto, home: Path) -> None:
    result = yocto("bench", "train", *SHORT, "--only", "learning", "--peers", "nanogpt-recipe",
                   "--json")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    text = (home / "text.txt").read_text(encoding="utf-8")
    assert told["characters"] == len(text)
    assert told["val_characters"] == len(text) - int(0.9 * len(text))
    assert told["vocab_size"] == len(set(text))
    assert (told["speed"], told["seeds"], told["scale"]) == ([], 1, 0.001)
    assert (told["threads"], told["target_loss"]) == (1, None)
    assert set(told["machine"]) == {"cpu", "cores", "system", "python"}
    ours, longer, theirs = told["learning"]
    assert (ours["engine"], theirs["engine"]) == ("yocto", "nanogpt-recipe")
    assert "family='gpt2'" in theirs["call"]
    assert "family" not in ours["call"] + longer["call"]
    for row in told["learning"]:
        assert row["reason"] is None
        assert row["threads"] == 1
        assert row["tokens_per_second"] > 0
        (run,) = row["runs"]
        assert run["seed"] == 1337
        assert run["tokens"] == row["iterations"] * row["batch_size"] * 64
        assert run["target"] == theirs["loss"]
        last = run["looks"][-1]
        assert (last["step"], last["loss"]) == (row["iterations"], row["loss"])
        # Turns without a step of their own come after it, and take no time.
        assert last["cpu_seconds"] == pytest.approx(row["cpu_seconds"], abs=0.05)
    assert theirs["cpu_seconds_to_target"] is not None


def test_where_transformers_is_missing_the_rest_goes_on(
    yocto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contest, "version_of", {"yocto": "1", "matmul": "1"}.get)
    result = yocto("bench", "train", "--text-path", "text.txt", *SMALL, "--only", "speed")
    assert result.exit_code == 0, result.stderr
    assert f"transformers: {NOT_INSTALLED}" in result.stdout
    assert re.search(r"^transformers +– +– +– +– +– *$", result.stdout, re.M)
    assert re.search(rf"^yocto +\S+M +{FLOAT} +1.00 ", result.stdout, re.M)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--peers", "transformer"], 2, "Did you mean 'transformers'?"),
        (["--only", "learning", "--n-embd", "64"], 2, "n_embd can't go with only=learning"),
        (["--only", "speed", "--seeds", "2"], 2, "seeds can't go with only=speed"),
        (["--n-embd", "130"], 2, "n_embd 130 is not a multiple of n_head 4"),
        (["--text-path", "short.txt"], 1, "validating takes more than block_size 64"),
        (["--only", "speed", "--block-size", "2000"], 1, "more than block_size 2000"),
        (["--text-path", "missing.txt"], 1, "there is no text file missing.txt"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_runs(
    yocto, home: Path, monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], status: int, words: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(training, "measure_learning", None)
    monkeypatch.setattr(training, "measure_speed", None)
    (home / "short.txt").write_text("to be or not to be " * 30)
    text = () if "--text-path" in arguments else ("--text-path", "text.txt")
    result = yocto("bench", "train", *text, *arguments)
    assert result.exit_code == status, result.output
    assert words in result.stderr
    assert result.stdout == ""


def test_settings_that_show_config_prints_can_be_read_again(yocto, home: Path) -> None:
    shown = yocto("bench", "train", "--only", "speed", "--n-embd", "64", "--show-config")
    (home / "mine.yaml").write_text(shown.stdout)
    again = yocto("bench", "train", "--config", "mine.yaml", "--show-config", "--json")
    assert again.exit_code == 0, again.stderr
    assert json.loads(again.stdout)["n_embd"] == 64
