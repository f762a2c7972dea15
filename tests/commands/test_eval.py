"""yocto eval on the command line: texts, the run's own split, tasks, bad rows."""

import gzip
import json
import shutil

import pytest
from eval_oracle import blimp_rows, hellaswag_rows, lambada_rows

from yocto.checkpoint import Checkpoint
from yocto.evaluation.record import read_evaluations


@pytest.fixture
def copy(token_project, tmp_path, monkeypatch):
    """A token run in the folder where the test is."""
    monkeypatch.chdir(tmp_path)
    return token_project.copy_to(tmp_path)


def write_rows(path, rows):
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def told(result):
    assert result.exit_code == 0, result.output + result.stderr
    return json.loads(result.stdout)


def test_the_own_validation_split_has_the_loss_that_training_measured(copy, yocto):
    made = told(yocto("eval", "--json"))
    lines = [json.loads(line) for line in (copy.run / "metrics.jsonl").read_text().splitlines()]
    measured = next(line for line in lines if line.get("whole_split"))
    (text,) = made["texts"]
    assert text["loss"] == pytest.approx(measured["val_loss"], rel=1e-5)
    assert (made["run"], made["step"]) == ("token-1", measured["step"])
    assert text["name"].startswith("validation split of ")
    meta = json.loads((copy.data / "meta.json").read_text())["splits"]["val"]
    assert text["tokens"] == meta["tokens"] - 1
    assert meta["bytes"] - 10 < text["bytes"] < meta["bytes"]
    (kept,) = read_evaluations(copy.run)
    assert kept.texts[0].loss == text["loss"]
    assert told(yocto("eval", "--json", "--no-save"))["texts"][0]["loss"] == text["loss"]
    assert len(read_evaluations(copy.run)) == 1


def test_the_own_files_are_found_from_anywhere_and_other_files_in_their_place_are_not(
    char_project, tmp_path, monkeypatch, yocto
):
    copy = char_project.copy_to(tmp_path)
    train = Checkpoint.read(copy.step).train
    assert train["data_dir"] == str(char_project.data)
    assert yocto("eval", "--ckpt", copy.run, "--no-save").exit_code == 0
    meta = json.loads((char_project.data / "meta.json").read_text())
    hidden = tmp_path / "hidden"
    monkeypatch.setattr("yocto.commands.eval.find_own_files", lambda *_: None)
    result = yocto("eval", "--ckpt", copy.run)
    assert result.exit_code == 1
    assert "not where they were" in result.stderr
    assert "--data-dir" in result.stderr
    shutil.copytree(copy.data, hidden)
    made = told(yocto("eval", "--ckpt", copy.run, "--data-dir", hidden, "--json", "--no-save"))
    assert made["texts"][0]["tokens"] == meta["splits"]["val"]["tokens"] - 1


def test_token_files_of_another_tokenizer_are_refused(copy, char_project, yocto):
    result = yocto("eval", "--data-dir", char_project.data)
    assert result.exit_code == 1
    assert "another tokenizer" in result.stderr


def test_texts_are_measured_with_a_stride_each_by_itself(copy, yocto):
    (copy.root / "a.txt").write_text("the river knows. " * 40)
    (copy.root / "b.txt").write_text("Né 🙂 the road")
    args = ["eval", "--text-path", "a.txt", "--text-path", "b.txt", "--json", "--batch-size", "2"]
    one, two = told(yocto(*args))["texts"], told(yocto(*args, "--stride", "7"))["texts"]
    assert [t["name"] for t in one] == ["a.txt", "b.txt"]
    assert [(t["tokens"], t["bytes"]) for t in one] == [(t["tokens"], t["bytes"]) for t in two]
    assert one[0]["loss"] != two[0]["loss"]
    assert [t["stride"] for t in (*one, *two)] == [48, 48, 7, 7]
    result = yocto("eval", "--text-path", "a.txt", "--stride", "49")
    assert result.exit_code == 2
    assert "stride 49 is more than block_size 48" in result.stderr


