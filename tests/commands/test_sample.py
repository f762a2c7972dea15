"""sample: prompts and what is made of them."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import Project
from tiny import Recorder

from yocto.commands import sample
from yocto.config import SampleConfig
from yocto.errors import CheckpointError, ConfigError, DataError, TokenizerError


def run(project: Project, progress: Recorder | None = None, **knobs) -> sample.Samples:
    config = SampleConfig(ckpt_dir=str(project.checkpoints), **knobs)
    return sample.run(config, progress or Recorder())


def texts(result: sample.Samples) -> list[str]:
    return ["".join(pieces) for pieces in result.texts]


def test_the_best_step_of_the_newest_run_speaks(project: Project) -> None:
    result = run(project, max_new_tokens=5)
    assert result.checkpoint == str(project.run / (project.run / "best").read_text().strip())
    assert len(texts(result)) == 1


def test_several_samples_differ_and_a_seed_repeats_them_all(project: Project) -> None:
    knobs = {"num_samples": 3, "max_new_tokens": 30, "seed": 7, "temperature": 1.0}
    first = texts(run(project, prompt="the ", **knobs))
    assert len(set(first)) == 3
    assert texts(run(project, prompt="the ", **knobs)) == first


def test_without_a_seed_each_run_says_something_else(project: Project) -> None:
    knobs = {"max_new_tokens": 40, "temperature": 1.0, "ignore_eos": True}
    assert texts(run(project, **knobs)) != texts(run(project, **knobs))


def test_text_is_made_only_when_it_is_read(project: Project) -> None:
    result = run(project, max_new_tokens=10**9, num_samples=10**6, ignore_eos=True)
    assert len(next(next(result.texts))) >= 1


def test_a_prompt_longer_than_the_context_gives_a_notice_with_both_numbers(
    char_project: Project,
) -> None:
    progress = Recorder()
    result = run(char_project, progress, prompt="the river " * 10, max_new_tokens=3)
    (notice,) = progress.notices
    assert "100 tokens" in notice
    assert "last 48" in notice
    assert len(texts(result)[0]) == 3
    assert result.prompt == "the river " * 10


def test_a_prompt_that_fits_gives_no_notice(char_project: Project) -> None:
    progress = Recorder()
    run(char_project, progress, prompt="t" * 48)
    assert progress.notices == []


def test_a_prompt_is_read_from_a_file(char_project: Project, tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("the stone ", encoding="utf-8")
    assert run(char_project, prompt=f"@{tmp_path / 'prompt.txt'}").prompt == "the stone "
    with pytest.raises(DataError, match="missing"):
        run(char_project, prompt=f"@{tmp_path / 'missing.txt'}")


def test_a_prompt_is_read_from_standard_input(
    char_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def piped(data: bytes) -> None:
        monkeypatch.setattr(sample.sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))

    piped("Né 🙂".encode())
    assert run(char_project, prompt="-").prompt == "Né 🙂"
    piped(b"ab\xff")
    with pytest.raises(ConfigError, match="byte 2 of standard input"):
        run(char_project, prompt="-")


def test_characters_outside_the_vocabulary_are_named(char_project: Project) -> None:
    with pytest.raises(TokenizerError, match=r"'€' \(U\+20AC\)"):
        run(char_project, prompt="5 €")


def test_without_a_run_the_error_says_to_train(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        run(Project(tmp_path, "char"))
    assert "yocto train" in caught.value.hint
