"""What a study takes of an evaluation."""

from __future__ import annotations

from pathlib import Path

import pytest

from yocto.commands.study_stages import _figures_of
from yocto.evaluation.result import TaskScore


def score(name: str, file: str, accuracy: float) -> TaskScore:
    return TaskScore(name, file, 8, 0, accuracy, [0.0, 1.0], None, None, None, 0, 0.1)


def test_each_task_has_a_figure_also_where_files_have_the_same_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = ["arc/test.jsonl", "mmlu/test.jsonl", "h.jsonl"]
    for file in files:
        Path(file).parent.mkdir(exist_ok=True)
        Path(file).write_text("{}\n")
    kinds = ["multiple-choice", "multiple-choice", "hellaswag"]
    scores = [score(k, f, i / 8) for i, (k, f) in enumerate(zip(kinds, files, strict=True))]
    found = _figures_of(files, scores)
    assert {name: figure.accuracy for name, figure in found.items()} == {
        "multiple-choice arc/test": 0.0, "multiple-choice mmlu/test": 0.125, "hellaswag": 0.25,
    }  # fmt: skip


def test_the_files_of_a_folder_have_one_figure_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("blimp").mkdir()
    for name in "ab":
        Path(f"blimp/{name}.jsonl").write_text("{}\n")
    scores = [score("blimp", f, 0.5) for f in ("blimp/a.jsonl", "blimp/b.jsonl")]
    found = _figures_of(["blimp"], [*scores, score("blimp", "blimp", 0.75)])
    assert {name: figure.accuracy for name, figure in found.items()} == {"blimp": 0.75}
