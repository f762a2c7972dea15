"""quickstart: the whole way in one command."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import Recorder

from yocto.checkpoint import Checkpoint, Run
from yocto.commands import quickstart, train
from yocto.config import QuickstartConfig


@pytest.mark.parametrize("mode", ["char", "token"])
def test_the_whole_way_ends_with_a_sample_and_the_next_commands(
    tmp_path: Path, small_text: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    progress = Recorder()
    config = QuickstartConfig(text_path=(str(small_text),), mode=mode, minutes=0.02)
    result = quickstart.run(config, progress)
    assert result.exit_code == 0
    assert result.sample
    summary = "\n".join(result.summary())
    assert result.sample in summary
    for command in ("yocto chat", "yocto sample", "yocto train --help"):
        assert command in summary
    told = "\n".join(progress.said)
    assert [f"{i} of 3" in told for i in (1, 2, 3)] == [True] * 3
    step = Run(tmp_path / "checkpoints" / "quickstart-1").pointer("latest")
    assert step is not None
    assert Checkpoint.open(step).train["mode"] == mode


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
    assert (result.exit_code, result.sample) == (130, "")
    assert any("yocto train --resume auto" in line for line in result.summary())
