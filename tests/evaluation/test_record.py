"""evaluations.jsonl: lines are added whole, and damaged ones passed over."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from yocto.checkpoint import Run
from yocto.evaluation.record import add_evaluation, read_evaluations
from yocto.evaluation.result import Evaluation, TaskScore, TextScore

TEXT = TextScore("a.txt", 2.5, 12.2, 1.8, None, 9, 20, 20, 4, 8, 0.1, 90.0)
TASK = TaskScore("blimp", "b.jsonl", 5, 1, 0.6, [0.2, 0.9], None, None, None, 0, 0.2)
MADE = Evaluation("token-1", 20, "checkpoints/token-1/step-000020", [TEXT], [TASK], "cpu", "now")


def test_what_is_added_is_read_again_in_order(tmp_path):
    assert read_evaluations(tmp_path) == []
    made = [replace(MADE, step=step) for step in range(3)]
    for one in made:
        add_evaluation(tmp_path, one)
    assert read_evaluations(tmp_path) == made
    assert [p.name for p in tmp_path.iterdir()] == ["evaluations.jsonl"]


def test_several_at_once_lose_none(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: add_evaluation(tmp_path, replace(MADE, step=i)), range(20)))
    assert sorted(one.step for one in read_evaluations(tmp_path)) == list(range(20))


def test_damaged_lines_are_passed_over(tmp_path):
    add_evaluation(tmp_path, MADE)
    file = tmp_path / "evaluations.jsonl"
    whole = json.loads(file.read_text())
    text = whole["texts"][0]
    damaged = [
        "", "{", "[]", "5", '"a"', json.dumps({**whole, "version": 2}),
        json.dumps({**whole, "step": "1"}), json.dumps({**whole, "texts": [5]}),
        json.dumps({k: v for k, v in whole.items() if k != "tasks"}),
        json.dumps({**whole, "texts": [{**text, "loss": None}]}),
        json.dumps({**whole, "texts": [{**text, "tokens": True}]}), '{"step": 3',
    ]  # fmt: skip
    newer = json.dumps({**whole, "more": 1, "texts": [{**text, "more": 2}]})
    file.write_text("\n".join([*damaged, newer, *damaged]))
    assert read_evaluations(tmp_path) == [MADE]
    add_evaluation(tmp_path, replace(MADE, step=21))  # behind a line that has no end
    assert [one.step for one in read_evaluations(tmp_path)] == [20, 21]


def test_a_new_run_in_the_place_of_another_does_not_inherit_its_figures(tmp_path):
    run = Run(tmp_path)
    (tmp_path / "metrics.jsonl").write_text("{}\n")
    add_evaluation(tmp_path, MADE)
    run.set_aside()
    assert read_evaluations(tmp_path) == []
    run.put_back()
    assert read_evaluations(tmp_path) == [MADE]
    run.set_aside()
    run.keep_only(3)
    assert read_evaluations(tmp_path) == []
