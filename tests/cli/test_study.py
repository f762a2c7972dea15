"""A study's tables on a terminal of 80 columns."""

from __future__ import annotations

import pytest

from yocto.cli.study import render_study
from yocto.commands.study_tokenizers import DomainResult, Study
from yocto.evaluation.study import Mean, MeanPoint, TaskMean


def test_no_figure_is_cut_however_long_the_names_and_the_numbers_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    task = TaskMean(Mean(0.512, 0.123), [0.412, 1.0], Mean(1.0, 0.101), [0.423, 1.0])
    point = MeanPoint(123_456, 1, 2, Mean(1.2345, 0.1234), {"multiple-choice " + "q" * 50: task})
    domains = [
        DomainResult(name, 1_048_576, 1_048_000, 3.123, ["a", "b"], [point])
        for name in ("law", "d" * 64)
    ]
    render_study(Study("studies/x", "bytes", domains, []), as_json=False)
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    for figure in ("1,048,576", "1,048,000", "3.123", "123,456", "1.2345 ±0.1234", "51.2% ±12.3",
                   "41.2–100.0", "100.0% ±10.1", "42.3–100.0"):  # fmt: skip
        assert out.count(figure) == 2, figure
    assert out.count("d") > 2 * 64  # names go over several lines, whole