def test_a_terminal_of_80_columns_shows_all_of_it(copy, yocto, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    (copy.root / "a.txt").write_text("the river knows. " * 40)
    write_rows(copy.root / "h.jsonl", hellaswag_rows(9))
    write_rows(copy.root / "l.jsonl", lambada_rows(5))
    names = [f"irregular_past_participle_adjective_{i}.jsonl" for i in range(4)]
    (copy.root / "blimp").mkdir()
    for name in names:
        write_rows(copy.root / "blimp" / name, blimp_rows(4))
    few = yocto("eval", "--text-path", "a.txt", "--task", "h.jsonl", "--task", "l.jsonl")
    assert few.exit_code == 0
    for words in ("loss", "bits", "a character", "accuracy", "by the byte", "per token of"):
        assert words in few.stdout
    many = yocto("eval", "--task", "h.jsonl", "--task", "blimp")
    assert many.exit_code == 0
    table = yocto("eval", "--task", "blimp").stdout
    assert all(name in table for name in names), "nothing was trimmed: there is room for the names"
    assert "trimmed" not in table
    assert max(map(len, (few.stdout + many.stdout + table).splitlines())) <= 80


def test_a_folder_is_told_file_by_file_and_as_a_whole_with_its_rows(copy, yocto):
    (copy.root / "blimp").mkdir()
    for i in range(2):
        write_rows(copy.root / "blimp" / f"{i}.jsonl.gz", blimp_rows(6 + i))
    made = told(yocto("eval", "--task", "blimp=blimp", "--json", "--rows-path", "out/rows.jsonl"))
    assert [(t["file"], t["rows"]) for t in made["tasks"]] == [
        ("blimp/0.jsonl.gz", 6), ("blimp/1.jsonl.gz", 7), ("blimp", 13),
    ]  # fmt: skip
    rows = [json.loads(line) for line in (copy.root / "out/rows.jsonl").read_text().splitlines()]
    assert [(row["file"], row["line"]) for row in rows[5:7]] == [
        ("blimp/0.jsonl.gz", 6), ("blimp/1.jsonl.gz", 1),
    ]  # fmt: skip
    assert {"loglikelihood", "tokens", "bytes", "greedy"} == rows[0]["choices"][0].keys()
    whole = made["tasks"][2]
    assert whole["accuracy"] == pytest.approx(sum(row["correct"] for row in rows) / 13)
    assert not made["texts"]


GOOD = {"ctx": "the river", "endings": ["knows", "seeks"], "label": 1}
BAD = {
    "missing key": ({"ctx": "the river", "label": 1}, "it has no 'endings'"),
    "label out of range": ({**GOOD, "label": 7}, "'label' is 7, but choices go from 0 to 1"),
    "empty ending": ({**GOOD, "endings": ["", "a"]}, "number 0 of 'endings' is empty"),
    "no JSON": ('{"ctx": "the', "is not valid JSON"),
    "no object": ("[1]", "it is no object but a list"),
    "half a character": ('{"ctx": "\\ud800", "endings": ["a", "b"], "label": 0}', "surrogate"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_row_is_named_by_file_and_line_before_anything_is_scored(copy, yocto, kind):
    row, reason = BAD[kind]
    write_rows(copy.root / "h.jsonl", [GOOD, "", row, GOOD])
    result = yocto("eval", "--task", "hellaswag=h.jsonl", "--rows-path", "rows.jsonl", "--json")
    assert result.exit_code == 1
    assert "1 of 3 rows is bad" in result.stderr
    assert "line 3 in h.jsonl" in result.stderr
    assert reason in result.stderr
    assert "--skip-bad" in result.stderr
    assert not result.stdout
    assert not (copy.root / "rows.jsonl").exists()
    assert not read_evaluations(copy.run)
    result = yocto("eval", "--task", "h.jsonl", "--skip-bad", "--json")
    (task,) = told(result)["tasks"]
    assert (task["rows"], task["bad_rows"]) == (2, 1)
    assert "line 3 in h.jsonl" in result.stderr


def test_of_many_bad_rows_all_are_named_by_file_and_line(copy, yocto):
    write_rows(copy.root / "a.jsonl", [*[{**GOOD, "label": 9}] * 12, GOOD])
    write_rows(copy.root / "b.jsonl", [GOOD, "{", GOOD, *["[]"] * 3])
    tasks = ["--task", "a.jsonl", "--task", "b.jsonl"]
    result = yocto("eval", *tasks)
    assert result.exit_code == 1
    assert "16 of 19 rows are bad: line 1 in a.jsonl: 'label' is 9" in result.stderr
    assert "line 10 in a.jsonl: " in result.stderr
    assert (
        "; 2 more in a.jsonl: lines 11 to 12; 4 more in b.jsonl: lines 2, 4 to 6" in result.stderr
    )
    result = yocto("eval", *tasks, "--skip-bad", "--json")
    assert [task["bad_rows"] for task in told(result)["tasks"]] == [12, 4]
    assert "passed over 12 bad rows of a.jsonl" in result.stderr
    assert "passed over 4 bad rows of b.jsonl: line 2 in b.jsonl" in result.stderr


def test_a_character_that_a_char_model_lacks_makes_a_row_bad(char_project, tmp_path, yocto):
    file = write_rows(tmp_path / "h.jsonl", [GOOD, {**GOOD, "ctx": "日本"}])
    result = yocto("eval", "--ckpt", char_project.run, "--task", file, "--no-save")
    assert result.exit_code == 1
    assert "line 2 in" in result.stderr
    assert "not in the vocabulary" in result.stderr


def test_a_limit_takes_the_first_rows(copy, yocto):
    write_rows(copy.root / "h.jsonl", [GOOD, GOOD, "{", GOOD])
    (task,) = told(yocto("eval", "--task", "h.jsonl", "--limit", "2", "--json"))["tasks"]
    assert task["rows"] == 2


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--limit", "3"], 2, "limit has no effect without a task"),
        (["--task", "h.jsonl", "--stride", "3"], 2, "stride has no effect without a text"),
        (["--errors", "replace"], 2, "errors has no effect without a text"),
        (["--task", "helaswag=h.jsonl"], 2, "Did you mean 'hellaswag'?"),
        (["--task", "nothing.jsonl"], 1, "nothing.jsonl"),
        (["--task", "odd.jsonl"], 1, "tells of no task: its keys are 'a'"),
        (["--task", "empty.jsonl"], 1, "there is no row in empty.jsonl"),
        (["--task", "bad.jsonl", "--skip-bad"], 1, "no row of bad.jsonl can be scored"),
        (["--task", "table.csv"], 1, "tasks are read from JSON lines"),
        (["--text-path", "one.txt"], 1, "one.txt has one token"),
    ],
)
def test_mistakes_are_told_with_what_to_do(copy, yocto, arguments, status, words):
    write_rows(copy.root / "h.jsonl", [GOOD])
    write_rows(copy.root / "odd.jsonl", [{"a": 1}])
    write_rows(copy.root / "empty.jsonl", [])
    write_rows(copy.root / "bad.jsonl", ["{"])
    (copy.root / "table.csv").write_text("a,b\n")
    (copy.root / "one.txt").write_text("x")
    result = yocto("eval", *arguments)
    assert result.exit_code == status
    assert words in result.stderr


def test_a_fine_tuned_run_asks_for_a_text(copy, yocto):
    chats = [{"instruction": "Who?", "output": "The river."}] * 8
    write_rows(copy.root / "chats.jsonl", chats)
    made = yocto("finetune", "--data", "chats.jsonl", "--epochs", "1", "--batch-size", "1")
    assert made.exit_code == 0, made.stderr
    result = yocto("eval")
    assert result.exit_code == 1
    assert "fine-tuned on conversations" in result.stderr
    assert "--text-path" in result.stderr
