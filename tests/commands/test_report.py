"""yocto report: one page on one run or several."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from conftest import Project
from made_runs import evaluation, make_run, training

from yocto.evaluation.record import add_evaluation
from yocto.evaluation.result import Evaluation, TaskScore, TextScore
from yocto.tokenizer.char import CharTokenizer
from yocto.utils.lock import exclusive

QUICK = ("--temperature", "0", "--temperature", "0.9", "--max-new-tokens", "8")


def measured(run: str, bits: float, accuracy: float) -> Evaluation:
    text = TextScore("held.txt", 2.5, 12.18, bits, bits / 2, 4321, 9000, 8990, 32, 48, 1.0, 4321.0)
    task = TaskScore("blimp", "pairs.jsonl", 200, 3, accuracy, [0.6, 0.8], None, None, None, 7, 2.0)
    return Evaluation(run, 20, f"{run}/step-000020", [text], [task], "cpu", "2026-01-31T12:00:00Z")


def cells(markdown: str, name: str) -> list[str]:
    """The first row of a table that begins with this name."""
    row, *_ = re.findall(rf"^\| {re.escape(name)} \| (.*) \|$", markdown, re.MULTILINE)
    return row.split(" | ")


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_both_files_on_the_newest_run_are_written_where_nothing_is_said(
    yocto, project: Project, here, monkeypatch
) -> None:
    monkeypatch.chdir(project.copy_to(here).root)
    result = yocto("report", *QUICK)
    assert result.exit_code == 0
    assert result.stdout == f"a report on {project.mode}-1 -> report.html, report.md\n"
    html, markdown = (here / f"report.{kind}" for kind in ("html", "md"))
    assert html.stat().st_size < 300_000
    facts = [json.loads(x) for x in (project.run / "metrics.jsonl").read_text().splitlines()]
    last = [line for line in facts if "val_loss" in line][-1]
    written = markdown.read_text()
    assert cells(written, "last validation loss") == [f"{last['val_loss']:.4f}"]
    assert f"{last['val_loss']:.4f}" in html.read_text()
    meta = json.loads((project.data / "meta.json").read_text())["splits"]
    for split, name in (("train", "training"), ("val", "validation")):
        assert cells(written, f"{name}, tokens") == [f"{meta[split]['tokens']:,}"]
        assert cells(written, f"{name}, bytes of text") == [f"{meta[split]['bytes']:,}"]
        assert cells(written, f"{name}, documents") == [f"{meta[split]['documents']:,}"]
        assert meta[split]["sha256"] in html.read_text()
    assert cells(written, "bytes per token, validation text") == [
        f"{meta['val']['bytes_per_token']:.3f}"
    ]
    assert cells(written, "torch")[0] in html.read_text()
    assert cells(written, "kind") == ["char" if project.mode == "char" else "byte-bpe"]


def test_a_sample_is_the_text_that_sample_writes(yocto, token_project, here) -> None:
    arguments = ("--ckpt-dir", token_project.checkpoints, "--max-new-tokens", "12", "--seed", "5")
    yocto("report", *arguments, "--prompt", "The", "--temperature", "0.9", "--out-path", "r.md")
    sampled = yocto("sample", *arguments, "--prompt", "The", "--temperature", "0.9", "--json")
    (sample,) = json.loads(sampled.stdout)["samples"]
    assert f"```text\n{sample['text']}\n```" in (here / "r.md").read_text()


def test_the_command_for_a_sample_and_those_for_the_run_can_be_typed(
    yocto, token_project, here, monkeypatch
) -> None:
    monkeypatch.chdir(token_project.copy_to(here).root)
    yocto("report", *QUICK)
    written = (here / "report.md").read_text()
    lines = re.findall("^yocto .*$", written, re.MULTILINE)
    assert [line.split()[1] for line in lines] == ["sample", "train-tokenizer", "train"]
    weights = cells(written, "weights")
    text = re.search("--text-path ([^ ]*)", lines[1])[1]
    assert Path(text).is_file()
    shutil.rmtree("checkpoints")
    shutil.rmtree("data")
    for line in lines[1:]:
        result = yocto(*line.split()[1:])
        assert result.exit_code == 0, result.stderr
    yocto("report", "--no-samples")
    assert cells((here / "report.md").read_text(), "weights") == weights  # the very same model


def test_runs_are_compared_and_the_best_is_marked(yocto, here) -> None:
    for name, loss in (("a", 2.0), ("b", 1.5)):
        run = make_run(here / name, [training(10), evaluation(12, loss)], learning_rate=loss / 100)
        add_evaluation(run.path, measured(name, loss / 2, loss / 10))
    result = yocto("report", "a", "b", here / "a", "--ckpt-dir", here, "--json", *QUICK)
    told = json.loads(result.stdout)
    assert (told["runs"], told["samples"], told["problems"]) == (["a", "b"], 4, {})
    assert told["files"].keys() == {"report.html", "report.md"}
    for name, size in told["files"].items():
        assert (here / name).stat().st_size == size
    written = (here / "report.md").read_text()
    assert cells(written, "best validation loss") == ["2.0000", "**1.5000** ★"]
    assert cells(written, "best bits per byte") == ["1.0000", "**0.7500** ★"]
    assert cells(written, "learning_rate") == ["0.02", "0.015"]
    assert "| held.txt | a | 20 | 2.5000 | 12.18 | 1.0000 | 0.5000 | 4,321 | 32 |" in written
    assert "| held.txt | b | 20 | 2.5000 | 12.18 | **0.7500** ★ | 0.3750 | 4,321 | 32 |" in written
    assert "**20.0 % (60.0 to 80.0)** ★" in written
    html = (here / "report.html").read_text()
    assert html.count('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 480 300"') == 5
    assert 'class="line c1"' in html


def test_losses_of_other_tokens_are_not_compared(yocto, here) -> None:
    make_run(here / "a", [evaluation(12, 2.0)])
    make_run(here / "b", [evaluation(12, 1.0)], letters="abcxyz \n")
    yocto("report", "a", "b", "--ckpt-dir", here, "--no-samples")
    written = (here / "report.md").read_text()
    assert cells(written, "best validation loss") == ["2.0000", "1.0000"]
    assert cells(written, "best bits per byte") == ["1.0000", "**0.5000** ★"]


def test_bits_that_leave_out_unknown_text_are_not_marked_as_the_best(
    yocto, here, monkeypatch
) -> None:
    make_run(here / "a", [evaluation(12, 2.0)])
    make_run(here / "b", [evaluation(12, 1.0)], letters="abcxyz \n")
    monkeypatch.setattr(CharTokenizer, "unk_id", 0)
    yocto("report", "a", "b", "--ckpt-dir", here, "--no-samples")
    written = (here / "report.md").read_text()
    assert cells(written, "best bits per byte") == ["1.0000", "0.5000"]
    assert "the best" not in written
    assert "bits per byte of a, b may leave out text" in written


def test_settings_that_are_no_defaults_come_first(yocto, here) -> None:
    make_run(here / "a", [evaluation(12, 2.0)], learning_rate=0.5)
    yocto("report", "--ckpt-dir", here, "--no-samples", "--format", "md")
    written = (here / "report.md").read_text()
    assert "| learning_rate | 0.5 | 0.008 |" in written
    assert "| muon_lr | 4 times --learning-rate |" in written
    assert written.index("What is not at its default") < written.index("All settings")
    assert not (here / "report.html").exists()


# ------------------------------------------------------------------------------- runs of any kind


def test_a_damaged_run_one_without_metrics_and_one_before_its_first_checkpoint(yocto, here) -> None:
    run = make_run(here / "damaged", [evaluation(12, 2.0)])
    (run.path / "step-000012" / "config.json").write_text("{")
    cut = make_run(here / "cut", [evaluation(12, 2.0)])
    os.truncate(cut.path / "step-000012" / "model.safetensors", 100)
    make_run(here / "bare")
    make_run(here / "early", [training(10)], None)
    for name in ("damaged", "cut", "bare", "early"):
        result = yocto("report", name, "--ckpt-dir", here, *QUICK)
        assert result.exit_code == 0, name
        told = name in ("damaged", "cut")
        assert (f"note: {name}: " in result.stdout) == told
        assert ('class="notice">' in (here / "report.html").read_text()) == (name != "bare")
    result = yocto("report", "damaged", "cut", "bare", "early", "--ckpt-dir", here, *QUICK)
    assert result.exit_code == 0
    written = (here / "report.md").read_text()
    assert cells(written, "status") == ["damaged", "damaged", "interrupted", "no checkpoint"]


def test_a_run_that_is_being_trained_is_told_so(yocto, here) -> None:
    run = make_run(here / "a", [evaluation(12, 2.0), training(30)])
    with exclusive(run.path / ".lock"):
        result = yocto("report", "a", "--ckpt-dir", here, *QUICK)
    assert result.exit_code == 0
    written = (here / "report.md").read_text()
    assert cells(written, "status") == ["training"]
    assert "> a: trained by" in written


def test_a_fine_tuned_run_answers_a_question(yocto, token_project, here, monkeypatch) -> None:
    monkeypatch.chdir(token_project.copy_to(here).root)
    turns = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "I."}]
    Path("chats.jsonl").write_text(f"{json.dumps({'messages': turns})}\n" * 4)
    for extra in ([], ["--lora-rank", "2"]):
        yocto("finetune", "--data", "chats.jsonl", "--epochs", "2", "--batch-size", "1", *extra)
        result = yocto("report", *QUICK, "--prompt", "Who?")
        assert result.exit_code == 0
        html = Path("report.html").read_text()
        assert "Asked: <bdi>Who?</bdi>" in html
        assert "conversations of chats.jsonl" in html
        assert "yocto finetune" in html
        assert ("--lora-rank 2" in html) == bool(extra)


def test_an_imported_run_has_a_report_without_curves(yocto, token_project, here, monkeypatch):
    monkeypatch.chdir(token_project.copy_to(here).root)
    yocto("export", "--out-path", "exports/mine")
    yocto("import", "exports/mine", "--run-name", "mine")
    result = yocto("report", "mine", *QUICK)
    assert result.exit_code == 0
    written = Path("report.md").read_text()
    assert "Nothing was measured of the training." in written
    assert "yocto import exports/mine --run-name mine" in written
    assert cells(written, "architecture") == ["Qwen3ForCausalLM"]
    yocto("report", "--no-samples")  # of itself the newest that was trained
    assert "# token-1" in Path("report.md").read_text()


def test_a_name_that_is_html_stays_a_name(yocto, here) -> None:
    name = "<img src=x onerror=alert(1)>"
    make_run(here / "runs" / name, [training(10), evaluation(12, 2.0)])
    assert yocto("report", "--ckpt-dir", here / "runs", *QUICK).exit_code == 0
    assert "<img" not in (here / "report.html").read_text()
    blocks = re.compile("^```text$.*?^```$", re.MULTILINE | re.DOTALL)
    assert "<img" not in blocks.sub("", (here / "report.md").read_text())


# ------------------------------------------------------------------------------------------- files


def test_only_a_report_is_written_over(yocto, here) -> None:
    make_run(here / "runs" / "a", [training(10)])
    arguments = ("report", "--ckpt-dir", here / "runs", "--no-samples")
    assert yocto(*arguments).exit_code == 0
    assert yocto(*arguments).exit_code == 0
    (here / "report.md").write_text("my notes")
    before = (here / "report.html").read_bytes()
    result = yocto(*arguments)
    assert result.exit_code == 1
    assert "report.md is there already, and it is no report of yocto's" in result.stderr
    assert (here / "report.md").read_text() == "my notes"
    assert (here / "report.html").read_bytes() == before  # neither is written
    assert yocto(*arguments, "--overwrite").exit_code == 0
    assert (here / "report.md").read_text().startswith("<!-- yocto report -->")


@pytest.mark.parametrize(
    ("typed", "files"),
    [
        (["--out-path", "x.html"], {"x.html", "x.md"}),
        (["--out-path", "x.md"], {"x.md"}),
        (["--out-path", "x.md", "--format", "both"], {"x.html", "x.md"}),
        (["--out-path", "x.html", "--format", "html"], {"x.html"}),
        (["--format", "md"], {"report.md"}),
        (["--out-path", "new/x.HTM", "--format", "html"], {"new/x.HTM"}),
    ],
)
def test_the_ending_and_the_format_say_which_files(yocto, here, typed, files) -> None:
    make_run(here / "runs" / "a", [training(10)])
    result = yocto("report", "--ckpt-dir", here / "runs", "--no-samples", "--json", *typed)
    assert json.loads(result.stdout)["files"].keys() == files
    found = {p.relative_to(here).as_posix() for p in here.rglob("*.[hHm]*") if "runs" not in str(p)}
    assert found == files


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["--out-path", "x.pdf"], "a report of format both is a .html or a .md"),
        (["--out-path", "x.md", "--format", "html"], "a report of format html is a .html"),
        (["--out-path", "folder.html"], "folder.html is a folder"),
        (["--temperature", "hot"], "temperature is 'hot', but it takes numbers from 0 to 100"),
        (["nobody"], "there is no run 'nobody'"),
        (
            ["--no-samples", "--prompt", "x", "--seed", "1337"],
            "prompt and seed can't have an effect without samples",
        ),
    ],
)
def test_a_mistake_is_told_before_anything_is_written(yocto, here, typed, told) -> None:
    make_run(here / "runs" / "a", [training(10)])
    (here / "folder.html").mkdir()
    result = yocto("report", "--ckpt-dir", here / "runs", *typed)
    assert result.exit_code in (1, 2)
    assert told in " ".join(result.stderr.split())
    assert not list(here.glob("*.md"))


def test_what_to_type_next_finds_the_run_where_it_lies(yocto, here) -> None:
    make_run(here / "runs" / "a b", [training(10)])
    result = yocto("report", "--ckpt-dir", here / "runs", "--no-samples", "--format", "html")
    assert result.exit_code == 0, result.stderr
    page = (here / "report.html").read_text(encoding="utf-8")
    assert "yocto eval --ckpt &#x27;a b&#x27; --ckpt-dir runs measures texts" in page
