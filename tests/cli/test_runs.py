"""Runs as a table, and what differs between them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Project
from hypothesis import given
from hypothesis import strategies as st
from made_runs import evaluation, make_run, training

from yocto.checkpoint import LOCK
from yocto.cli.runs import _fitting, ago, short, span
from yocto.utils.lock import exclusive


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder of four runs, one damaged."""
    make_run(tmp_path / "one", [training(10), evaluation(12, 3.0)], written=1000)
    make_run(tmp_path / "two", [evaluation(4, 1.0)], 4, written=2000, learning_rate=0.5)
    bad = make_run(tmp_path / "bad", [evaluation(12, 2.0)], written=3000)
    (bad.path / "step-000012" / "config.json").write_text("{")
    make_run(tmp_path / ("long-" * 30), [], written=4000)
    return tmp_path


def rows(text: str) -> list[str]:
    return text.split("\n\n")[0].splitlines()


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_the_table_fits_the_terminal_and_a_wider_one_has_more(
    runs, yocto, monkeypatch, width
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    result = yocto("runs", "--ckpt-dir", runs)
    assert result.exit_code == 0
    head, *lines = rows(result.stdout)
    assert len(lines) == 4
    assert max(len(line.rstrip()) for line in (head, *lines)) <= width
    assert head.split()[:1] == ["run"]
    for name, least in {"status": 40, "best": 80, "params": 80, "last": 120, "tokens": 120}.items():
        assert (name in head) or width < least, name


def test_each_run_has_a_line_with_its_figures_and_a_damaged_one_its_reason(
    runs, yocto, monkeypatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    with exclusive(runs / "two" / LOCK):
        result = yocto("runs", "--ckpt-dir", runs)
    _, long, bad, two, one = rows(result.stdout)
    assert long.startswith("long-long-")
    assert "damaged" in bad
    assert one.split() == [
        "one", "1970-01-01", "finished", "4.22k", "12", "3.000", "3.000", "1.500", "384", "1", "s",
        "320",
    ]  # fmt: skip
    assert "training" in two
    assert "4/12" in two
    notes = result.stdout.split("\n\n")[1]
    assert "bad: " in notes and "config.json is not valid JSON" in notes
    assert "two: trained by process " in notes


@pytest.mark.parametrize(
    ("sort", "order"),
    [("time", ["long", "bad", "two", "one"]), ("name", ["bad", "long", "one", "two"]),
     ("loss", ["two", "bad", "one", "long"])],
)  # fmt: skip
def test_runs_can_be_sorted(runs, yocto, sort, order) -> None:
    result = yocto("runs", "--ckpt-dir", runs, "--sort", sort, "--json")
    found = json.loads(result.stdout)["runs"]
    assert [run["name"].split("-")[0] for run in found] == order


def test_json_has_all_figures_of_a_run(project: Project, yocto) -> None:
    (run,) = json.loads(yocto("runs", "--ckpt-dir", project.checkpoints, "--json").stdout)["runs"]
    assert (run["step"], run["max_iters"], run["status"]) == (20, 20, "finished")
    assert run["best"]["val_loss"] > 0
    assert None not in run.values()


def test_no_runs_are_told_with_what_to_type(tmp_path, monkeypatch, yocto) -> None:
    monkeypatch.chdir(tmp_path)
    result = yocto("runs")
    assert result.exit_code == 0
    assert result.stdout == "there are no runs under checkpoints yet\ntrain one: yocto train\n"
    assert json.loads(yocto("runs", "--json").stdout) == {"ckpt_dir": "checkpoints", "runs": []}


def test_a_comparison_shows_a_column_for_each_run(runs, yocto) -> None:
    result = yocto("runs", "compare", "one", "two", "--ckpt-dir", runs)
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["one", "two"] in lines
    assert ["learning_rate", "0.008", "0.5"] in lines
    assert ["status", "finished", "interrupted"] in lines
    assert ["best_val_loss", "3.0000", "1.0000"] in lines
    assert "settings are the same\nthe text is the same\nthe tokenizer is the same" in result.stdout
    assert "n_layer" not in result.stdout


def test_a_comparison_warns_of_different_tokenizers(runs, yocto) -> None:
    make_run(runs / "other", [], letters="xyz", corpus="12" * 64)
    result = yocto("runs", "compare", "one", "other", "--ckpt-dir", runs)
    assert "losses of different tokenizers don't compare: bits per byte do" in result.stdout
    assert "is the same\n" not in result.stdout


def test_a_damaged_run_is_compared_as_far_as_it_goes(runs, yocto) -> None:
    result = yocto("runs", "compare", "one", "bad", "--ckpt-dir", runs)
    assert result.exit_code == 0
    assert "bad is damaged: " in result.stderr
    assert "not all of these runs tell which text they had" in result.stdout
    found = json.loads(yocto("runs", "compare", "one", "bad", "--ckpt-dir", runs, "--json").stdout)
    assert found["results"]["status"] == ["finished", "damaged"]


# ----------------------------------------------------------------------------------------- figures


@given(st.floats(0, 1e14))
def test_a_short_number_is_short_and_near(number) -> None:
    text = short(number)
    assert len(text) <= 6
    units = {"k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
    value = float(text.rstrip("kMBT")) * units.get(text[-1], 1)
    assert value == pytest.approx(number, rel=0.006, abs=0.5)


@given(st.floats(0, 1e9))
def test_a_span_is_in_one_unit_and_near(seconds) -> None:
    number, unit = span(seconds).split()
    size = {"s": 1, "min": 60, "h": 3600, "d": 86400}[unit]
    assert float(number.replace(",", "")) * size == pytest.approx(seconds, rel=0.06, abs=0.5)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s ago"), (59, "59 s ago"), (61, "1 min ago"), (3600, "1 h ago"),
     (47.5 * 3600, "47 h ago"), (48 * 3600, "2 d ago"), (40 * 86400, "1970-01-02")],
)  # fmt: skip
def test_how_long_ago(seconds, text) -> None:
    assert ago(seconds, 86400 * 1.5) == text


@given(st.integers(0, 150), st.integers(1, 40))
def test_columns_that_fit_are_chosen_in_their_order(width, name) -> None:
    widths = {"run": name, "written": 8, "status": 11, "params": 6, "step": 9, "best val": 8,
              "last val": 8, "bits/byte": 9, "tokens": 6, "time": 5, "tok/s": 5}  # fmt: skip
    shown = _fitting(widths, width)
    assert [head for head in widths if head in shown] == shown
    least = sum(min(10, widths[h]) if h == "run" else widths[h] for h in shown)
    assert least + 2 * (len(shown) - 1) <= width or not shown
