"""quickstart: the whole way in one command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Project
from tiny import Recorder, make_text

from yocto.api import LanguageModel
from yocto.checkpoint import Checkpoint, Run
from yocto.cli import quickstart as rendering
from yocto.commands import chat, prepare_char, quickstart, train
from yocto.config import PrepareCharConfig, QuickstartConfig
from yocto.tokenizer.store import load_tokenizer
from yocto.utils.files import shipped_file

TRAINED = train.Trained("checkpoints/quickstart-1", 3, 3, 1.0, 2.0, 1.0, 3, "")


@pytest.mark.parametrize("mode", ["char", "token"])
def test_the_whole_way_ends_with_answers_and_the_next_commands(
    tmp_path: Path, small_text: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    progress = Recorder()
    config = QuickstartConfig(text_path=(str(small_text),), mode=mode, minutes=0.02)
    result = quickstart.run(config, progress)
    assert result.exit_code == 0
    assert result.sample == ""
    summary = "\n".join(result.summary())
    text = small_text.read_text("utf-8")
    tail = text[-len(text) // 9 :]  # what validates, and a little more
    assert 1 <= len(result.exchanges) <= 3
    for question, answer in result.exchanges:
        assert f"User: {question}\n" in tail
        assert f"User: {question}\nAssistant: {answer}" in summary
    for command in ("yocto chat", "yocto sample", "yocto train --help"):
        assert command in summary
    told = "\n".join(progress.said)
    assert [f"{i} of 3" in told for i in (1, 2, 3)] == [True] * 3
    step = Run(tmp_path / "checkpoints" / "quickstart-1").pointer("latest")
    assert step is not None
    assert Checkpoint.open(step).train["mode"] == mode


def test_the_questions_are_those_of_the_text_that_validates(
    char_project: Project, small_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm = LanguageModel.open(char_project.step)
    tail = small_text.read_text("utf-8")[-1100:]
    questions = quickstart.asked(lm, char_project.data)
    assert len(questions) == 3
    assert all(f"User: {question}\n" in tail for question in questions)
    after_answers = "".join(f"User: Who?\nAssistant: You.\nUser: And {i}?\n" for i in range(500))
    monkeypatch.setattr(lm.tokenizer, "decode", lambda ids: after_answers)
    assert set(quickstart.asked(lm, char_project.data)) == {"Who?"}
    other = tmp_path / "text.txt"
    other.write_text(make_text(200).replace("User:", "Use:"), encoding="utf-8")
    config = PrepareCharConfig(text_path=(str(other),), out_dir=str(tmp_path / "data"))
    prepare_char.run(config, Recorder())
    without = LanguageModel(lm.model, load_tokenizer(tmp_path / "data"))
    assert quickstart.asked(without, tmp_path / "data") == []


@pytest.mark.parametrize("missing", ["asked", "ask"])
def test_without_questions_or_answers_the_model_writes_a_sample(
    char_project: Project, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setattr(quickstart, missing, lambda lm, what: [])
    lm = LanguageModel.open(char_project.step)
    config = QuickstartConfig(text_path=("mybook.txt",), mode="char")
    result = quickstart._speak(lm, TRAINED, config, char_project.data, Recorder())
    assert result.exchanges == []
    assert result.sample.splitlines()[0] in "\n".join(result.summary())


def test_questions_that_can_not_be_asked_are_left_out(char_project: Project) -> None:
    lm = LanguageModel.open(char_project.step)
    asked = ["Who?", "the river " * 30, "§", "What?"]
    assert {question for question, _ in quickstart.ask(lm, asked)} <= {"Who?", "What?"}


def test_the_shipped_texts_questions_are_of_its_kind() -> None:
    text = shipped_file("philosophy.txt")
    assert text is not None
    turns = text.read_text("utf-8")
    for question in quickstart.QUESTIONS:
        assert f"User: {question}\n" in turns


@pytest.mark.parametrize(
    ("terminal", "knobs", "as_json", "talks"),
    [(True, {}, False, True), (False, {}, False, False), (True, {"chat": False}, False, False),
     (True, {}, True, False)],
)  # fmt: skip
def test_it_ends_in_a_chat_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    terminal: bool, knobs: dict[str, Any], as_json: bool, talks: bool,
) -> None:  # fmt: skip
    opened: list[str] = []
    monkeypatch.setattr(rendering, "on_terminal", lambda: terminal)
    monkeypatch.setattr(rendering, "run_chat", lambda result: opened.append(result.checkpoint))
    monkeypatch.setattr(chat, "run", lambda config, progress: chat.OpenChat(config.ckpt, Any))
    result = quickstart.Quickstart(TRAINED, [("Who?", "He.")], "", **{"chat": True, **knobs})
    rendering.render_quickstart(result, as_json)
    assert opened == (["checkpoints/quickstart-1"] if talks else [])
    shown = capsys.readouterr().out
    if as_json:
        assert json.loads(shown)["exchanges"] == [["Who?", "He."]]
    else:
        assert "Assistant: He.\n" in shown and "yocto chat" in shown


def test_an_interrupted_quickstart_says_how_to_go_on(
    tmp_path: Path, small_text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stopped = train.Trained(
        "checkpoints/quickstart-1", 3, 10, 1.0, None, None, None, "yocto train --resume auto"
    )
    monkeypatch.setattr(train, "run", lambda config, progress: stopped)
    config = QuickstartConfig(text_path=(str(small_text),), mode="char")
    result = quickstart.run(config, Recorder())
    assert (result.exit_code, result.sample, result.exchanges) == (130, "", [])
    assert any("yocto train --resume auto" in line for line in result.summary())
