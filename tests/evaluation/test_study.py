"""The figures of a study, their means, and the file that keeps them."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yocto.config import StudyTokenizersConfig
from yocto.errors import DataError
from yocto.evaluation.study import Mean, StudyModel, StudyPoint, TaskFigure, TaskMean, curve
from yocto.evaluation.study_record import RESULTS, Record, read_record


def point(step: int, bits: float, accuracy: float | None = None) -> StudyPoint:
    tasks = {}
    if accuracy is not None:
        tasks["blimp"] = TaskFigure(accuracy, [accuracy - 0.1, accuracy + 0.1], 50)
    return StudyPoint(step, 100 * step, 300 * step, 2 * bits, bits, tasks)


def record() -> Record:
    config = StudyTokenizersConfig(domain=("a=x.txt", "b=y.txt"), train=("n_layer=2",))
    models = {"a-1": StudyModel("a-1", "a", 1, [5, 9], True, [point(5, 3.0, 0.5)])}
    return Record(config.to_dict(), {"text_path": "00"}, models=models)


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=9))
def test_a_mean_is_that_of_the_values_and_its_spread_their_deviation(values: list[float]) -> None:
    mean = Mean.of(values)
    assert mean.value == statistics.fmean(values)
    assert mean.spread == (statistics.stdev(values) if len(values) > 1 else None)


def test_a_curve_goes_as_far_as_all_models_are_measured() -> None:
    one = StudyModel("a-1", "a", 1, [5, 9], True, [point(5, 3.0, 0.5), point(9, 2.0, 0.6)])
    other = StudyModel("a-2", "a", 2, [5, 9], True, [point(5, 4.0, 0.7)])
    (only,) = curve([one, other])
    assert (only.step, only.tokens, only.bytes) == (5, 500, 1500)
    assert only.bits_per_byte.value == 3.5
    assert only.tasks["blimp"].accuracy.value == pytest.approx(0.6)
    assert only.tasks["blimp"].interval == pytest.approx([0.5, 0.7])
    assert [p.bits_per_byte for p in curve([one])] == [Mean(3.0), Mean(2.0)]
    assert curve([]) == []


def test_accuracy_by_length_has_its_own_mean() -> None:
    figures = [TaskFigure(0.5, [0.4, 0.6], 9, x, [x - 0.1, x + 0.1]) for x in (0.2, 0.4)]
    mean = TaskMean.of(figures)
    assert mean.normalised_accuracy is not None
    assert mean.normalised_accuracy.value == pytest.approx(0.3)
    assert mean.normalised_interval == pytest.approx([0.2, 0.4])


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None
    record().save(tmp_path)
    assert read_record(tmp_path) == record()
    assert not record().is_finished


@pytest.mark.parametrize(
    "damage",
    [
        {"models": {"a": 3}},
        {"models": {"a": {"run": "a", "domain": "a", "seed": 1, "steps": [5], "points": []}}},
        {"settings": {"vocab_size": "many"}},
        {"texts": []},
        {"tokenizers": {"a": {"domain": "a"}}},
        {"training": 5},
        {"format": "other"},
        {"version": 99},
    ],
)
def test_a_damaged_record_is_refused_by_name(tmp_path: Path, damage: dict[str, Any]) -> None:
    record().save(tmp_path)
    path = tmp_path / RESULTS
    path.write_text(json.dumps({**json.loads(path.read_text()), **damage}))
    with pytest.raises(DataError, match=r"results\.json"):
        read_record(tmp_path)


@pytest.mark.parametrize("bits", [float("nan"), "3", None, True])
def test_a_figure_that_is_no_number_is_refused(tmp_path: Path, bits: Any) -> None:
    record().save(tmp_path)
    path = tmp_path / RESULTS
    content = json.loads(path.read_text())
    content["models"]["a-1"]["points"][0]["bits_per_byte"] = bits
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match="is damaged"):
        read_record(tmp_path)


def test_points_of_other_steps_than_those_planned_are_refused(tmp_path: Path) -> None:
    record().save(tmp_path)
    path = tmp_path / RESULTS
    content = json.loads(path.read_text())
    content["models"]["a-1"]["points"][0]["step"] = 6
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match="is damaged"):
        read_record(tmp_path)
